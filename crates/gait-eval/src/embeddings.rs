//! The embeddings of a set of sequences, and the names of each sequence.

use std::fmt;

/// The names of one sequence: who walks, how, and from where it was filmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name<'a> {
    /// Who walks.
    pub subject: &'a str,
    /// How: CASIA-B's `nm-01`, GREW's `02`.
    pub condition: &'a str,
    /// From where: the angle in degrees if the data set has one.
    pub view: &'a str,
}

impl fmt::Display for Name<'_> {
    /// `subject/condition/view`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.subject, self.condition, self.view)
    }
}

/// Embeddings `[n, c, p]` of `n` sequences, row-major, and the names of each sequence.
///
/// There is at least one sequence, all lengths agree and every value is finite: the constructors
/// check it, and nothing can change it later.
#[derive(Debug, Clone, PartialEq)]
pub struct Embeddings {
    channels: usize,
    strips: usize,
    values: Vec<f32>,
    subjects: Vec<String>,
    conditions: Vec<String>,
    views: Vec<String>,
    /// The largest magnitude among the values.
    largest: f32,
}

/// Why values and names are not the embeddings of a set of sequences.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EmbeddingsError {
    /// There is no sequence at all.
    #[error("there are no embeddings")]
    Empty,
    /// The three lists of names differ in length.
    #[error(
        "there are {subjects} subjects, {conditions} conditions and {views} views, but each \
         sequence needs one of each"
    )]
    Names {
        /// Number of subjects.
        subjects: usize,
        /// Number of conditions.
        conditions: usize,
        /// Number of views.
        views: usize,
    },
    /// The number of values is not `n * c * p`, or a size is 0.
    #[error("{values} values do not make [n, c, p] = [{sequences}, {channels}, {strips}]")]
    Shape {
        /// Number of values.
        values: usize,
        /// Number of sequences, `n`.
        sequences: usize,
        /// Number of channels, `c`.
        channels: usize,
        /// Number of strips, `p`.
        strips: usize,
    },
    /// A value is NaN or infinite, as from a network that diverged.
    #[error("the embedding of {sequence} contains {value}; every value must be finite")]
    NotFinite {
        /// The sequence, as `subject/condition/view`.
        sequence: String,
        /// The value.
        value: f32,
    },
}

impl Embeddings {
    /// Embeddings of sequences whose subject, condition and view are `names`.
    ///
    /// `values` is `[n, c, p]`, row-major, with `c` = `channels` and `p` = `strips` (horizontal
    /// parts of the body).
    ///
    /// # Errors
    /// No sequence, a number of values other than `n * c * p`, or a value that is not finite.
    pub fn new(
        channels: usize,
        strips: usize,
        values: Vec<f32>,
        names: impl IntoIterator<Item = (String, String, String)>,
    ) -> Result<Self, EmbeddingsError> {
        let mut columns = [const { Vec::new() }; 3];
        for (subject, condition, view) in names {
            columns[0].push(subject);
            columns[1].push(condition);
            columns[2].push(view);
        }
        Self::from_columns(channels, strips, values, columns)
    }

    /// [`Embeddings::new`] with the names as three lists: subjects, conditions and views.
    ///
    /// # Errors
    /// As [`Embeddings::new`], or lists of different lengths.
    pub fn from_columns(
        channels: usize,
        strips: usize,
        values: Vec<f32>,
        [subjects, conditions, views]: [Vec<String>; 3],
    ) -> Result<Self, EmbeddingsError> {
        let largest = largest_magnitude(&values);
        let made = Self { channels, strips, values, subjects, conditions, views, largest };
        made.checked()
    }

    fn checked(self) -> Result<Self, EmbeddingsError> {
        let sequences = self.subjects.len();
        if self.conditions.len() != sequences || self.views.len() != sequences {
            return Err(EmbeddingsError::Names {
                subjects: sequences,
                conditions: self.conditions.len(),
                views: self.views.len(),
            });
        }
        if sequences == 0 {
            return Err(EmbeddingsError::Empty);
        }
        let width = self.channels.checked_mul(self.strips).filter(|width| *width > 0);
        if width.and_then(|width| width.checked_mul(sequences)) != Some(self.values.len()) {
            return Err(EmbeddingsError::Shape {
                values: self.values.len(),
                sequences,
                channels: self.channels,
                strips: self.strips,
            });
        }
        if self.largest.is_finite() {
            return Ok(self);
        }
        let at = self.values.iter().position(|value| !value.is_finite()).unwrap_or(0);
        Err(EmbeddingsError::NotFinite {
            sequence: self.name(at / self.width()).to_string(),
            value: self.values[at],
        })
    }

    /// Number of sequences `n`, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "embeddings are never empty")]
    pub fn len(&self) -> usize {
        self.subjects.len()
    }

    /// Channels `c` of an embedding.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Strips `p` of an embedding.
    pub fn strips(&self) -> usize {
        self.strips
    }

    /// Number of values of one embedding: `c * p`.
    pub fn width(&self) -> usize {
        self.channels * self.strips
    }

