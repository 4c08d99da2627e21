//! Convolutions whose operands are rounded to bf16 and whose sums are f32.

mod block;
mod unit;

pub use unit::Bf16Unit;
