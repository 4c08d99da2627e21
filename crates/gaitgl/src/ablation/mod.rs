//! Ablations: tables of networks that differ in a few settings.
//!
//! A [`Sweep`] says which settings are compared. Each of its [`Job`]s needs the network of a
//! [`Training`], which is trained once and reused. A [`ResultTable`] sets the figures side by side.

mod error;
mod intervals;
mod job;
mod sweep;
mod table;
mod training;

pub use error::{AblationError, RowFault, SweepFault};
pub use job::{Job, TrainingProgress, finished};
pub use sweep::{Curves, FigureSource, Sweep, SweepRow};
pub use table::{Figure, ResultTable, Run, Score};
pub use training::Training;
