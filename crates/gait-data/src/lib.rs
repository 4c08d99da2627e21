//! gait-data
