//! The loss of half-precision training is scaled, so that small gradients survive in f16.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use crate::net::GaitGl;
use crate::settings::Precision;

/// Factors of the loss before the gradients are taken, from the one that is tried first. f16 has no
/// values between 0 and 6e-8, where many gradients by feature maps lie; above 65504 it has none
/// either, so the factor is moderate, and smaller ones follow for the step where gradients overflow
/// nevertheless. `torch.amp.GradScaler` skips such a step and keeps the smaller factor; taken again
/// from the first factor each time, a step needs no state but its iteration. bf16 has the range of
/// f32.
pub(super) fn of(precision: Precision) -> &'static [f64] {
    match precision {
        Precision::F16 => &[1024.0, 32.0, 1.0],
        Precision::F32 | Precision::Bf16 => &[1.0],
    }
}

/// The gradients of the loss itself, from those of the scaled one; nothing if one is no number.
pub(super) fn undo(
    gradients: GradientsParams,
    network: &GaitGl,
    scale: f64,
) -> Option<GradientsParams> {
    let mut undo = Undo { gradients, scale, squares: None };
    network.visit(&mut undo);
    // Squares leave f32 beyond 1e19: such a gradient is of no use either.
    let squares = undo.squares.map_or(0.0, Tensor::into_scalar::<f32>);
    squares.is_finite().then_some(undo.gradients)
}

struct Undo {
    gradients: GradientsParams,
    scale: f64,
    /// Of all gradients together: one number that is finite if they are.
    squares: Option<Tensor<1>>,
}

impl ModuleVisitor for Undo {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(scaled) = self.gradients.remove::<D>(param.id) {
            let gradient = scaled / self.scale;
            let squares = gradient.clone().square().sum();
            self.squares = Some(match self.squares.take() {
                Some(sum) => sum + squares,
                None => squares,
            });
            self.gradients.register(param.id, gradient);
        }
    }
}
