//! Winograd convolution: F(4x4, 3x3) over rows and columns, and over time F(2, 3) or a plain sum.
//!
//! A tile of 4x4 outputs costs 36 products per pair of channels and temporal tap where the direct
//! algorithm needs 144. Two frames at a time need four temporal products instead of six. Everything
//! runs on channel-last activations: the transforms are vectorised over channels, and the
//! products are matrix products `[tiles, ci] x [ci, co]`, one for each of the 36 points.
//!
//! The transforms are those of Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks"
//! (2015), with the points 0, 1, -1, 2, -2 and infinity.

mod forward;
mod gradient;
mod tiles;
mod transform;
mod weights;

pub(crate) use forward::{Layer, Target, gather};
pub(crate) use gradient::{WeightSums, backward_weight};
pub(crate) use tiles::count as tile_count;
pub(crate) use transform::Finish;
pub(crate) use weights::TransformedWeights;
