//! Convolutions and products whose operands are rounded to bf16 and whose sums are f32.

mod block;
mod convolution;
mod fold;
mod frames;
mod gradient;
mod layer;
mod layout;
mod plain;
mod prepared;
mod product;
mod restriction;
mod steps;
mod unit;
mod weights;

pub(crate) use frames::{Frames, Order};
pub(crate) use layer::Backward;
pub(crate) use layer::{backward as backward_layer, forward as forward_layer, signs_len};
pub(crate) use layout::Layout;
pub(crate) use plain::{backward_data, backward_weight, forward, rows};
pub(crate) use prepared::PreparedBranches;
pub use product::{BLOCK, place, product, round, widen};
pub use unit::Bf16Unit;
