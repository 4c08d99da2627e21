//! What the value of a setting must satisfy.

use std::fmt;

/// What the value of a setting must satisfy, in words that complete "`key` = value: ...".
#[derive(Clone, Debug, PartialEq)]
pub enum Requirement {
    /// A whole number in a range, both ends included.
    Between {
        /// The smallest value.
        least: u64,
        /// The largest value.
        most: u64,
    },
    /// A whole number of at least this size.
    AtLeast(u64),
    /// A finite number of 0 or more.
    NotNegative,
    /// A finite number above 0.
    Positive,
    /// A number from 0, included, to 1, excluded.
    BelowOne,
    /// A number between 0 and 1, both excluded.
    InsideUnitInterval,
    /// The batch must hold two subjects.
    TwoSubjects,
    /// The network needs a stage.
    OneStage,
    /// The first stage is the stem, so the network needs another one.
    StageAfterStem,
    /// A list of at most this length.
    AtMostEntries(usize),
    /// A list with one entry for each stage.
    OnePerStage {
        /// The stages, which `model.channels` counts.
        stages: usize,
    },
    /// A whole number from 1 for every stage.
    UpToForEveryStage {
        /// The largest value.
        most: usize,
    },
    /// A kernel of frames x rows x columns, with odd numbers of rows and columns.
    OddKernel {
        /// The largest size along any axis.
        most: usize,
    },
    /// The network must be no larger than this.
    FewerParameters {
        /// Parameters that it would have.
        parameters: f64,
        /// The most parameters.
        most: f64,
    },
    /// The network must not need more frames than this.
    FewerFrames {
        /// Frames that it would need.
        needed: usize,
        /// The most frames.
        most: usize,
    },
    /// Every spatial pooling must halve the rows without a remainder.
    EvenRows {
        /// The pooling that cannot.
        layer: String,
        /// Rows that enter it.
        rows: usize,
    },
    /// Every spatial pooling needs two columns.
    TwoColumns {
        /// The pooling that has fewer.
        layer: String,
    },
    /// Strips divide the rows of the final map; 0 is one strip for each row.
    DividesRows {
        /// Rows of the final map.
        rows: usize,
    },
    /// No more bands than a layer has rows.
    UpToRows {
        /// The layer with too few rows.
        layer: String,
        /// Rows that enter it.
        rows: usize,
    },
    /// A share large enough that a mask takes something of every layer.
    TakesSome {
        /// The layer of which it takes nothing.
        layer: String,
        /// How many rows, columns or pixels enter it.
        length: usize,
        /// What a mask takes of it.
        unit: MaskUnit,
    },
    /// A share small enough that a mask leaves something of every layer.
    LeavesSome {
        /// The layer of which it takes everything.
        layer: String,
        /// How many rows, columns or pixels enter it.
        length: usize,
        /// What a mask takes of it.
        unit: MaskUnit,
    },
    /// A precision in which the device computes.
    SupportedBy {
        /// The device.
        device: String,
    },
}

/// What a random mask takes of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaskUnit {
    /// Whole rows.
    Rows,
    /// Whole columns.
    Columns,
    /// Single pixels.
    Pixels,
}

impl fmt::Display for MaskUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rows => "rows",
            Self::Columns => "columns",
            Self::Pixels => "pixels",
        })
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Between { least, most } => write!(f, "expected {least} to {most}"),
            Self::AtLeast(least) => write!(f, "expected {least} or more"),
            Self::NotNegative => f.write_str("expected 0 or more"),
            Self::Positive => f.write_str("expected a number above 0"),
            Self::BelowOne => f.write_str("expected 0 or more and less than 1"),
            Self::InsideUnitInterval => f.write_str("expected more than 0 and less than 1"),
            Self::TwoSubjects => f.write_str("expected 2 or more: a triplet needs two identities"),
            Self::OneStage => f.write_str("expected the channels of at least one stage"),
            Self::StageAfterStem => {
                f.write_str("expected two stages or more: the first one is the stem")
            }
            Self::AtMostEntries(most) => write!(f, "expected at most {most}"),
            Self::OnePerStage { stages } => {
                write!(f, "expected one for each stage, and model.channels has {stages}")
            }
            Self::UpToForEveryStage { most } => {
                write!(f, "expected 1 to {most} for every stage")
            }
            Self::OddKernel { most } => {
                write!(f, "expected 1 to {most} frames, and odd numbers of rows and columns")
            }
            Self::FewerParameters { parameters, most } => {
                write!(
                    f,
                    "the network would have {parameters:.1e} parameters, at most {most:.0e} are allowed"
                )
            }
            Self::FewerFrames { needed, most } => {
                write!(f, "the network would need {needed} frames, at most {most} are allowed")
            }
            Self::EvenRows { layer, rows } => write!(
                f,
                "{layer} halves {rows} rows; expected a height that every `sp` halves evenly"
            ),
            Self::TwoColumns { layer } => write!(f, "{layer} needs at least two columns"),
            Self::DividesRows { rows } => write!(
                f,
                "the final map has {rows} rows; expected a number that divides them, or 0 for one \
                 strip per row"
            ),
            Self::UpToRows { layer, rows } => {
                write!(f, "{layer} has {rows} rows; expected 1 to {rows}")
            }
            Self::TakesSome { layer, length, unit } => {
                write!(f, "it takes none of the {length} {unit} of {layer}; expected more")
            }
            Self::LeavesSome { layer, length, unit } => {
                write!(f, "it takes all of the {length} {unit} of {layer}; expected less")
            }
            Self::SupportedBy { device } => write!(f, "{device} does not compute in it"),
        }
    }
}
