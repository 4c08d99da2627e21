//! The network and its losses against golden values of PyTorch, which `reference/export.py` writes.

mod fixture;
mod layers;
mod losses;
mod networks;