    /// All values, `[n, c, p]`.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The embedding `[c, p]` of sequence `i`.
    ///
    /// # Panics
    /// If `i` is not below [`len`](Self::len).
    pub fn row(&self, i: usize) -> &[f32] {
        &self.values[i * self.width()..(i + 1) * self.width()]
    }

    /// The subject of each sequence.
    pub fn subjects(&self) -> &[String] {
        &self.subjects
    }

    /// The condition of each sequence.
    pub fn conditions(&self) -> &[String] {
        &self.conditions
    }

    /// The view of each sequence.
    pub fn views(&self) -> &[String] {
        &self.views
    }

    /// The names of sequence `i`.
    ///
    /// # Panics
    /// If `i` is not below [`len`](Self::len).
    pub fn name(&self, i: usize) -> Name<'_> {
        Name { subject: &self.subjects[i], condition: &self.conditions[i], view: &self.views[i] }
    }

    /// The names of all sequences.
    pub fn names(&self) -> Vec<Name<'_>> {
        (0..self.len()).map(|i| self.name(i)).collect()
    }

    /// Only the sequences whose names satisfy `keep`; `None` if there are none.
    pub fn filtered(mut self, keep: impl Fn(&Name) -> bool) -> Option<Self> {
        let kept: Vec<bool> = self.names().iter().map(keep).collect();
        let width = self.width();
        // In place: a second copy of the values could exceed the memory.
        let mut end = 0;
        for place in (0..kept.len()).filter(|&place| kept[place]) {
            self.values.copy_within(place * width..(place + 1) * width, end);
            end += width;
        }
        self.values.truncate(end);
        for names in [&mut self.subjects, &mut self.conditions, &mut self.views] {
            let mut keep = kept.iter();
            names.retain(|_| keep.next().is_some_and(|keep| *keep));
        }
        self.largest = largest_magnitude(&self.values);
        (end > 0).then_some(self)
    }

    /// These embeddings with more `values` behind theirs, all of them finite, under one name.
    pub(crate) fn with_values(&self, name: &str, values: Vec<f32>) -> Self {
        debug_assert_eq!(values.len() % self.width(), 0);
        let mut all = self.clone();
        all.largest = all.largest.max(largest_magnitude(&values));
        all.values.extend(values);
        let n = all.values.len() / self.width();
        for names in [&mut all.subjects, &mut all.conditions, &mut all.views] {
            names.resize(n, name.to_owned());
        }
        all
    }

    /// The largest magnitude among all values.
    pub(crate) fn largest(&self) -> f32 {
        self.largest
    }
}

/// The largest magnitude; not finite if any value is not.
fn largest_magnitude(values: &[f32]) -> f32 {
    // Without their sign, the bits of floats are in the order of the floats, with infinity and NaN
    // above all others; and integers are compared many at a time.
    let bits = values.iter().map(|value| value.abs().to_bits());
    f32::from_bits(bits.max().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(n: usize) -> Vec<(String, String, String)> {
        (0..n).map(|i| (format!("{i:03}"), "nm-01".to_owned(), "090".to_owned())).collect()
    }

    fn problem(channels: usize, strips: usize, values: Vec<f32>, n: usize) -> String {
        Embeddings::new(channels, strips, values, names(n)).unwrap_err().to_string()
    }

    #[test]
    fn rows_are_sequences() {
        let e = Embeddings::new(2, 1, vec![1.0, 2.0, 3.0, 4.0], names(2)).unwrap();
        assert_eq!(e.row(1), &[3.0, 4.0]);
    }

    #[test]
    fn filtered_embeddings_keep_their_rows_and_names() {
        let e = Embeddings::new(2, 1, (0..8).map(|v| v as f32).collect(), names(4)).unwrap();
        let kept = e.filtered(|name| ["001", "003"].contains(&name.subject)).unwrap();
        let values = vec![2.0, 3.0, 6.0, 7.0];
        let expected = names(4).into_iter().skip(1).step_by(2);
        assert_eq!(kept, Embeddings::new(2, 1, values, expected).unwrap());
        assert_eq!(kept.len(), 2);
        let first = kept.filtered(|name| name.subject == "001").unwrap();
        assert_eq!(first.largest(), 3.0);
        assert_eq!(first.filtered(|_| false), None);
    }

    #[test]
    fn contradictions_are_named() {
        assert!(problem(2, 3, vec![0.0; 11], 2).contains("11 values do not make"));
        assert!(problem(0, 3, vec![], 2).contains("[2, 0, 3]"));
        assert!(problem(1, 1, vec![], 0).contains("no embeddings"));
        assert!(problem(usize::MAX, 3, vec![0.0], 1).contains("do not make"));
        let nan = problem(1, 2, vec![0.0, 1.0, 2.0, f32::NAN], 2);
        assert!(nan.contains("001/nm-01/090") && nan.contains("NaN"), "{nan}");
        assert!(problem(1, 1, vec![f32::NEG_INFINITY], 1).contains("-inf"));
    }

    #[test]
    fn a_missing_view_is_named() {
        let columns = [vec!["1".to_owned()], vec!["nm".to_owned()], vec![]];
        let error = Embeddings::from_columns(1, 1, vec![1.0], columns).unwrap_err();
        assert!(error.to_string().contains("0 views"), "{error}");
    }
}
