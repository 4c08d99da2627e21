//! The kinds of distances.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{NameKind, UnknownName};

/// The distance of two embeddings `[c, p]`.
///
/// The embeddings of a set may have any scale: multiplied by a power of two, they have distances
/// multiplied by it (cosine: the same distances), as long as single precision can hold them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Distance {
    /// Mean over strips of the Euclidean distance between strip vectors, as in published code.
    #[default]
    Strips,
    /// Euclidean distance of the whole embedding as one vector, as in older code.
    Flat,
    /// One minus the mean over strips of the cosine between strip vectors, as in published code.
    /// Any two strips that are not zero have their true cosine, however small they are; a zero
    /// strip has cosine 0 with every strip, itself included.
    Cosine,
}

impl Distance {
    /// All distances.
    pub const ALL: [Self; 3] = [Self::Strips, Self::Flat, Self::Cosine];
}

impl fmt::Display for Distance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Strips => "strips",
            Self::Flat => "flat",
            Self::Cosine => "cosine",
        })
    }
}

impl FromStr for Distance {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        Self::ALL.into_iter().find(|d| d.to_string() == name).ok_or_else(|| {
            let known = Self::ALL.iter().map(ToString::to_string).collect();
            UnknownName::new(NameKind::Distance, name, known)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed_and_unknown_ones_refused() {
        for distance in Distance::ALL {
            assert_eq!(distance.to_string().parse::<Distance>().unwrap(), distance);
        }
        let message = "cosin".parse::<Distance>().unwrap_err().to_string();
        assert!(message.contains("did you mean `cosine`"), "{message}");
    }
}
