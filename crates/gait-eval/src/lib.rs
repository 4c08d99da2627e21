//! gait-eval
