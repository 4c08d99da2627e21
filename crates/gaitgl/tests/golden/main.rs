//! The network, its losses and its training against golden values of PyTorch, which
//! `reference/export.py` and `reference/export_training.py` write.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic and say its figures"
)]

use gaitgl::device::{DeviceChoice, cpu};

mod fixture;
mod layers;
mod losses;
mod names;
mod networks;
#[path = "../../src/device/testing.rs"]
mod testing;
mod training;
