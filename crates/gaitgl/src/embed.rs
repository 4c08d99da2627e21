//! Embeddings: of one clip, of the sequences of a prepared set, and the distance between two.

use std::borrow::Cow;
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::thread;

use burn::tensor::{Device, Tensor, TensorData};
use gait_data::{Clip, DataError, PreparedSet, Watch, trimmed_width};
use gait_eval::{Distance, Embeddings, EmbeddingsError, EvalError, distance_matrix};
use gait_support::start_pool;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::device::describe;
use crate::net::{self, Evaluator, ModelError};
use crate::settings::{ModelSettings, Precision};

/// Sequences that are decoded ahead of the network.
const AHEAD: usize = 4;

/// Silhouettes that cannot be embedded, or embeddings that cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// The checkpoint cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The data cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The network cannot be built, or refuses the silhouettes.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The network gave NaN or infinity, or there is nothing to embed.
    #[error(transparent)]
    Embeddings(#[from] EmbeddingsError),
    /// A distance exceeds single precision.
    #[error(transparent)]
    Distance(#[from] EvalError),
    /// The silhouettes do not have the network's size.
    #[error(
        "the silhouettes are {height} x {width}, but the network takes {model_height} x \
         {model_width}"
    )]
    Size {
        /// Rows of the silhouettes.
        height: usize,
        /// Columns of the silhouettes, trimmed.
        width: usize,
        /// Rows that the network takes.
        model_height: usize,
        /// Columns that the network takes.
        model_width: usize,
    },
    /// A clip has more or fewer pixels than its sizes say.
    #[error("a clip has {pixels} pixels, not {frames} x {height} x {width}")]
    Clip {
        /// Pixels of the clip.
        pixels: usize,
        /// Its frames.
        frames: usize,
        /// Its rows.
        height: usize,
        /// Its columns.
        width: usize,
    },
    /// Two embeddings have different shapes: they are from different networks.
    #[error("embeddings of {} x {} and {} x {} values cannot be compared", .0[0], .0[1], .1[0], .1[1])]
    Shapes([usize; 2], [usize; 2]),
}

/// A trained network on a device, ready to embed sequences.
#[derive(Clone, Debug)]
pub struct Embedder {
    network: Evaluator,
    /// Rows and columns of the silhouettes that the network takes.
    size: [usize; 2],
    device: Device,
}

/// The embedding of one sequence: `[c, p]`, channels by horizontal strips of the body.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedding {
    shape: [usize; 2],
    values: Vec<f32>,
}

impl Embedder {
    /// The network of a checkpoint file, on a device such as [`crate::cpu`], in f32.
    ///
    /// # Errors
    /// A file that is missing or not a checkpoint, tensors that do not fit its settings.
    pub fn from_checkpoint(path: &Path, device: &Device) -> Result<Self, EmbedError> {
        Ok(Self::new(&Checkpoint::load(path)?, device)?)
    }

    /// The network of a checkpoint, on a device, in f32.
    ///
    /// # Errors
    /// Tensors that do not fit the settings, each of them named.
    pub fn new(checkpoint: &Checkpoint, device: &Device) -> Result<Self, ModelError> {
        Self::in_precision(checkpoint, device, Precision::F32)
    }

    /// The network of a checkpoint, on a device; its convolutions compute in `precision`. Embeddings
    /// in bf16 differ little from those in f32, and can be compared with them.
    ///
    /// # Errors
    /// A device that does not compute in this precision, tensors that do not fit the settings.
    pub fn in_precision(
        checkpoint: &Checkpoint,
        device: &Device,
        precision: Precision,
    ) -> Result<Self, ModelError> {
        if !precision.runs_on(device) {
            return Err(ModelError::Precision { precision, device: describe(device) });
        }
        let network = checkpoint.evaluator(device, precision)?;
        Ok(Self::from_network(network, &checkpoint.settings.model, device.clone()))
    }

    pub(crate) fn from_network(network: Evaluator, model: &ModelSettings, device: Device) -> Self {
        // Burn's operations would panic where the system limits threads.
        start_pool(None);
        Self { network, size: [model.height, model.width], device }
    }

    /// Channels and strips of an embedding.
    pub fn shape(&self) -> [usize; 2] {
        self.network.embedding_shape()
    }

    /// Embeds one clip of aligned silhouettes, all its frames. The clip has the network's size, or
    /// it is as [`PreparedSet::clip`] gives it; then its outer columns are trimmed here.
    ///
    /// A long clip passes in windows over time, so that memory stays bounded.
    ///
    /// # Errors
    /// A clip of another size or without frames.
    pub fn embed(&self, clip: &Clip) -> Result<Embedding, EmbedError> {
        let clip = self.fitted(clip)?;
        let values = net::values(self.network.embed(to_tensor(&clip, &self.device))?);
        Ok(Embedding { shape: self.shape(), values })
    }

    /// Embeds the sequences of a set with the given indices, all their frames, in that order.
    ///
    /// # Errors
    /// A sequence that cannot be decoded or has another size than the network takes; a stop.
    pub fn embed_set(
        &self,
        set: &PreparedSet,
        indices: &[usize],
        watch: &Watch,
    ) -> Result<Embeddings, EmbedError> {
        check_sizes(self.size, set)?;
        let [channels, strips] = self.shape();
        // A large test set takes gigabytes: growing into them would need twice as much.
        let mut values = Vec::with_capacity(indices.len() * channels * strips);
        let mut embed_all = |clips: &mut dyn Iterator<Item = Result<Clip, DataError>>| {
            for (done, clip) in clips.enumerate() {
                watch.check().map_err(DataError::from)?;
                values.extend(self.embed(&clip?)?.values);
                watch.report(done as u64 + 1, indices.len() as u64);
            }
            Ok::<(), EmbedError>(())
        };
        thread::scope(|scope| {
            let (sender, clips) = sync_channel(AHEAD);
            let decode = move || {
                for &index in indices {
                    if sender.send(set.clip(index)).is_err() {
                        return;
                    }
                }
            };
            match thread::Builder::new().name("clips".into()).spawn_scoped(scope, decode) {
                Ok(_) => embed_all(&mut clips.iter()),
                // A limit on threads costs speed, not the result.
                Err(_) => embed_all(&mut indices.iter().map(|&index| set.clip(index))),
            }
        })?;
        let names = indices.iter().map(|&index| {
            let key = set.entry(index).key.clone();
            (key.subject, key.condition, key.view)
        });
        Ok(Embeddings::new(channels, strips, values, names)?)
    }

