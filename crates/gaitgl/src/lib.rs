//! The GaitGL network, its losses, training and checkpoints.

pub mod ablation;
pub mod checkpoint;
pub mod device;
pub mod embed;
pub mod exchange;
pub mod loss;
pub mod mask;
pub mod net;
pub mod region_conv3d;
pub mod run;
pub mod settings;
pub mod train;
pub mod weights;

pub use device::cpu;
