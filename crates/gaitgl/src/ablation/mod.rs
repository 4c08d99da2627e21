//! Ablations: a [`Sweep`] says which settings are compared, a [`Training`] names the network that
//! a row needs, a [`ResultTable`] sets the figures side by side.

mod sweep;
mod table;
mod training;

pub use sweep::{AblationError, Curves, Published, Row, Sweep};
pub use table::{Figure, ResultTable, Run, Score};
pub use training::{Training, test_name};
