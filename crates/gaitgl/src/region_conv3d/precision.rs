//! Half precision: only the convolutions run in it, between two casts.

use burn::tensor::{Device, FloatDType, Tensor};

use crate::settings::Precision;

impl Precision {
    /// Runs `convolve` on the tensors cast to this precision and casts its result back to f32. The
    /// gradients pass the same casts in reverse, so that f32 tensors get f32 gradients.
    pub(crate) fn around<const N: usize>(
        self,
        tensors: [Tensor<5>; N],
        convolve: impl FnOnce([Tensor<5>; N]) -> Tensor<5>,
    ) -> Tensor<5> {
        match self.half() {
            None => convolve(tensors),
            Some(half) => convolve(tensors.map(|t| t.cast(half))).cast(FloatDType::F32),
        }
    }

    /// Whether a device computes in this precision.
    pub(crate) fn runs_on(self, device: &Device) -> bool {
        self.half().is_none_or(|half| device.supports_dtype(half))
    }

    fn half(self) -> Option<FloatDType> {
        match self {
            Self::F32 => None,
            Self::F16 => Some(FloatDType::F16),
            Self::Bf16 => Some(FloatDType::BF16),
        }
    }
}
