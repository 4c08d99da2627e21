//! The leaky ReLU of two branches, their sum, and the way back, over plain slices.

use crate::Isa;
use crate::simd::{Simd, dispatch};

/// One byte for each value of a map: this bit says that the branch was positive.
pub(crate) fn bit(branch: usize) -> u8 {
    1 << branch
}

/// Two branches to activate and add.
pub(crate) struct Sum<'a> {
    pub global: &'a [f32],
    pub local: &'a [f32],
    pub sum: &'a mut [f32],
    pub signs: &'a mut [u8],
    pub slope: f32,
}

/// One branch to activate in place.
pub(crate) struct Each<'a> {
    pub values: &'a mut [f32],
    /// Gains the branch's bit; the first branch also clears the other one's.
    pub signs: &'a mut [u8],
    pub branch: usize,
    pub slope: f32,
}

/// The gradient of one branch before its activation.
pub(crate) struct Gradient<'a> {
    pub grad: &'a [f32],
    pub signs: &'a [u8],
    pub branch: usize,
    pub slope: f32,
    pub to: &'a mut [f32],
}

/// `sum = leaky(global) + leaky(local)`, and which of both were positive.
pub(crate) fn add(isa: Isa, mut call: Sum) {
    // SAFETY: the instruction set is this machine's.
    unsafe { add_on(isa, &mut call) }
}

/// `values = leaky(values)`, and which were positive.
pub(crate) fn each(isa: Isa, mut call: Each) {
    // SAFETY: the instruction set is this machine's.
    unsafe { each_on(isa, &mut call) }
}

/// `to = grad` where the branch was positive, `slope * grad` elsewhere.
pub(crate) fn gradient(isa: Isa, mut call: Gradient) {
    // SAFETY: the instruction set is this machine's.
    unsafe { gradient_on(isa, &mut call) }
}

dispatch!(
    /// See [`add`].
    add_on, add_any, &mut Sum<'_>, add_avx512, add_avx2
);
dispatch!(
    /// See [`each`].
    each_on, each_any, &mut Each<'_>, each_avx512, each_avx2
);
dispatch!(
    /// See [`gradient`].
    gradient_on, gradient_any, &mut Gradient<'_>, gradient_avx512, gradient_avx2
);

#[inline(always)]
unsafe fn add_any<S: Simd>(call: &mut Sum) {
    let slope = call.slope;
    let inputs = call.global.iter().zip(call.local);
    for ((&g, &l), (sum, sign)) in inputs.zip(call.sum.iter_mut().zip(call.signs.iter_mut())) {
        *sign = u8::from(g > 0.0) | u8::from(l > 0.0) << 1;
        *sum = g.max(slope * g) + l.max(slope * l);
    }
}

#[inline(always)]
unsafe fn each_any<S: Simd>(call: &mut Each) {
    let (slope, branch) = (call.slope, call.branch);
    let kept = if branch == 0 { 0 } else { bit(0) };
    for (value, sign) in call.values.iter_mut().zip(call.signs.iter_mut()) {
        *sign = *sign & kept | u8::from(*value > 0.0) << branch;
        *value = value.max(slope * *value);
    }
}

#[inline(always)]
unsafe fn gradient_any<S: Simd>(call: &mut Gradient) {
    let (slope, bit) = (call.slope, bit(call.branch));
    for ((to, &grad), &sign) in call.to.iter_mut().zip(call.grad).zip(call.signs) {
        *to = if sign & bit == 0 { slope * grad } else { grad };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signs_lead_the_gradient_back_through_each_branch() {
        let (global, local) = ([1.0, -1.0, 2.0, -2.0], [3.0, 4.0, -5.0, -6.0]);
        for isa in Isa::available() {
            let (mut sum, mut signs) = ([0.0; 4], [9; 4]);
            add(
                isa,
                Sum {
                    global: &global,
                    local: &local,
                    sum: &mut sum,
                    signs: &mut signs,
                    slope: 0.5,
                },
            );
            assert_eq!(sum, [4.0, 3.5, -0.5, -4.0]);
            let mut separate = [7; 4];
            for (branch, mut values) in [global, local].into_iter().enumerate() {
                each(isa, Each { values: &mut values, signs: &mut separate, branch, slope: 0.5 });
                let mut to = [0.0; 4];
                gradient(
                    isa,
                    Gradient { grad: &[10.0; 4], signs: &signs, branch, slope: 0.5, to: &mut to },
                );
                assert_eq!(to, [[10.0, 5.0, 10.0, 5.0], [10.0, 10.0, 5.0, 5.0]][branch]);
            }
            assert_eq!(separate, signs);
        }
    }
}
