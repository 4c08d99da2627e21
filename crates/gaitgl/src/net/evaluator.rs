//! A network for inference: no gradients, frozen statistics, masks at test, bounded memory.

use std::sync::Arc;

use burn::module::{Module, Param};
use burn::tensor::{Tensor, TensorData};

use super::error::ModelError;
use super::prepared::PreparedBody;
use super::windows::{BUDGET, Window, windows};
use super::{GaitGl, StageLayer, plan};
use crate::mask::{self, Regions};
use crate::region_conv3d::max_over_time;
use crate::settings::{AtTest, Precision, Reading};

/// A network for inference; [`GaitGl::evaluator`] makes it.
#[derive(Clone, Debug)]
pub struct Evaluator {
    net: GaitGl,
    precision: Precision,
    /// Embeddings are averaged over these.
    draws: Vec<Draw>,
    /// Bytes that the maps of one window over time may take.
    pub(super) budget: usize,
}

/// The network under one set of masks.
#[derive(Clone, Debug)]
struct Draw {
    /// The regions of all global-local layers.
    masks: Vec<Option<Regions>>,
    /// The body as the CPU runs it, if it can.
    body: Option<Arc<PreparedBody>>,
}

impl Evaluator {
    pub(super) fn new(net: &GaitGl, precision: Precision) -> Self {
        let mut net = net.valid();
        let local = net.settings.local.clone();
        let seeded = |draw| net.masks(|layer| mask::test_generator(local.seed, draw, layer));
        let one_region = vec![None; plan::global_local_layers(&net.settings).len()];
        let draws = match local.at_test {
            _ if !net.has_random_masks() => vec![seeded(0)],
            AtTest::Expected | AtTest::Plain => vec![one_region],
            AtTest::Seeded => vec![seeded(0)],
            AtTest::MeanOfK => (0..local.draws as u64).map(seeded).collect(),
        };
        // Under the reading `activate` the mean input of each branch is its share of x, and the
        // leaky ReLU is positively homogeneous: the branches add up to the plain convolution.
        if local.at_test == AtTest::Expected && local.reading == Reading::Restrict {
            net.weigh_taps();
        }
        let draw = |masks: Vec<Option<Regions>>| {
            // If the counts do not match, there is no such body and `GaitGl::body` gives the error.
            let body = PreparedBody::new(&net, &masks, precision).ok().flatten().map(Arc::new);
            Draw { masks, body }
        };
        let draws = draws.into_iter().map(draw).collect();
        Self { net, precision, draws, budget: BUDGET }
    }

    /// Embeddings of clips. A long sequence passes in windows over time, with the same result.
    ///
    /// # Shapes
    /// - clips: `[n, 1, t, h, w]`
    /// - result: `[n, c, p]`; `[n, 2 c, p]` with [`ModelSettings::mirrored`]
    ///
    /// # Errors
    /// Clips that do not fit the settings.
    ///
    /// [`ModelSettings::mirrored`]: crate::settings::ModelSettings::mirrored
    pub fn embed(&self, clips: Tensor<5>) -> Result<Tensor<3>, ModelError> {
        let embed = |clips| self.mean_over_draws(clips, |strips| self.net.head.embed(strips));
        if !self.net.settings.mirrored {
            return embed(clips);
        }
        let mirrored = embed(clips.clone().flip([4]))?;
        Ok(Tensor::cat(vec![embed(clips)?, mirrored], 1))
    }

    /// Logits `[n, classes, p]` of clips `[n, 1, t, h, w]`; `None` without a classifier.
    ///
    /// # Errors
    /// Clips that do not fit the settings.
    pub fn classify(&self, clips: Tensor<5>) -> Result<Option<Tensor<3>>, ModelError> {
        if self.net.head.classifier.is_none() {
            return Ok(None);
        }
        self.mean_over_draws(clips, |strips| {
            let logits = self.net.head.classify(strips.clone())?;
            Ok(logits.unwrap_or(strips))
        })
        .map(Some)
    }

    /// Channels and strips of an embedding.
    pub fn embedding_shape(&self) -> [usize; 2] {
        let [channels, strips] = self.net.embedding_shape();
        [channels * if self.net.settings.mirrored { 2 } else { 1 }, strips]
    }

    fn mean_over_draws(
        &self,
        clips: Tensor<5>,
        head: impl Fn(Tensor<3>) -> Result<Tensor<3>, ModelError>,
    ) -> Result<Tensor<3>, ModelError> {
        let clips = self.net.entering(clips.without_autodiff())?;
        let [sequences, _, frames, ..] = clips.dims();
        let windows = windows(&plan::layers(&self.net.settings), sequences, frames, self.budget);
        let mut sum: Option<Tensor<3>> = None;
        for draw in &self.draws {
            let maps = self.final_maps(&clips, draw, &windows)?;
            let each = head(self.net.pooling.forward(maps)?)?;
            sum = Some(match sum {
                Some(sum) => sum + each,
                None => each,
            });
        }
        // The settings' check has refused `draws = 0`.
        let Some(sum) = sum else { unreachable!("at least one draw") };
        Ok(if self.draws.len() > 1 { sum / self.draws.len() as f64 } else { sum })
    }

