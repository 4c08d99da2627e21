//! The leaky ReLU of two branches, their sum, and the gradients, over plain slices.
//!
//! The bodies have no vector operations of their own: the compiler vectorises the loops for the
//! instruction set that they are compiled for.

use crate::simd::{Simd, dispatch};

/// The bit of a sign byte that is set where the branch was positive: 0 global, 1 local.
pub(crate) fn bit(branch: usize) -> u8 {
    1 << branch
}

/// Two branches to activate and add. All slices have the same length.
pub(crate) struct LeakySum<'a> {
    pub global: &'a [f32],
    pub local: &'a [f32],
    pub sum: &'a mut [f32],
    pub signs: &'a mut [u8],
    pub slope: f32,
}

/// One branch to activate in place. Both slices have the same length.
pub(crate) struct LeakyInPlace<'a> {
    pub values: &'a mut [f32],
    /// Gains the branch's bit; branch 0 also clears the bit of branch 1.
    pub signs: &'a mut [u8],
    pub branch: usize,
    pub slope: f32,
}

/// The gradient of one branch before its activation. All slices have the same length.
pub(crate) struct LeakyGradient<'a> {
    pub grad: &'a [f32],
    pub signs: &'a [u8],
    pub branch: usize,
    pub slope: f32,
    pub to: &'a mut [f32],
}

dispatch!(
    /// `sum = leaky(global) + leaky(local)`, and which of both were positive.
    fn leaky_sum(LeakySum<'_>) => leaky_sum_on
);
dispatch!(
    /// `values = leaky(values)`, and which were positive.
    fn leaky_in_place(LeakyInPlace<'_>) => leaky_in_place_on
);
dispatch!(
    /// `to = grad` where the branch was positive, `slope * grad` elsewhere.
    fn leaky_gradient(LeakyGradient<'_>) => leaky_gradient_on
);

/// Panics if a slice is shorter or longer than the first: `zip` would silently stop early.
#[inline(always)]
fn check_lengths(first: usize, others: &[usize]) {
    assert!(others.iter().all(|&len| len == first), "{others:?} values beside {first}");
}

#[inline(always)]
fn leaky_sum_on<S: Simd>(_: S, call: LeakySum) {
    let LeakySum { global, local, sum, signs, slope } = call;
    check_lengths(sum.len(), &[global.len(), local.len(), signs.len()]);
    let inputs = global.iter().zip(local);
    for ((&g, &l), (sum, sign)) in inputs.zip(sum.iter_mut().zip(signs)) {
        *sign = u8::from(g > 0.0) | u8::from(l > 0.0) << 1;
        *sum = g.max(slope * g) + l.max(slope * l);
    }
}

#[inline(always)]
fn leaky_in_place_on<S: Simd>(_: S, call: LeakyInPlace) {
    let LeakyInPlace { values, signs, branch, slope } = call;
    let kept = if branch == 0 { 0 } else { bit(0) };
    check_lengths(values.len(), &[signs.len()]);
    for (value, sign) in values.iter_mut().zip(signs) {
        *sign = *sign & kept | u8::from(*value > 0.0) << branch;
        *value = value.max(slope * *value);
    }
}

#[inline(always)]
fn leaky_gradient_on<S: Simd>(_: S, call: LeakyGradient) {
    let LeakyGradient { grad, signs, branch, slope, to } = call;
    let bit = bit(branch);
    check_lengths(to.len(), &[grad.len(), signs.len()]);
    for ((to, &grad), &sign) in to.iter_mut().zip(grad).zip(signs) {
        *to = if sign & bit == 0 { slope * grad } else { grad };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Isa;

    #[test]
    fn the_signs_lead_the_gradient_back_through_each_branch() {
        let global = [1.0, -1.0, 2.0, -2.0];
        let local = [3.0, 4.0, -5.0, -6.0];
        let slope = 0.5;
        for isa in Isa::available() {
            let mut sum = [0.0; 4];
            let mut signs = [9; 4];
            let sum_of = LeakySum {
                global: &global,
                local: &local,
                sum: &mut sum,
                signs: &mut signs,
                slope,
            };
            leaky_sum(isa, sum_of);
            assert_eq!(sum, [4.0, 3.5, -0.5, -4.0]);
            let mut separate = [7; 4];
            for (branch, mut values) in [global, local].into_iter().enumerate() {
                let signs_of = &mut separate;
                let call = LeakyInPlace { values: &mut values, signs: signs_of, branch, slope };
                leaky_in_place(isa, call);
                let mut to = [0.0; 4];
                let grad = [10.0; 4];
                let call = LeakyGradient { grad: &grad, signs: &signs, branch, slope, to: &mut to };
                leaky_gradient(isa, call);
                assert_eq!(to, [[10.0, 5.0, 10.0, 5.0], [10.0, 10.0, 5.0, 5.0]][branch]);
            }
            assert_eq!(separate, signs);
        }
    }

    #[test]
    #[should_panic(expected = "[3] values beside 4")]
    fn slices_of_different_lengths_are_refused() {
        let mut values = [1.0; 4];
        let mut signs = [0; 3];
        let call = LeakyInPlace { values: &mut values, signs: &mut signs, branch: 0, slope: 0.5 };
        leaky_in_place(Isa::best(), call);
    }
}
