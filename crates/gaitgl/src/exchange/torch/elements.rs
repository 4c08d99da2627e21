//! The element types of storages and tensors.

use safetensors::Dtype;

/// What a storage holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Elements {
    /// Floating-point numbers.
    Floats(Floats),
    /// Whole numbers or truth values of so many bytes.
    Whole(usize),
}

/// Floating-point numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Floats {
    /// float32
    Float32,
    /// float64
    Float64,
    /// float16
    Float16,
    /// bfloat16
    Bfloat16,
}

impl Elements {
    /// The elements of a storage class of `torch`; `None` for an unknown one.
    pub fn from_storage(name: &str) -> Option<Self> {
        Some(match name {
            "FloatStorage" => Self::Floats(Floats::Float32),
            "DoubleStorage" => Self::Floats(Floats::Float64),
            "HalfStorage" => Self::Floats(Floats::Float16),
            "BFloat16Storage" => Self::Floats(Floats::Bfloat16),
            "LongStorage" => Self::Whole(8),
            "IntStorage" => Self::Whole(4),
            "ShortStorage" => Self::Whole(2),
            "CharStorage" | "ByteStorage" | "BoolStorage" => Self::Whole(1),
            _ => return None,
        })
    }

    /// The elements of a safetensors type; `None` for one that no state dict has.
    pub fn from_dtype(dtype: Dtype) -> Option<Self> {
        Some(match dtype {
            Dtype::F32 => Self::Floats(Floats::Float32),
            Dtype::F64 => Self::Floats(Floats::Float64),
            Dtype::F16 => Self::Floats(Floats::Float16),
            Dtype::BF16 => Self::Floats(Floats::Bfloat16),
            Dtype::I64 | Dtype::U64 => Self::Whole(8),
            Dtype::I32 | Dtype::U32 => Self::Whole(4),
            Dtype::I16 | Dtype::U16 => Self::Whole(2),
            Dtype::I8 | Dtype::U8 | Dtype::BOOL => Self::Whole(1),
            _ => return None,
        })
    }

    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            Self::Floats(Floats::Float32) => 4,
            Self::Floats(Floats::Float64) => 8,
            Self::Floats(Floats::Float16 | Floats::Bfloat16) => 2,
            Self::Whole(size) => size,
        }
    }

    /// What they are, in the plural, for errors.
    pub fn name(self) -> &'static str {
        match self {
            Self::Floats(_) => "floating-point numbers",
            Self::Whole(1) => "bytes",
            Self::Whole(_) => "integers",
        }
    }
}

impl Floats {
    /// The numbers of a storage as f32, each rounded to the nearest. A double beyond f32 becomes
    /// infinite.
    pub fn read(self, bytes: &[u8], big_endian: bool) -> Vec<f32> {
        let half = |b: [u8; 2]| float16(u16::from_le_bytes(b));
        let brain = |b: [u8; 2]| f32::from_bits(u32::from(u16::from_le_bytes(b)) << 16);
        match self {
            Self::Float32 => convert(bytes, big_endian, f32::from_le_bytes),
            Self::Float64 => convert(bytes, big_endian, |b| f64::from_le_bytes(b) as f32),
            Self::Float16 => convert(bytes, big_endian, half),
            Self::Bfloat16 => convert(bytes, big_endian, brain),
        }
    }
}

fn convert<const N: usize>(
    bytes: &[u8],
    big_endian: bool,
    one: impl Fn([u8; N]) -> f32,
) -> Vec<f32> {
    let (words, _) = bytes.as_chunks::<N>();
    let word = |word: &[u8; N]| {
        let mut word = *word;
        if big_endian {
            word.reverse();
        }
        one(word)
    };
    words.iter().map(word).collect()
}

/// IEEE 754 half precision: every value is an f32 too.
fn float16(bits: u16) -> f32 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let exponent = (bits >> 10) & 0x1F;
    let fraction = f32::from(bits & 0x3FF);
    match exponent {
        0 => sign * fraction * 2.0f32.powi(-24),
        31 if fraction == 0.0 => sign * f32::INFINITY,
        31 => f32::NAN,
        _ => sign * (1024.0 + fraction) * 2.0f32.powi(i32::from(exponent) - 25),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_floats_keep_their_values() {
        for (bits, want) in [
            (0x3C00, 1.0),
            (0xC000, -2.0),
            (0x7BFF, 65504.0),
            (0x0001, 2.0f32.powi(-24)),
            (0x0400, 2.0f32.powi(-14)),
            (0x3555, 0.333_251_95),
            (0x7C00, f32::INFINITY),
        ] {
            assert_eq!(float16(bits), want, "{bits:#x}");
        }
        assert!(float16(0x7E00).is_nan());
    }

    #[test]
    fn both_byte_orders_are_read() {
        assert_eq!(Floats::Float32.read(&1.5f32.to_be_bytes(), true), [1.5]);
        assert_eq!(Floats::Float64.read(&(-0.25f64).to_le_bytes(), false), [-0.25]);
        assert_eq!(Floats::Bfloat16.read(&[0x3F, 0xC0], true), [1.5]);
    }
}
