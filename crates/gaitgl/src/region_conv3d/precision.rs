//! Half precision: only the convolutions run in it.

use burn::tensor::{Device, FloatDType, Tensor};
use gait_kernels::bf16::Bf16Unit;

use super::Operands;
use crate::device::is_cpu;
use crate::settings::Precision;

impl Precision {
    /// Runs `convolve` in this precision. The kernels of the CPU round operands to bf16 themselves;
    /// else the tensors are cast, and the result is cast back to f32. The gradients pass the same
    /// casts in reverse, so that f32 tensors get f32 gradients.
    pub(crate) fn around<const N: usize>(
        self,
        tensors: [Tensor<5>; N],
        convolve: impl FnOnce([Tensor<5>; N], Operands) -> Tensor<5>,
    ) -> Tensor<5> {
        if self == Self::Bf16 && tensors.iter().all(|t| is_cpu(&t.device())) {
            return convolve(tensors, Operands::Bf16);
        }
        match self.half() {
            None => convolve(tensors, Operands::F32),
            Some(half) => {
                convolve(tensors.map(|t| t.cast(half)), Operands::F32).cast(FloatDType::F32)
            }
        }
    }

    /// The faster one of f32 and bf16 for embeddings on a device: bf16 on a processor with a unit for
    /// it, otherwise f32.
    pub fn fastest_on(device: &Device) -> Self {
        if is_cpu(device) && Bf16Unit::best().pays() { Self::Bf16 } else { Self::F32 }
    }

    /// Whether a device computes in this precision.
    pub(crate) fn runs_on(self, device: &Device) -> bool {
        let by_kernels = self == Self::Bf16 && is_cpu(device);
        by_kernels || self.half().is_none_or(|half| device.supports_dtype(half))
    }

    fn half(self) -> Option<FloatDType> {
        match self {
            Self::F32 => None,
            Self::F16 => Some(FloatDType::F16),
            Self::Bf16 => Some(FloatDType::BF16),
        }
    }
}
