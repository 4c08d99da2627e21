//! The loss of half-precision training is scaled, so that small gradients survive in f16.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use crate::net::GaitGl;
use crate::settings::Precision;

/// Factor of the loss before the gradients are taken. f16 has no values between 0 and 6e-8, where
/// many gradients by feature maps lie; above 65504 it has none either, so the factor is moderate.
/// bf16 has the range of f32.
pub(super) fn of(precision: Precision) -> f64 {
    match precision {
        Precision::F16 => 1024.0,
        Precision::F32 | Precision::Bf16 => 1.0,
    }
}

/// The gradients of the loss itself, from those of the scaled one.
pub(super) fn undo(gradients: GradientsParams, network: &GaitGl, scale: f64) -> GradientsParams {
    if scale == 1.0 {
        return gradients;
    }
    let mut undo = Undo { gradients, scale };
    network.visit(&mut undo);
    undo.gradients
}

struct Undo {
    gradients: GradientsParams,
    scale: f64,
}

impl ModuleVisitor for Undo {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.remove::<D>(param.id) {
            self.gradients.register(param.id, gradient / self.scale);
        }
    }
}