    /// The final map `[n, c, h, w]`, max over time.
    fn final_maps(
        &self,
        clips: &Tensor<5>,
        draw: &Draw,
        windows: &[Window],
    ) -> Result<Tensor<4>, ModelError> {
        let mut highest: Option<Tensor<4>> = None;
        for Window { frames, keep } in windows {
            let clips = clips.clone().narrow(2, frames.start, frames.len());
            let exact = match &draw.body {
                Some(body) => body.forward(clips, keep),
                None => {
                    let maps = self.net.body(clips, &draw.masks, self.precision)?;
                    max_over_time(maps.narrow(2, keep.start, keep.len()))
                }
            };
            highest = Some(match highest {
                Some(highest) => highest.max_pair(exact),
                None => exact,
            });
        }
        let Some(highest) = highest else { unreachable!("at least one window") };
        Ok(highest)
    }
}

impl GaitGl {
    /// Weighs each tap of the local branches by the probability that a random mask lets it pass.
    fn weigh_taps(&mut self) {
        let layers = self.stages.iter_mut().flat_map(|stage| &mut stage.layers);
        let global_local = layers.filter_map(|layer| match layer {
            StageLayer::GlobalLocal(layer) => Some(layer),
            StageLayer::Conv(_) => None,
        });
        // A network whose layers are not those of its plan embeds nothing: see `GaitGl::steps`.
        for (layer, plan) in global_local.zip(plan::global_local_layers(&self.settings)) {
            let Some(local) = &mut layer.local else { continue };
            let [.., kh, kw] = local.dims();
            let settings = &self.settings.local;
            let taps = mask::expected_taps(settings, plan.height, plan.width, [kh, kw]);
            if let Some(taps) = taps {
                let taps = TensorData::new(taps, [1, 1, 1, kh, kw]);
                let weighed = local.val() * Tensor::from_data(taps, &local.val().device());
                *local = Param::initialized(local.id, weighed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::ModuleMapper;
    use burn::tensor::DType;
    use gait_data::Batch;
    use gait_kernels::Algorithm;

    use crate::net::prepared::problem;
    use crate::settings::{ModelSettings, Settings, presets};
    use crate::train::Trainer;

    const FRAMES: usize = 9;

    /// Two clips each of two walkers at 64 x 44: a leaning trunk over a stride that opens and closes.
    fn walkers() -> Batch {
        let pixel = |clip: usize, frame: usize, row: usize, column: usize| {
            let (person, phase) = (clip / 2, frame as f32 + 3.0 * (clip % 2) as f32);
            let swing = (phase * 0.7).sin() * (row as f32 / 64.0) * (6.0 + 3.0 * person as f32);
            let centre = 22.0 + 0.05 * (person as f32 + 1.0) * (32.0 - row as f32);
            let beside = (column as f32 - centre).abs() - swing.abs();
            let inside = beside.abs() < 3.0 + (row * (person + 2) % 7) as f32;
            if inside { 255 } else { 0 }
        };
        let clip =
            |clip| (0..FRAMES * 64 * 44).map(move |i| pixel(clip, i / 2816, i / 44 % 64, i % 44));
        let (height, width) = (64, 44);
        let subjects = vec![0, 0, 1, 1];
        Batch { subjects, frames: FRAMES, height, width, pixels: (0..4).flat_map(clip).collect() }
    }

    struct Double;

    impl ModuleMapper for Double {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.map(|value| value.cast(DType::F64))
        }
    }

    /// Largest difference of the embeddings of a network of a preset from those of the same network
    /// in float64, where every convolution runs by plain Burn operations, relative to the largest
    /// value; and the algorithms of its convolutions.
    fn error(preset: &str, channels: [usize; 3], steps: usize) -> (f64, Vec<Algorithm>) {
        let mut settings = Settings::preset(preset).unwrap();
        settings.model.channels = channels.to_vec();
        settings.train.learning_rate = 1e-3;
        let people = vec!["a".into(), "b".into()];
        let mut trainer = Trainer::new(settings, people, &crate::cpu()).unwrap();
        let batch = walkers();
        let reports: Vec<_> = (0..steps).map(|_| trainer.step(&batch).unwrap()).collect();
        println!("{preset}: loss {} to {}", reports[0].loss, reports[steps - 1].loss);

        let evaluator = trainer.evaluator(Precision::F32);
        let mut exact = evaluator.clone();
        exact.net = exact.net.map(&mut Double);
        exact.draws.iter_mut().for_each(|draw| draw.body = None);
        assert!(evaluator.draws.iter().all(|draw| draw.body.is_some()));
        let pixels = gait_data::bytes_to_unit(&batch.pixels);
        let clips = TensorData::new(pixels, [4, 1, FRAMES, 64, 44]);
        let clips = Tensor::<5>::from_data(clips, &crate::cpu());
        let want = exact.embed(clips.clone().cast(DType::F64)).unwrap();
        assert_eq!(want.dtype(), DType::F64);
        let got = evaluator.embed(clips).unwrap().cast(DType::F64);
        let largest = |x: Tensor<3>| x.abs().max().into_scalar::<f64>();
        let plans = plan::layers(&evaluator.net.settings);
        let algorithm = |plan| problem(plan, None).map(|problem| Algorithm::for_problem(&problem));
        let algorithms = plans.iter().filter_map(algorithm).collect();
        (largest(got - want.clone()) / largest(want), algorithms)
    }

    /// The kernels by themselves are checked in gait-kernels; here are all layers one after the other.
    #[test]
    fn embeddings_by_winograd_are_those_of_plain_convolutions() {
        let pair = Algorithm::WinogradPair;
        for (preset, lta) in
            [("paper-small", Algorithm::Winograd), ("parts-small", Algorithm::Pixels)]
        {
            let (error, algorithms) = error(preset, [16, 24, 32], 20);
            println!("{preset}: {error:.1e}");
            assert_eq!(algorithms, [Algorithm::Pixels, lta, pair, pair, pair], "{preset}");
            assert!(error < 1e-4, "{preset}: {error:e}");
        }
    }

    #[test]
    fn mirrored_embeddings_are_those_of_the_clip_and_of_its_mirror_image() {
        let mut settings = presets::model("paper-small").unwrap();
        settings.channels = vec![3, 4, 5];
        let net = |settings: &ModelSettings| {
            GaitGl::new(settings, 6, 1, &crate::cpu()).unwrap().evaluator(Precision::F32)
        };
        let plain = net(&settings);
        settings.mirrored = true;
        let mirrored = net(&settings);
        assert_eq!((plain.embedding_shape(), mirrored.embedding_shape()), ([5, 64], [10, 64]));
        let pixels = gait_data::bytes_to_unit(&walkers().pixels);
        let clips = TensorData::new(pixels, [4, 1, FRAMES, 64, 44]);
        let clips = Tensor::<5>::from_data(clips, &crate::cpu());
        let halves = mirrored.embed(clips.clone()).unwrap().split(5, 1);
        let turned = mirrored.embed(clips.clone().flip([4])).unwrap().split(5, 1);
        let want = plain.embed(clips).unwrap();
        let equal = |a: &Tensor<3>, b: &Tensor<3>| a.to_data().assert_eq(&b.to_data(), true);
        equal(&halves[0], &want);
        equal(&halves[1], &turned[0]);
        equal(&halves[0], &turned[1]);
        assert_ne!(halves[0].to_data(), halves[1].to_data());
    }

    /// Of each strip of each embedding.
    fn cosines(a: Tensor<3>, b: Tensor<3>) -> Vec<f32> {
        let dot = |a: Tensor<3>, b: Tensor<3>| (a * b).sum_dim(1);
        let lengths = (dot(a.clone(), a.clone()) * dot(b.clone(), b.clone())).sqrt();
        (dot(a, b) / lengths).into_data().try_into_vec().unwrap()
    }

    #[test]
    fn embeddings_in_bf16_point_where_those_in_f32_do() {
        for preset in presets::NAMES {
            let mut settings = Settings::preset(preset).unwrap();
            settings.model.channels.iter_mut().for_each(|channels| *channels /= 8);
            settings.train.learning_rate = 1e-3;
            let people = vec!["a".into(), "b".into()];
            let mut trainer = Trainer::new(settings, people, &crate::cpu()).unwrap();
            let batch = walkers();
            for _ in 0..10 {
                trainer.step(&batch).unwrap();
            }
            let pixels = gait_data::bytes_to_unit(&batch.pixels);
            let clips = TensorData::new(pixels, [4, 1, FRAMES, 64, 44]);
            let clips = Tensor::<5>::from_data(clips, &crate::cpu());
            let half = trainer.evaluator(Precision::Bf16);
            assert!(half.draws.iter().all(|draw| draw.body.is_some()), "{preset}");
            let got = half.embed(clips.clone()).unwrap();
            let want = trainer.evaluator(Precision::F32).embed(clips).unwrap();
            let worst = cosines(got, want).into_iter().fold(1.0, f32::min);
            println!("{preset}: {worst}");
            assert!(worst > 0.999, "{preset}: cosine {worst}");
            assert!(worst < 1.0, "{preset}: bf16 was not used");
        }
    }
}
