//! Why a frame of a person gives no silhouette.

use std::fmt;

use serde::Serialize;

/// Why a frame of a person was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// The body reaches the border of the frame, or beyond what its box shows of it.
    Border,
    /// A person who is nearer to the camera covers part of the box, or the mask shows part of a
    /// neighbour.
    Hidden,
    /// The mask is empty or its presence too low, or what it shows is far smaller than the box or does
    /// not have the shape of a walker.
    NoBody,
    /// The person is too few rows high.
    Small,
    /// The legs do not move as those of a walker.
    Still,
    /// The person was in view for too short a time to tell whether they walk.
    Brief,
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Border => "cut off by the border",
            Self::Hidden => "hidden by another person",
            Self::NoBody => "no clear body",
            Self::Small => "too small",
            Self::Still => "standing still",
            Self::Brief => "in view too briefly",
        })
    }
}
