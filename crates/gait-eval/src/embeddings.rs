//! The embeddings of a set of sequences, with who, how and from where each was seen.

use crate::EvalError;

/// Who walks, how, and seen from where: the names of one sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name<'a> {
    /// Who walks.
    pub subject: &'a str,
    /// How: CASIA-B's `nm-01`, GREW's `02`.
    pub condition: &'a str,
    /// Seen from where: the angle in degrees where the data set has one.
    pub view: &'a str,
}

/// Embeddings `[n, c, p]` of `n` sequences, row-major, and the three names of each sequence.
#[derive(Debug, Clone, PartialEq)]
pub struct Embeddings {
    /// Channels `c` of an embedding.
    pub channels: usize,
    /// Strips `p` of an embedding (horizontal parts of the body).
    pub strips: usize,
    /// The values `[n, c, p]`.
    pub values: Vec<f32>,
    /// Who walks, `[n]`.
    pub subjects: Vec<String>,
    /// How, `[n]`: CASIA-B's `nm-01`, GREW's `02`.
    pub conditions: Vec<String>,
    /// Seen from where, `[n]`: the angle in degrees where the data set has one.
    pub views: Vec<String>,
}

impl Embeddings {
    /// Checked embeddings; `names` holds subject, condition and view of each sequence.
    ///
    /// # Errors
    /// As [`Embeddings::check`].
    pub fn new(
        channels: usize,
        strips: usize,
        values: Vec<f32>,
        names: impl IntoIterator<Item = (String, String, String)>,
    ) -> Result<Self, EvalError> {
        let mut made = Self {
            channels,
            strips,
            values,
            subjects: Vec::new(),
            conditions: Vec::new(),
            views: Vec::new(),
        };
        for (subject, condition, view) in names {
            made.subjects.push(subject);
            made.conditions.push(condition);
            made.views.push(view);
        }
        made.check()?;
        Ok(made)
    }

    /// `count` embeddings of reproducible noise in [-1, 1), each its own subject: to measure with.
    /// No pattern repeats within an embedding, and gigabytes are made quickly.
    ///
    /// # Errors
    /// As [`Embeddings::check`]: a size of 0.
    pub fn noise(channels: usize, strips: usize, count: usize) -> Result<Self, EvalError> {
        let mut state = 1u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        let values = (0..count * channels * strips).map(|_| next()).collect();
        let names = (0..count).map(|i| (i.to_string(), String::new(), String::new()));
        Self::new(channels, strips, values, names)
    }

    /// Number of sequences `n`.
    pub fn len(&self) -> usize {
        self.subjects.len()
    }

    /// Whether there is no sequence at all.
    pub fn is_empty(&self) -> bool {
        self.subjects.is_empty()
    }

    /// Values of one embedding: `c * p`.
    pub fn width(&self) -> usize {
        self.channels * self.strips
    }

    /// The embedding `[c, p]` of sequence `i`.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.values[i * self.width()..(i + 1) * self.width()]
    }

    /// The names of all sequences.
    pub fn names(&self) -> Vec<Name<'_>> {
        let others = self.conditions.iter().zip(&self.views);
        let names = self.subjects.iter().zip(others);
        names.map(|(subject, (condition, view))| Name { subject, condition, view }).collect()
    }

    /// The sequences whose names `keep` takes.
    pub fn filtered(self, keep: impl Fn(&Name) -> bool) -> Self {
        let kept: Vec<bool> = self.names().iter().map(keep).collect();
        let (channels, strips, width) = (self.channels, self.strips, self.width());
        let mut values = self.values;
        let mut end = 0;
        for place in (0..kept.len()).filter(|&place| kept[place]) {
            values.copy_within(place * width..(place + 1) * width, end);
            end += width;
        }
        values.truncate(end);
        let of = |names: Vec<String>| {
            let kept = names.into_iter().zip(&kept).filter(|(_, kept)| **kept);
            kept.map(|(name, _)| name).collect()
        };
        let [subjects, conditions, views] = [self.subjects, self.conditions, self.views].map(of);
        Self { channels, strips, values, subjects, conditions, views }
    }

    /// `subject/condition/view` of sequence `i`, for messages.
    pub fn name(&self, i: usize) -> String {
        format!("{}/{}/{}", self.subjects[i], self.conditions[i], self.views[i])
    }

    /// Checks that the lengths agree and that every value is finite.
    ///
    /// # Errors
    /// [`EvalError::Embeddings`] with the lengths that disagree, or the first sequence that holds a
    /// NaN or an infinity (a network that diverged).
    pub fn check(&self) -> Result<(), EvalError> {
        let fail = |problem: String| Err(EvalError::Embeddings(problem));
        let n = self.len();
        if self.conditions.len() != n || self.views.len() != n {
            return fail(format!(
                "{n} subjects, {} conditions and {} views; one of each is needed per sequence",
                self.conditions.len(),
                self.views.len()
            ));
        }
        if n == 0 {
            return fail("no sequences".to_owned());
        }
        let wanted = self.channels.checked_mul(self.strips).and_then(|w| w.checked_mul(n));
        if self.channels == 0 || self.strips == 0 || wanted != Some(self.values.len()) {
            return fail(format!(
                "{} values do not make [n, c, p] = [{n}, {}, {}]",
                self.values.len(),
                self.channels,
                self.strips
            ));
        }
        if let Some(at) = self.values.iter().position(|v| !v.is_finite()) {
            return fail(format!(
                "the embedding of {} is not finite (value {}): was the network trained without \
                 diverging?",
                self.name(at / self.width()),
                self.values[at]
            ));
        }
        Ok(())
    }
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
        let kept = e.filtered(|name| ["001", "003"].contains(&name.subject));
        assert_eq!((kept.subjects.as_slice(), kept.len()), (&["001".into(), "003".into()][..], 2));
        assert_eq!(kept.values, [2.0, 3.0, 6.0, 7.0]);
        kept.check().unwrap();
        assert!(kept.filtered(|_| false).is_empty());
    }

    #[test]
    fn noise_is_finite_centred_and_does_not_repeat() {
        let e = Embeddings::noise(16, 4, 50).unwrap();
        assert_eq!((e.len(), e.width()), (50, 64));
        assert!(e.values.iter().all(|v| (-1.0..1.0).contains(v)));
        assert!(e.values.iter().sum::<f32>().abs() < 0.1 * e.values.len() as f32);
        assert!((1..50).all(|i| e.row(i) != e.row(0)));
        assert!(Embeddings::noise(0, 4, 50).is_err());
    }

    #[test]
    fn contradictions_are_named() {
        assert!(problem(2, 3, vec![0.0; 11], 2).contains("11 values do not make"));
        assert!(problem(0, 3, vec![], 2).contains("[2, 0, 3]"));
        assert!(problem(1, 1, vec![], 0).contains("no sequences"));
        assert!(problem(usize::MAX, 3, vec![0.0], 1).contains("do not make"));
        let nan = problem(1, 2, vec![0.0, 1.0, 2.0, f32::NAN], 2);
        assert!(nan.contains("001/nm-01/090"), "{nan}");
    }

    #[test]
    fn a_missing_view_is_named() {
        let mut e = Embeddings::new(1, 1, vec![1.0], names(1)).unwrap();
        e.views.clear();
        assert!(e.check().unwrap_err().to_string().contains("0 views"));
    }
}
