//! The GaitGL network, its losses, training and checkpoints.

pub mod settings;
