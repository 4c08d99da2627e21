//! The formats of files.

use std::fmt;

/// How embeddings are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// NumPy arrays, uncompressed: `embeddings` float32 `[n, c, p]`, and `subject`, `condition`,
    /// `view` as fixed-width Unicode `[n]`.
    Npz,
    /// Columns `subject`, `condition`, `view` and `embeddings`, a fixed-size list of `c * p`
    /// float32 in the order `[c, p]`; `channels` and `strips` in the key-value metadata.
    Parquet,
}

impl fmt::Display for Format {
    /// With its article: `a .parquet`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Npz => "an .npz",
            Self::Parquet => "a .parquet",
        })
    }
}
