//! What can be wrong with a raw tree.

use std::path::PathBuf;

use crate::SequenceKey;

/// Why a raw tree cannot be prepared. Its `Display` follows the name of the tree's root.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeFault {
    /// The root is a file.
    #[error("it is not a folder")]
    NotAFolder,
    /// No folder below the root can be read.
    #[error("none of its folders can be read ({first})")]
    Unreadable {
        /// The first folder and the system's reason.
        first: String,
    },
    /// Frames are above the folders that the layout expects to hold them.
    #[error("{} is {depth} folders deep, but the layout {layout} expects {expected}", file.display())]
    TooHigh {
        /// One of the frames, below the root.
        file: PathBuf,
        /// The folders above it.
        depth: usize,
        /// Patterns of the layout.
        layout: String,
        /// The depth at which the layout expects frames.
        expected: usize,
    },
    /// Frames are below the folders that the layout expects to hold them.
    #[error(
        "the layout {layout} expects images {expected} folders deep, but that folder holds another \
         one: {}",
        folder.display()
    )]
    TooDeep {
        /// The layout's pattern.
        layout: String,
        /// The depth at which the layout expects frames.
        expected: usize,
        /// A folder where images were expected.
        folder: PathBuf,
    },
    /// No folder fits the layout.
    #[error("no folder matches {expected} (there is {found})")]
    NoMatch {
        /// The part of the pattern that nothing matches.
        expected: String,
        /// A folder that is there.
        found: String,
    },
    /// There is nothing that could be a sequence.
    #[error("it holds no sequence ({layout}){}", first.as_ref().map_or_else(String::new, |f| format!("; {f}")))]
    NoSequence {
        /// Patterns of the layout.
        layout: String,
        /// What is there instead, with the likely cause.
        first: Option<String>,
    },
    /// Two folders have the same subject, condition and view.
    #[error("{} and {} are both the sequence {key}", folders[0].display(), folders[1].display())]
    SameSequence {
        /// Both folders, below the root.
        folders: [PathBuf; 2],
        /// What both are called.
        key: SequenceKey,
    },
    /// The layout's folders put a subject on both sides, and no partition says otherwise.
    #[error("subject {subject} is both among the training and among the test folders")]
    BothSides {
        /// The subject.
        subject: String,
    },
    /// Sequences were found, but none can be used.
    #[error(
        "no sequence of {sequences} could be used ({first}); expected images of silhouettes, white \
         (255) on black (0), or .pkl of uint8 [frames, rows, columns]"
    )]
    NothingUsable {
        /// How many sequences were found.
        sequences: usize,
        /// The first one and its reason.
        first: String,
    },
}
