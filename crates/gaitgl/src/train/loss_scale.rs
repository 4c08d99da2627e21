//! The loss of half-precision training is scaled, so that small gradients survive in f16.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use crate::net::GaitGl;
use crate::settings::Precision;

/// Factors by which the loss is multiplied before the gradients are computed, in the order in which
/// they are tried. f16 has no values between 0 and 6e-8, where many gradients with respect to
/// feature maps lie. It has none above 65504 either, so the first factor is moderate, and smaller
/// ones follow for steps whose gradients still overflow. `torch.amp.GradScaler` skips such a step
/// and keeps the smaller factor; here every step starts from the first factor, so that it needs no
/// state but its iteration. bf16 has the range of f32.
pub(super) fn scales(precision: Precision) -> &'static [f64] {
    match precision {
        Precision::F16 => &[1024.0, 32.0, 1.0],
        Precision::F32 | Precision::Bf16 => &[1.0],
    }
}

/// The gradients of the unscaled loss, given those of the scaled loss; `None` if one of them is NaN
/// or infinite.
pub(super) fn unscale(
    gradients: GradientsParams,
    network: &GaitGl,
    scale: f64,
) -> Option<GradientsParams> {
    let mut visitor = Unscale { gradients, scale, squares: None };
    network.visit(&mut visitor);
    // A gradient beyond 1e19, whose square overflows f32, is of no use either.
    let squares = visitor.squares.map_or(0.0, Tensor::into_scalar::<f32>);
    squares.is_finite().then_some(visitor.gradients)
}

struct Unscale {
    gradients: GradientsParams,
    scale: f64,
    /// Sum of the squares of all gradients: finite only if they all are.
    squares: Option<Tensor<1>>,
}

impl ModuleVisitor for Unscale {
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
