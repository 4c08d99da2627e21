//! What the caller of an import knows beside the file.

/// What the caller of [`import`](super::import()) knows beside the file.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// The expected network; without it, the one that fits the tensors best.
    pub preset: Option<String>,
    /// Rows of a silhouette, which the tensors do not show. Without it, the final map has one row
    /// for each strip.
    pub height: Option<usize>,
    /// Assignments `key=value` to other settings that the tensors do not show.
    pub set: Vec<String>,
    /// The subjects that name the classes; without them, numbers. Classes in excess of the
    /// subjects belong to no subject: OpenGait declares 74 for its 73 training subjects of CASIA-B.
    pub subjects: Option<Vec<String>>,
}
