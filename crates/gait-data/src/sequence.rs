//! A walking sequence: its name and its silhouettes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Who walked, how, and from where it was filmed. Ordered by subject, condition, view.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SequenceKey {
    /// The identity, such as `001`.
    pub subject: String,
    /// Walking condition and repetition, such as `nm-01`.
    pub condition: String,
    /// Camera view, such as `090`.
    pub view: String,
}

impl SequenceKey {
    /// A key from its three parts.
    pub fn new(
        subject: impl Into<String>,
        condition: impl Into<String>,
        view: impl Into<String>,
    ) -> Self {
        SequenceKey { subject: subject.into(), condition: condition.into(), view: view.into() }
    }
}

impl fmt::Display for SequenceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.subject, self.condition, self.view)
    }
}

/// Silhouettes of one sequence: `pixels` is `[t, h, w]`, row-major, 0 to 255.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clip {
    /// t
    pub frames: usize,
    /// h
    pub height: usize,
    /// w
    pub width: usize,
    /// `frames * height * width` bytes.
    pub pixels: Vec<u8>,
}

/// Columns cut from each side of an aligned silhouette: floor(w / 64) * 10.
fn trim_columns(width: usize) -> usize {
    width / 64 * 10
}

/// Columns of an aligned silhouette without the floor(w / 64) * 10 outer ones on each side, which
/// networks do not read: 64 become 44, 128 become 88.
pub fn trimmed_width(width: usize) -> usize {
    width - 2 * trim_columns(width)
}

/// Grey values 0 to 255 as the numbers 0 to 1 that a network reads.
pub fn bytes_to_unit(pixels: &[u8]) -> Vec<f32> {
    pixels.iter().map(|&value| f32::from(value) / 255.0).collect()
}

impl Clip {
    /// The pixels as numbers from 0 to 1, in the order of [`Clip::pixels`].
    pub fn to_unit(&self) -> Vec<f32> {
        bytes_to_unit(&self.pixels)
    }

    /// The clip without its outer columns (see [`trimmed_width`]): `[t, h, trimmed_width(w)]`.
    pub fn trimmed(&self) -> Clip {
        let mut pixels = Vec::with_capacity(self.frames * self.height * trimmed_width(self.width));
        append_trimmed(&self.pixels, self.width, &mut pixels);
        Clip { width: trimmed_width(self.width), pixels, ..*self }
    }
}

/// Appends the rows of `pixels` (each `width` long) to `out` without their outer columns.
pub(crate) fn append_trimmed(pixels: &[u8], width: usize, out: &mut Vec<u8>) {
    let cut = trim_columns(width);
    for row in pixels.chunks_exact(width.max(1)) {
        out.extend_from_slice(&row[cut..width - cut]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trimming_keeps_the_middle_columns() {
        let row: Vec<u8> = (0..64).collect();
        let clip = Clip { frames: 1, height: 2, width: 64, pixels: [row.clone(), row].concat() };
        let trimmed = clip.trimmed();
        assert_eq!(trimmed.width, 44);
        let middle: Vec<u8> = (10..54).collect();
        assert_eq!(trimmed.pixels, [middle.clone(), middle].concat());
        assert_eq!(trimmed_width(128), 88);
        assert_eq!(trimmed_width(44), 44);
    }

    #[test]
    fn unit_values_are_the_exact_quotients() {
        let pixels: Vec<u8> = (0..=255).collect();
        let clip = Clip { frames: 1, height: 16, width: 16, pixels };
        let unit = clip.to_unit();
        assert_eq!((unit[0].to_bits(), unit[255].to_bits()), (0, 1.0_f32.to_bits()));
        for (value, unit) in (0_u8..=255).zip(unit) {
            assert_eq!(unit.to_bits(), (f32::from(value) / 255.0).to_bits());
        }
    }

    #[test]
    fn key_reads_as_a_path() {
        assert_eq!(SequenceKey::new("001", "nm-01", "090").to_string(), "001/nm-01/090");
    }
}
