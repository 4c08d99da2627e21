//! The network, its losses and its training against golden values of PyTorch, which
//! `reference/export.py` and `reference/export_training.py` write.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod fixture;
mod layers;
mod losses;
mod names;
mod networks;
mod training;
