//! The vector instructions that the kernels are written in, and which of them this machine has.
//!
//! Safety rests on tokens. A value of type `Avx2` (and so on) is made only by detection, in this
//! module, and proves that the machine has those instructions. [`Isa`] holds one such token, so
//! every function that takes an [`Isa`] may enter code compiled for it.
//!
//! # Why not pulp
//!
//! gait-eval uses the crate pulp: its loops run over contiguous slices, and pulp keeps that crate
//! free of `unsafe`. The kernels here need what pulp's generic trait does not offer: unchecked loads
//! and stores at computed addresses, prefetching, a transposed square, and panels as wide as the
//! register file of each instruction set allows. They need no more than AVX-512 F where pulp asks
//! for four extensions more. Without vector instructions pulp works on one value at a time;
//! [`Portable`] keeps eight lanes, which the compiler maps to whatever the target has.

#[cfg(target_arch = "aarch64")]
mod arm;
mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::fmt;
use std::sync::OnceLock;

#[cfg(target_arch = "aarch64")]
pub(crate) use arm::Neon;
pub(crate) use portable::Portable;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Avx2, Avx512};

/// An instruction set that this machine has: AVX-512 F, AVX2 with FMA, NEON, or plain Rust without
/// vector instructions. Results of two sets agree within rounding.
///
/// Only detection makes one ([`Isa::best`], [`Isa::available`]), so none can be made that the
/// machine lacks:
///
/// ```compile_fail,E0451
/// let unsupported = gait_kernels::Isa { set: todo!() };
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Isa {
    set: Set,
}

/// The token of an instruction set. Each is made by its `detect` alone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Set {
    /// x86-64 with AVX-512 F.
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
    /// x86-64 with AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    /// 64-bit Arm.
    #[cfg(target_arch = "aarch64")]
    Neon(Neon),
    /// Any processor.
    Portable(Portable),
}

impl Isa {
    /// The fastest instruction set of this machine; detected once.
    pub fn best() -> Self {
        static BEST: OnceLock<Isa> = OnceLock::new();
        *BEST.get_or_init(|| Self::available()[0])
    }

    /// Every instruction set of this machine, the fastest first.
    pub fn available() -> Vec<Self> {
        let detected = [
            #[cfg(target_arch = "x86_64")]
            Avx512::detect().map(Set::Avx512),
            #[cfg(target_arch = "x86_64")]
            Avx2::detect().map(Set::Avx2),
            #[cfg(target_arch = "aarch64")]
            Neon::detect().map(Set::Neon),
            Some(Set::Portable(Portable)),
        ];
        detected.into_iter().flatten().map(|set| Self { set }).collect()
    }

    /// Plain Rust without vector instructions.
    pub(crate) fn portable() -> Self {
        Self { set: Set::Portable(Portable) }
    }

    /// The token, for [`dispatch`].
    pub(crate) fn set(self) -> Set {
        self.set
    }

    /// f32 lanes of one vector.
    pub(crate) fn lanes(self) -> usize {
        match self.set {
            #[cfg(target_arch = "x86_64")]
            Set::Avx512(_) => Avx512::LANES,
            #[cfg(target_arch = "x86_64")]
            Set::Avx2(_) => Avx2::LANES,
            #[cfg(target_arch = "aarch64")]
            Set::Neon(_) => Neon::LANES,
            Set::Portable(_) => Portable::LANES,
        }
    }

    /// Vectors of output channels that one micro-kernel call produces: as many as the register
    /// file holds beside the accumulators of six rows, which is 4 with 32 registers and 2 with 16.
    pub(crate) fn panel_vectors(self) -> usize {
        match self.set {
            #[cfg(target_arch = "x86_64")]
            Set::Avx512(_) => 4,
            #[cfg(target_arch = "x86_64")]
            Set::Avx2(_) => 2,
            #[cfg(target_arch = "aarch64")]
            Set::Neon(_) => 4,
            Set::Portable(_) => 2,
        }
    }
}

impl fmt::Debug for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.set {
            #[cfg(target_arch = "x86_64")]
            Set::Avx512(_) => "Avx512",
            #[cfg(target_arch = "x86_64")]
            Set::Avx2(_) => "Avx2",
            #[cfg(target_arch = "aarch64")]
            Set::Neon(_) => "Neon",
            Set::Portable(_) => "Portable",
        })
    }
}

