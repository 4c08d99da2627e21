//! Convolutions and products whose operands are rounded to bf16 and whose sums are f32.

mod block;
mod product;
mod unit;

pub use product::{BLOCK, place, product, round, widen};
pub use unit::Bf16Unit;
