//! The network and its losses against golden values of PyTorch, which `reference/export.py` writes.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod fixture;
mod layers;
mod losses;
mod networks;
