//! The names in a file of embeddings: those of its columns (arrays in `.npz`) and, in Parquet, of
//! its metadata.

use gait_eval::Embeddings;

/// The embeddings.
pub const EMBEDDINGS: &str = "embeddings";
/// Who walks, how, and from where it was filmed.
pub const NAMES: [&str; 3] = ["subject", "condition", "view"];
/// Parquet's metadata: the sizes `[c, p]` of an embedding that is stored as one list.
pub const SIZES: [&str; 2] = ["channels", "strips"];

/// The names of each sequence in the order of [`NAMES`].
pub fn names(embeddings: &Embeddings) -> [&[String]; NAMES.len()] {
    [embeddings.subjects(), embeddings.conditions(), embeddings.views()]
}