/// Rows and columns of the square that [`Simd::transpose_square`] transposes.
pub(crate) const SQUARE: usize = 8;

/// The operations of one instruction set, on the token that proves the machine has it.
///
/// Every method is inlined into a function that enables the set's target features; [`dispatch`]
/// writes those functions. Elsewhere the methods are correct but slow.
pub(crate) trait Simd: Copy {
    const LANES: usize;
    type V: Copy;
    fn zero(self) -> Self::V;
    fn splat(self, value: f32) -> Self::V;
    /// Reads `LANES` values at any alignment.
    ///
    /// # Safety
    /// `LANES` values are readable at `from`.
    unsafe fn load(self, from: *const f32) -> Self::V;
    /// Writes `LANES` values at any alignment.
    ///
    /// # Safety
    /// `LANES` values are writable at `to`.
    unsafe fn store(self, to: *mut f32, value: Self::V);
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`, fused where the instruction set can.
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The bf16 number in the lower 16 bits of each lane, as f32.
    fn lower_half(self, pairs: Self::V) -> Self::V;
    /// The bf16 number in the upper 16 bits of each lane, as f32.
    fn upper_half(self, pairs: Self::V) -> Self::V;
    /// Requests the cache line at `line` for the second-level cache. The address may be invalid.
    #[inline(always)]
    fn prefetch(self, _line: *const f32) {}
    /// Transposes a square of [`SQUARE`] rows: `to[j * to_step + i] = from[i * from_step + j]`.
    ///
    /// # Safety
    /// [`SQUARE`] values are readable at each row of `from` and writable at each row of `to`.
    unsafe fn transpose_square(
        self,
        from: *const f32,
        from_step: usize,
        to: *mut f32,
        to_step: usize,
    );
}

/// Implements [`Simd`] for a token by the intrinsics of its instruction set.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! simd {
    ($token:ty {
        lanes: $lanes:literal, vector: $v:ty, zero: $zero:expr, splat: $splat:ident,
        load: $load:ident, store: $store:ident, add: $add:ident, sub: $sub:ident,
        mul: $mul:ident, max: $max:ident, mul_add: |$a:ident, $b:ident, $c:ident| $fma:expr,
        lower_half: |$low:ident| $lower_half:expr, upper_half: |$high:ident| $upper_half:expr,
        prefetch: $prefetch:expr, transpose_square: $transpose:ident,
    }) => {
        impl $crate::simd::Simd for $token {
            const LANES: usize = $lanes;
            type V = $v;
            #[inline(always)]
            fn zero(self) -> $v {
                // SAFETY: `self` proves that the machine has the instruction.
                unsafe { $zero }
            }
            #[inline(always)]
            fn splat(self, value: f32) -> $v {
                // SAFETY: `self` proves that the machine has the instruction.
                unsafe { $splat(value) }
            }
            #[inline(always)]
            unsafe fn load(self, from: *const f32) -> $v {
                // SAFETY: `self` proves that the machine has the instruction, which asks for no
                // alignment; the caller guarantees `LANES` readable values.
                unsafe { $load(from) }
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut f32, value: $v) {
                // SAFETY: `self` proves that the machine has the instruction, which asks for no
                // alignment; the caller guarantees `LANES` writable values.
                unsafe { $store(to, value) }
            }
            #[inline(always)]
            fn add(self, a: $v, b: $v) -> $v {
                // SAFETY: `self` proves that the machine has the instruction.
                unsafe { $add(a, b) }
            }
            #[inline(always)]
            fn sub(self, a: $v, b: $v) -> $v {
                // SAFETY: `self` proves that the machine has the instruction.
                unsafe { $sub(a, b) }
            }
            #[inline(always)]
            fn mul(self, a: $v, b: $v) -> $v {
                // SAFETY: `self` proves that the machine has the instruction.
                unsafe { $mul(a, b) }
            }
            #[inline(always)]
            fn max(self, a: $v, b: $v) -> $v {
                // SAFETY: `self` proves that the machine has the instruction.
                unsafe { $max(a, b) }
            }
            #[inline(always)]
            fn mul_add(self, $a: $v, $b: $v, $c: $v) -> $v {
                // SAFETY: `self` proves that the machine has the instruction.
                unsafe { $fma }
            }
            #[inline(always)]
            fn lower_half(self, $low: $v) -> $v {
                // SAFETY: `self` proves that the machine has the instructions.
                unsafe { $lower_half }
            }
            #[inline(always)]
            fn upper_half(self, $high: $v) -> $v {
                // SAFETY: `self` proves that the machine has the instructions.
                unsafe { $upper_half }
            }
            #[inline(always)]
            fn prefetch(self, line: *const f32) {
                // SAFETY: a prefetch is a hint; it neither accesses memory nor faults, whatever the
                // address.
                unsafe { $prefetch(line.cast()) }
            }
            #[inline(always)]
            unsafe fn transpose_square(
                self,
                from: *const f32,
                from_step: usize,
                to: *mut f32,
                to_step: usize,
            ) {
                // SAFETY: `self` proves that the machine has the instructions; the caller
                // guarantees the rows on both sides.
                unsafe { $transpose(from, from_step, to, to_step) }
            }
        }
    };
}
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(crate) use simd;

/// Compiles a generic kernel `body(token, call)` for every instruction set and writes the function
/// that chooses among them. The token of the chosen set goes to the body.
///
/// A body that works on slices alone gives a safe function; one that works on the pointers of its
/// call is declared `unsafe fn`. Calls that do little work go by reference: by value each is copied
/// on its way, which cost the gradient of the first layer 5%.
macro_rules! dispatch {
    ($(#[$doc:meta])* fn $name:ident($call:ty) => $body:ident) => {
        $(#[$doc])*
        pub(crate) fn $name(isa: $crate::simd::Isa, call: $call) {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx2,fma")]
            fn avx512(simd: $crate::simd::Avx512, call: $call) {
                $body(simd, call);
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2(simd: $crate::simd::Avx2, call: $call) {
                $body(simd, call);
            }
            match isa.set() {
                #[cfg(target_arch = "x86_64")]
                // SAFETY: the token exists only where AVX-512 F, AVX2 and FMA were detected.
                $crate::simd::Set::Avx512(simd) => unsafe { avx512(simd, call) },
                #[cfg(target_arch = "x86_64")]
                // SAFETY: the token exists only where AVX2 and FMA were detected.
                $crate::simd::Set::Avx2(simd) => unsafe { avx2(simd, call) },
                #[cfg(target_arch = "aarch64")]
                $crate::simd::Set::Neon(simd) => $body(simd, call),
                $crate::simd::Set::Portable(simd) => $body(simd, call),
            }
        }
    };
    ($(#[$doc:meta])* unsafe fn $name:ident($call:ty) => $body:ident) => {
        $(#[$doc])*
        ///
        /// # Safety
        /// Every pointer of `call` is valid for what its type states.
        pub(crate) unsafe fn $name(isa: $crate::simd::Isa, call: $call) {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx2,fma")]
            unsafe fn avx512(simd: $crate::simd::Avx512, call: $call) {
                // SAFETY: the caller of the enclosing function guarantees the pointers of `call`.
                unsafe { $body(simd, call) }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            unsafe fn avx2(simd: $crate::simd::Avx2, call: $call) {
                // SAFETY: the caller of the enclosing function guarantees the pointers of `call`.
                unsafe { $body(simd, call) }
            }
            match isa.set() {
                #[cfg(target_arch = "x86_64")]
                // SAFETY: the token exists only where AVX-512 F, AVX2 and FMA were detected; the
                // caller guarantees the pointers.
                $crate::simd::Set::Avx512(simd) => unsafe { avx512(simd, call) },
                #[cfg(target_arch = "x86_64")]
                // SAFETY: the token exists only where AVX2 and FMA were detected; the caller
                // guarantees the pointers.
                $crate::simd::Set::Avx2(simd) => unsafe { avx2(simd, call) },
                #[cfg(target_arch = "aarch64")]
                // SAFETY: the caller guarantees the pointers.
                $crate::simd::Set::Neon(simd) => unsafe { $body(simd, call) },
                // SAFETY: the caller guarantees the pointers.
                $crate::simd::Set::Portable(simd) => unsafe { $body(simd, call) },
            }
        }
    };
}
pub(crate) use dispatch;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_set_is_the_first_available_and_every_machine_has_the_portable_one() {
        let sets = Isa::available();
        assert_eq!(sets[0], Isa::best());
        assert_eq!(format!("{:?}", sets[sets.len() - 1]), "Portable");
        // Without a repetition: the sets differ.
        assert!(sets.iter().enumerate().all(|(i, set)| !sets[..i].contains(set)));
    }
}
