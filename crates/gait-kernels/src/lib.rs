//! CPU kernels of the region-restricted 3-D convolution: forward and both gradients.
//!
//! ```text
//! y[q] = sum over taps d of weight[d] * x[q + d]   where label[q + d] == label[q]
//! ```
//!
//! Everything the network calls local is this with another label map: one region is the plain
//! convolution, rows cut in bands are Eqn. 5 of the paper, a pair of complementary masks is two
//! regions. [`reference`] states the same as plain loops and is the definition; the fast paths
//! are tested against it.
//!
//! This is the only crate of the workspace with `unsafe` code: vector instructions are chosen at
//! run time ([`Isa`]), and micro-kernels work on raw pointers. Slices of wrong length are a
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

pub use global_local::{GlobalLocal, GlobalLocalGradients, Signs};
pub use path::Path;
pub use prepared::{Branches, PreparedLayer};
pub use problem::RegionConv3d;
pub use simd::Isa;
