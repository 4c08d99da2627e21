//! The network, its losses and its training against golden values of PyTorch, which
//! `reference/export.py` and `reference/export_training.py` write.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic and say its figures"
)]

mod fixture;
mod layers;
mod losses;
mod names;
mod networks;
mod training;
