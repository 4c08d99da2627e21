//! Settings of a run: what a configuration file and `--set` can say.

mod model;

pub use model::*;
