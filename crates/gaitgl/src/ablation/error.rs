//! Sweeps that cannot be used, and trainings of a sweep that cannot be opened.

use std::path::PathBuf;

use gait_support::{FileError, did_you_mean};

use crate::checkpoint::CheckpointError;
use crate::run::RunError;
use crate::settings::SettingsError;
use crate::train::StartError;

/// A sweep that cannot be used, or one of its trainings that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum AblationError {
    /// The text of a sweep cannot be understood.
    #[error("sweep {sweep}")]
    Sweep {
        /// The sweep's name, or the file that it was read from.
        sweep: String,
        /// What is wrong with it.
        source: SweepFault,
    },
    /// The settings of a row cannot be used.
    #[error("sweep {sweep}, row `{row}`")]
    Row {
        /// The sweep's name.
        sweep: String,
        /// The row's name.
        row: String,
        /// What is wrong with its settings.
        source: Box<SettingsError>,
    },
    /// No sweep has this name.
    #[error(
        "unknown sweep `{name}`{}; known: {}, or a file ending in .toml",
        did_you_mean(.nearest.as_ref()),
        .known.join(", ")
    )]
    Unknown {
        /// The name.
        name: String,
        /// The most similar name, if one is similar.
        nearest: Option<String>,
        /// All names.
        known: Vec<String>,
    },
    /// The file of a sweep cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// Two of the seeds are equal.
    #[error("the seed {0} occurs twice")]
    RepeatedSeed(u64),
    /// The settings cannot be written down.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The folder of a training holds another one.
    #[error("{} holds a run with other settings than its name says", .0.display())]
    OtherSettings(PathBuf),
    /// The folder of a training cannot be used.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The checkpoint of a training cannot be read or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A training cannot be started or resumed.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// What is wrong with the text of a sweep.
#[derive(Debug, thiserror::Error)]
pub enum SweepFault {
    /// It is not TOML, or has an unknown key or a value of the wrong type.
    #[error("line {line}: {message}")]
    Syntax {
        /// The line, counted from 1.
        line: usize,
        /// What the parser says.
        message: String,
    },
    /// The name cannot be part of a file name.
    #[error(
        "name = {0:?} becomes part of file names and may have only letters, digits, -, _ and ."
    )]
    Name(String),
    /// There is no column.
    #[error("columns is empty; it names what distinguishes the rows")]
    NoColumns,
    /// There is no row.
    #[error("it has no rows; each is a table [[row]]")]
    NoRows,
    /// A row has an empty name.
    #[error("a row has an empty name")]
    UnnamedRow,
    /// Two rows have the same name.
    #[error("two rows are named `{0}`")]
    RepeatedRow(String),
    /// A row cannot be used.
    #[error("row `{row}`")]
    Row {
        /// The row's name.
        row: String,
        /// What is wrong with it.
        source: RowFault,
    },
}

/// What is wrong with a row of a sweep.
#[derive(Debug, thiserror::Error)]
pub enum RowFault {
    /// It has more or fewer labels than there are columns.
    #[error("it has {labels} labels for {columns} columns")]
    Labels {
        /// Labels of the row.
        labels: usize,
        /// Columns of the sweep.
        columns: usize,
    },
    /// It sets the preset, which is the base of all rows.
    #[error("a sweep cannot set the preset, which its base chooses")]
    Preset,
    /// It sets the seed, which is chosen for all rows together.
    #[error("a sweep cannot set train.seed, since every row is trained with every seed")]
    Seed,
    /// It has published figures, but the sweep does not say whose.
    #[error("it has published figures, but no [published] table says whose they are")]
    UnknownSource,
    /// A published figure is not a percentage.
    #[error("published.{0} is not a percentage from 0 to 100")]
    Percentage(String),
    /// The sweep draws curves and the row has no place on one.
    #[error("a sweep with plot.x needs series and x in every row")]
    NoPlace,
    /// The row has a place on a curve and the sweep draws none.
    #[error("series and x need plot.x = \"what x is\" in the sweep")]
    NoCurves,
}
