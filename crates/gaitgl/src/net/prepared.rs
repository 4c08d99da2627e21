//! The body of a network for inference on the CPU: weights are transformed once, activation and join
//! of the branches happen where they are computed, and no tensor lies in between.

use std::fmt;
use std::ops::Range;

use burn::module::Param;
use burn::tensor::{Tensor, TensorData};
use gait_kernels::{GlobalLocal, Maps, PreparedLayer, RegionConv3d};

use super::GaitGl;
use super::body::{BodyLayer, BodyStep};
use super::error::ModelError;
use super::plan::{LayerKind, LayerPlan};
use super::tensors::values;
use crate::device;
use crate::mask::Regions;
use crate::region_conv3d::{Operands, SLOPE};
use crate::settings::{Precision, Reading};

/// The layers of [`GaitGl::steps`] with transformed weights.
pub(super) struct PreparedBody {
    operations: Vec<Operation>,
}

enum Operation {
    Layer(PreparedLayer),
    SpatialPool,
}

impl fmt::Debug for PreparedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreparedBody").field("layers", &self.operations.len()).finish()
    }
}

impl PreparedBody {
    /// The body of `net` with these regions. `None` on a device other than the CPU, in f16, and where
    /// a layer is more than two convolutions (the reading `activate` with masks).
    ///
    /// # Errors
    /// Too few or too many masks or layers.
    pub fn new(
        net: &GaitGl,
        masks: &[Option<Regions>],
        precision: Precision,
    ) -> Result<Option<Self>, ModelError> {
        let steps = net.steps(masks)?;
        let activated = net.settings.local.reading == Reading::Activate;
        let operands = match precision {
            Precision::F32 => Operands::F32,
            Precision::Bf16 => Operands::Bf16,
            Precision::F16 => return Ok(None),
        };
        let on_cpu = device::is_cpu(&net.head.fc.weight.val().device());
        if !on_cpu || (activated && masks.iter().any(Option::is_some)) {
            return Ok(None);
        }
        let prepared =
            steps.into_iter().map(|BodyStep { plan, layer }| operation(&plan, &layer, operands));
        Ok(prepared.collect::<Option<_>>().map(|operations| Self { operations }))
    }

    /// `[n, 1, t, h, w]` to the final map `[n, c, h, w]`, max over these of its frames (Eqn. 7). The
    /// caller has checked the shape.
    pub fn forward(&self, clips: Tensor<5>, frames: &Range<usize>) -> Tensor<4> {
        let device = clips.device();
        let mut maps = Maps::new(clips.dims(), values(clips));
        // On a thread of the pool: any other would wait and be woken once for each parallel loop.
        let (values, [n, c, _, h, w]) = rayon::scope(|_| {
            for operation in &self.operations {
                maps = match operation {
                    Operation::Layer(layer) => layer.forward(maps),
                    Operation::SpatialPool => maps.pool(),
                };
            }
            let maps = maps.max_over_time(frames);
            let dims = maps.dims();
            (maps.into_values(), dims)
        });
        Tensor::from_data(TensorData::new(values, [n, c, h, w]), &device)
    }
}

fn operation(plan: &LayerPlan, layer: &BodyLayer, operands: Operands) -> Option<Operation> {
    let problem = |regions| {
        let problem = problem(plan, regions)?;
        Some(RegionConv3d { precision: operands, ..problem })
    };
    let prepared = match layer {
        BodyLayer::SpatialPool => return Some(Operation::SpatialPool),
        BodyLayer::Conv(conv) => one(&problem(None)?, &conv.weight),
        BodyLayer::GlobalLocal { layer, regions } => match (&layer.global, &layer.local) {
            (Some(global), Some(local)) => {
                let LayerKind::GlobalLocal(join) = plan.kind else { return None };
                let [global, local] = [global, local].map(|weight| values(weight.val()));
                let layer = GlobalLocal { problem: problem(*regions)?, join, slope: SLOPE };
                layer.prepare(&global, &local)
            }
            (Some(global), None) => one(&problem(None)?, global),
            (None, Some(local)) => one(&problem(*regions)?, local),
            (None, None) => return None,
        },
    };
    Some(Operation::Layer(prepared))
}

fn one(problem: &RegionConv3d, weight: &Param<Tensor<5>>) -> PreparedLayer {
    PreparedLayer::new(problem, &values(weight.val()), SLOPE)
}

/// The convolution of a layer.
pub(super) fn problem<'a>(
    plan: &LayerPlan,
    regions: Option<&'a Regions>,
) -> Option<RegionConv3d<'a>> {
    let kernel = plan.kernel()?;
    let (before, _, temporal_stride) = plan.reach();
    Some(RegionConv3d {
        // A prepared layer takes any number of sequences and frames.
        sequences: 1,
        in_channels: plan.channels_in,
        out_channels: plan.channels_out,
        frames: kernel[0],
        height: plan.height,
        width: plan.width,
        kernel,
        temporal_stride,
        temporal_padding: before,
        precision: Operands::F32,
        labels: regions.map(Regions::labels),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask;
    use crate::net::plan;
    use crate::settings::ModelSettings;
    use crate::settings::presets;
    use gait_kernels::Algorithm;

    /// The kernels cannot know the networks: here the real layers meet the choice of the algorithm, whole
    /// and with the regions of their local branch.
    #[test]
    fn no_layer_of_a_preset_falls_back_to_the_direct_algorithm() {
        for name in presets::NAMES {
            for (height, width) in [(64, 44), (128, 88)] {
                let settings = ModelSettings { height, width, ..presets::model(name).unwrap() };
                let mut frames = 30;
                for (layer, plan) in plan::layers(&settings).into_iter().enumerate() {
                    let want = match plan.kind {
                        LayerKind::SpatialPool => continue,
                        LayerKind::Lta([_, 1, 1], _) => Algorithm::Pixels,
                        LayerKind::Lta(..) => Algorithm::Winograd,
                        _ if plan.channels_in == 1 => Algorithm::Pixels,
                        _ => Algorithm::WinogradPair,
                    };
                    let mut generator = mask::training_generator(1, 0, layer);
                    let drawn =
                        mask::draw(&settings.local, plan.height, plan.width, &mut generator);
                    let cut = matches!(plan.kind, LayerKind::GlobalLocal(_)).then_some(&drawn);
                    for regions in [None, cut] {
                        let problem = RegionConv3d { frames, ..problem(&plan, regions).unwrap() };
                        assert_eq!(
                            Algorithm::for_problem(&problem),
                            want,
                            "{name} {height}x{width} {plan:?}"
                        );
                    }
                    frames = plan.frames_out(frames);
                }
            }
        }
    }
}
