//! Convolutions whose operands are rounded to bf16 and whose sums are f32.

mod block;
mod convolution;
mod frames;
mod gradient;
mod plain;
mod restriction;
mod unit;
mod weights;

pub use unit::Bf16Unit;
