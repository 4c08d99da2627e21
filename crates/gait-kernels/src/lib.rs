//! CPU kernels for the region-restricted 3-D convolution of gait networks: the output and both
//! gradients, on plain `f32` slices, computed in f32 or in bf16.
//!
//! ```text
//! y[q] = sum over taps d of weight[d] * x[q + d]   where label[q + d] == label[q]
//! ```
//!
//! Every local convolution of GaitGL is this one with a suitable label map. A single region is the
//! plain convolution, rows cut into bands are Eqn. 5 of the paper, and a pair of complementary
//! masks is two regions.
//!
//! # Main types
//!
//! - [`RegionConv3d`]: one convolution, its output and both gradients.
//! - [`GlobalLocal`]: a global-local layer, two convolutions activated and combined by a [`Join`],
//!   for training. It keeps one byte per value of the forward pass for the gradients.
//! - [`PreparedLayer`]: one or two convolutions for inference, weights transformed once, activation
//!   fused. [`GlobalLocal::prepare`] makes one of both branches.
//! - [`Algorithm`]: how a convolution is computed; chosen by shape.
//! - [`Isa`]: the vector instructions of this machine; detected.
//! - [`mod@reference`]: the same convolution as plain loops, which defines the results. Every
//!   algorithm is tested against it.
//!
//! # Example
//!
//! One frame of a single row is cut into two regions, and no tap crosses the border between them:
//!
//! ```
//! use gait_kernels::{RegionConv3d, reference};
//!
//! // 1 sequence, 1 channel in and out, 1 frame of 1 row and 4 columns.
//! let plain = RegionConv3d::same(1, 1, 1, [1, 1, 4]);
//! let labels = [0, 0, 1, 1];
//! let regions = RegionConv3d { labels: Some(&labels), ..plain };
//! regions.validate()?;
//!
//! // All 27 taps are 1, so each output is the sum of the neighbours that it may read.
//! let x = [1.0, 2.0, 4.0, 8.0];
//! let weight = [1.0; 27];
//! assert_eq!(plain.forward(&x, &weight), [3.0, 7.0, 14.0, 12.0]);
//! assert_eq!(regions.forward(&x, &weight), [3.0, 3.0, 12.0, 12.0]);
//! assert_eq!(regions.forward(&x, &weight), reference::forward(&regions, &x, &weight));
//!
//! // The gradient with respect to the input, given the one with respect to the output.
//! let grad = [1.0, 0.0, 0.0, 0.0];
//! assert_eq!(regions.backward_data(&weight, &grad), [1.0, 1.0, 0.0, 0.0]);
//! # Ok::<(), gait_kernels::ShapeError>(())
//! ```
//!
//! # Shapes and errors
//!
//! Activations are `[n, c, t, h, w]`: sequences, channels, frames, rows, columns. Weights are
//! `[co, ci, kt, kh, kw]`. All slices are row-major. A slice of the wrong length is a programming
//! error and panics with a message that names it. [`RegionConv3d::validate`] checks a shape that
//! comes from a user.
//!
//! # Threads and reproducibility
//!
//! Work runs on the rayon pool of the calling thread. How it is cut does not depend on the number of
//! threads, and every sum has one fixed order: results are the same to the bit for any number of
//! threads. Outside a pool rayon starts its global one on first use, and panics if the system does
//! not grant the threads. A program that must survive that builds the pool itself beforehand.
//!
//! # How it works
//!
//! - `winograd`: tiles of 4x4 over rows and columns, pairs of frames or a plain sum over time.
//! - `pixels`: vectors over pixels, for the first layer and 3x1x1 kernels.
//! - `direct`: tap by tap, for every shape.
//! - `bf16`: products of blocks of bf16 values, see [`Precision`].
//! - `geometry`: which position each tap reads; `channel_last`: the memory order inside.
//! - `micro`, `outer`, `panels`: products of small blocks in registers.
//! - `simd`: vector instructions, and why this crate has its own layer for them.
//!
//! Inside, activations are channel-last, one sequence at a time, with a zero pixel after each frame
//! and a zero frame after the last one. Taps that are switched off read those, so label maps cost no
//! branches.
//!
//! Almost all `unsafe` code of the workspace is in this crate: micro-kernels work on raw pointers.
//! Instruction sets are tokens that only detection makes, see [`Isa`].

#![allow(unsafe_code)]

mod activation;
mod algorithm;
pub mod bf16;
mod buffer;
mod channel_last;
mod direct;
mod geometry;
mod global_local;
mod join;
mod maps;
mod micro;
mod outer;
mod panels;
pub mod peak;
mod pixels;
mod prepared;
mod problem;
pub mod reference;
mod simd;
mod temporal;
mod winograd;

pub use algorithm::Algorithm;
pub use bf16::Bf16Unit;
pub use buffer::zeros;
pub use global_local::{GlobalLocal, GlobalLocalGradients};
pub use join::Join;
pub use maps::{Maps, higher, pool};
pub use prepared::PreparedLayer;
pub use problem::{Precision, RegionConv3d, ShapeError};
pub use simd::Isa;