    /// The clip in the size that the network takes.
    fn fitted<'a>(&self, clip: &'a Clip) -> Result<Cow<'a, Clip>, EmbedError> {
        let Clip { frames, height, width, ref pixels } = *clip;
        let size = frames.checked_mul(height).and_then(|rows| rows.checked_mul(width));
        if size != Some(pixels.len()) {
            return Err(EmbedError::Clip { pixels: pixels.len(), frames, height, width });
        }
        if [height, width] == self.size {
            return Ok(Cow::Borrowed(clip));
        }
        check_fit([height, trimmed_width(width)], self.size)?;
        Ok(Cow::Owned(clip.trimmed()))
    }
}

impl Embedding {
    /// Channels and strips, `[c, p]`.
    pub fn shape(&self) -> [usize; 2] {
        self.shape
    }

    /// The values `[c, p]`, row-major.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// How far this embedding is from another one of the same network. The smaller, the more
    /// likely it is that the same person walks in both clips.
    ///
    /// # Errors
    /// Embeddings of different shapes, or with values that are not finite.
    pub fn distance(&self, other: &Self, distance: Distance) -> Result<f32, EmbedError> {
        if self.shape != other.shape {
            return Err(EmbedError::Shapes(self.shape, other.shape));
        }
        let [channels, strips] = self.shape;
        let values = [self.values(), other.values()].concat();
        let names = ["first", "second"].map(|name| (name.into(), String::new(), String::new()));
        let both = Embeddings::new(channels, strips, values, names)?;
        Ok(distance_matrix(&both, distance, &[0], &[1])?[0])
    }
}

/// Checks that the silhouettes of a prepared set have the size that the network takes.
pub(crate) fn check_size(model: &ModelSettings, set: &PreparedSet) -> Result<(), EmbedError> {
    check_sizes([model.height, model.width], set)
}

fn check_sizes(model: [usize; 2], set: &PreparedSet) -> Result<(), EmbedError> {
    let mut entries = set.entries().iter();
    entries.try_for_each(|entry| check_fit([entry.height, trimmed_width(entry.width)], model))
}

fn check_fit([height, width]: [usize; 2], model: [usize; 2]) -> Result<(), EmbedError> {
    let [model_height, model_width] = model;
    if [height, width] == model {
        return Ok(());
    }
    Err(EmbedError::Size { height, width, model_height, model_width })
}

/// A clip as the network takes it: `[1, 1, t, h, w]`, 0 to 1.
fn to_tensor(clip: &Clip, device: &Device) -> Tensor<5> {
    let shape = [1, 1, clip.frames, clip.height, clip.width];
    Tensor::from_data(TensorData::new(clip.to_unit(), shape), device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::testing::test_device;
    use crate::net::GaitGl;
    use crate::net::tests::small;

    fn embedder() -> Embedder {
        let model = small("paper-small");
        let device = test_device();
        let network = GaitGl::new(&model, 2, 1, &device).unwrap().evaluator(Precision::F32);
        Embedder::from_network(network, &model, device)
    }

    fn clip(frames: usize, [height, width]: [usize; 2]) -> Clip {
        let noise = |i: usize| (i.wrapping_mul(2_654_435_761) >> 9) as u8;
        let pixels = (0..frames * height * width).map(noise).collect();
        Clip { frames, height, width, pixels }
    }

    #[test]
    fn a_clip_has_an_embedding_and_distance_zero_from_itself() {
        let embedder = embedder();
        let first = embedder.embed(&clip(5, embedder.size)).unwrap();
        let second = embedder.embed(&clip(7, embedder.size)).unwrap();
        assert_eq!(first.values().len(), embedder.shape().iter().product::<usize>());
        for distance in Distance::ALL {
            assert!(first.distance(&first, distance).unwrap().abs() < 1e-6);
            assert!(first.distance(&second, distance).unwrap() > 0.0);
        }
    }

    #[test]
    fn clips_that_do_not_fit_are_refused() {
        let embedder = embedder();
        let [height, width] = embedder.size;
        let error = |clip: Clip| embedder.embed(&clip).unwrap_err();
        assert!(matches!(error(clip(3, [height + 1, width])), EmbedError::Size { .. }));
        assert!(matches!(error(clip(0, [height, width])), EmbedError::Model(_)));
        let short = Clip { pixels: vec![0; 5], ..clip(3, [height, width]) };
        assert!(matches!(error(short), EmbedError::Clip { pixels: 5, frames: 3, .. }));
        let endless = Clip { frames: usize::MAX, ..clip(3, [height, width]) };
        assert!(matches!(error(endless), EmbedError::Clip { .. }));
        let one = Embedding { shape: [1, 2], values: vec![0.0; 2] };
        let other = Embedding { shape: [2, 1], values: vec![0.0; 2] };
        let error = one.distance(&other, Distance::Strips).unwrap_err();
        assert!(matches!(error, EmbedError::Shapes([1, 2], [2, 1])), "{error}");
    }
}
