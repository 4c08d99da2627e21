//! CPU kernels of the region-restricted 3-D convolution: forward and both gradients.
//!
//! ```text
//! y[q] = sum over taps d of weight[d] * x[q + d]   where label[q + d] == label[q]
//! ```
//!
//! Everything the network calls local is this with another label map: one region is the plain
//! convolution, rows cut in bands are Eqn. 5 of the paper, a pair of complementary masks is two
//! regions. [`mod@reference`] states the same as plain loops and is the definition; the fast paths
//! are tested against it.
//!
//! What is here, from the outside in:
//!
//! - [`RegionConv3d`]: one convolution, its output and both gradients;
//! - [`GlobalLocal`]: a global-local layer for training, what the gradients need kept as signs;
//! - [`PreparedLayer`]: a layer for inference, weights transformed once, activation fused; without
//!   regions both branches share one transformed input;
//! - [`Path`]: which of the paths below serves a shape, with its own test over all presets;
//! - `winograd`: 4x4 tiles over rows and columns, pairs of frames or a plain sum over time;
//! - `pixels`: vectors over pixels, for the first layer and 3x1x1 kernels;
//! - `direct`: tap by tap, right for every shape;
//! - `micro`, `outer`, `layout`, `simd`: products of small blocks, transposition, instructions.
//!
//! Activations are `[n, c, t, h, w]` outside and channel-last inside, one sequence at a time, with
//! a zero pixel after each frame and a zero frame after the last: taps that are switched off read
//! those, so label maps cost no branches. Work is cut into parts that do not depend on the number
//! of threads, and every sum has one fixed order: results are the same to the bit for any number
//! of threads.
//!
//! All `unsafe` code of the workspace is here, but for one line each in gait-data and gaitgl: vector
//! instructions are chosen at run time ([`Isa`]), and micro-kernels work on raw pointers. Slices of wrong length are a
//! caller's mistake and panic with a message; shapes that come from a user are checked before
//! they reach this crate.

#![allow(unsafe_code)]

mod activation;
mod buffer;
mod direct;
mod geometry;
mod global_local;
mod layout;
mod micro;
mod outer;
mod panels;
mod path;
mod pixels;
mod prepared;
mod problem;
pub mod reference;
mod simd;
mod winograd;

pub use buffer::zeros;
pub use global_local::{GlobalLocal, GlobalLocalGradients, Signs};
pub use path::Path;
pub use prepared::{Branches, PreparedLayer};
pub use problem::RegionConv3d;
pub use simd::Isa;
