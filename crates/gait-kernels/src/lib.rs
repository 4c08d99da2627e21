//! gait-kernels
