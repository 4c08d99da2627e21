//! Embeddings of the sequences of a prepared set.

use std::sync::mpsc::sync_channel;
use std::thread;

use burn::tensor::{Device, Tensor, TensorData};
use gait_data::{Clip, DataError, PreparedSet, Watch, can_prepare, trimmed_width};
use gait_eval::{Embeddings, EmbeddingsError};

use crate::net::{self, Evaluator, ModelError};
use crate::settings::ModelSettings;

/// Sequences decoded ahead of the network.
const AHEAD: usize = 4;

/// Sequences that cannot be embedded.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// The data cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The network refuses them.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The network gave values that are no numbers, or there is nothing to embed.
    #[error(transparent)]
    Embeddings(#[from] EmbeddingsError),
    /// The silhouettes do not have the network's size.
    #[error(
        "the silhouettes are {height} x {width}, the network takes {model_height} x {model_width}; {}",
        size_mend([*height, *width], [*model_height, *model_width])
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
}

/// How silhouettes and a network, `[rows, columns]` each, come to fit.
fn size_mend([height, width]: [usize; 2], model: [usize; 2]) -> String {
    // Silhouettes are prepared as squares.
    let data = if can_prepare(model[0]) && [model[0], trimmed_width(model[0])] == model {
        format!("prepare the data with --height {}, or ", model[0])
    } else {
        String::new()
    };
    let rows =
        if height == model[0] { String::new() } else { format!("--set model.height={height} ") };
    format!(
        "{data}make a network for {height} x {width}: import with --height {height}, train with \
         {rows}--set model.width={width}"
    )
}

/// Embeds the sequences with the given indices, all their frames, in that order. Sequences may
/// have any length; memory is bounded for long ones.
///
/// # Errors
/// A sequence that cannot be decoded or has another size than the network takes; a stop.
pub fn embed(
    network: &Evaluator,
    model: &ModelSettings,
    set: &PreparedSet,
    indices: &[usize],
    device: &Device,
    watch: &Watch,
) -> Result<Embeddings, EmbedError> {
    check_size(model, set)?;
    let size = network.embedding_shape();
    // A large test set takes gigabytes: growing into them would need twice as much.
    let mut values = Vec::with_capacity(indices.len() * size[0] * size[1]);
    thread::scope(|scope| {
        let (sender, clips) = sync_channel(AHEAD);
        scope.spawn(move || {
            for &index in indices {
                let clip = set.clip(index).map(|clip| clip.trimmed());
                if sender.send(clip).is_err() {
                    return;
                }
            }
        });
        for (done, clip) in clips.iter().enumerate() {
            watch.check().map_err(DataError::from)?;
            let embedding = network.embed(to_tensor(clip?, device))?;
            values.extend(net::values(embedding));
            watch.report(done as u64 + 1, indices.len() as u64);
        }
        Ok::<(), EmbedError>(())
    })?;
    let names = indices.iter().map(|&index| {
        let key = set.entry(index).key.clone();
        (key.subject, key.condition, key.view)
    });
    Ok(Embeddings::new(size[0], size[1], values, names)?)
}

/// Checks that the silhouettes of a prepared set have the size that the network takes.
///
/// # Errors
/// Both sizes and what to do.
pub fn check_size(model: &ModelSettings, set: &PreparedSet) -> Result<(), EmbedError> {
    let (model_height, model_width) = (model.height, model.width);
    for index in 0..set.len() {
        let entry = set.entry(index);
        let (height, width) = (entry.height, trimmed_width(entry.width));
        if (height, width) != (model_height, model_width) {
            return Err(EmbedError::Size { height, width, model_height, model_width });
        }
    }
    Ok(())
}

/// A clip as the network takes it: `[1, 1, t, h, w]`, 0 to 1.
fn to_tensor(clip: Clip, device: &Device) -> Tensor<5> {
    let shape = [1, 1, clip.frames, clip.height, clip.width];
    let values: Vec<f32> = clip.pixels.into_iter().map(|v| f32::from(v) / 255.0).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_heights_that_give_the_network_its_size_are_proposed() {
        let mend = size_mend([128, 88], [64, 44]);
        assert!(mend.starts_with("prepare the data with --height 64, or make"), "{mend}");
        assert!(mend.ends_with("--set model.height=128 --set model.width=88"), "{mend}");
        for model in [[10, 10], [10, 44], [64, 88]] {
            let mend = size_mend([64, 44], model);
            assert!(mend.starts_with("make a network for 64 x 44"), "{mend}");
        }
        let mend = size_mend([128, 88], [128, 44]);
        assert!(mend.ends_with("train with --set model.width=88"), "{mend}");
    }
}
