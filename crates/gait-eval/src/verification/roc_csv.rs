//! ROC curves as CSV: `group,threshold,far,tar`, rates in percent.

use gait_support::csv_line;

use super::{RocPoint, Verification};

const HEADER: &str = "group,threshold,far,tar";

/// The curve of one group of probes.
#[derive(Debug, Clone, PartialEq)]
pub struct RocCurve {
    /// The group's name.
    pub group: String,
    /// Its points, the smallest threshold first.
    pub points: Vec<RocPoint>,
}

/// A text that does not hold ROC curves as [`Verification::roc_csv`] writes them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RocCsvError {
    /// The first line is not the header.
    #[error("it does not begin with the line {HEADER}")]
    Header,
    /// A line is not a name and three numbers.
    #[error("line {0} is not a group and three numbers")]
    Line(usize),
    /// There is no point.
    #[error("it holds no curve")]
    Empty,
}

impl Verification {
    /// The curves as CSV: `group,threshold,far,tar`, rates in percent.
    pub fn roc_csv(&self) -> String {
        let mut csv = format!("{HEADER}\n");
        for group in &self.groups {
            for p in &group.roc {
                let threshold = p.threshold.to_string();
                let [far, tar] =
                    [p.false_accept_rate, p.true_accept_rate].map(|rate| rate.to_string());
                csv += &csv_line([&group.name, &threshold, &far, &tar]);
            }
        }
        csv
    }
}

impl RocCurve {
    /// Reads what [`Verification::roc_csv`] wrote, the groups in their order.
    ///
    /// # Errors
    /// Any other text.
    pub fn from_csv(text: &str) -> Result<Vec<Self>, RocCsvError> {
        let mut lines = text.lines().enumerate();
        if lines.next().is_none_or(|(_, line)| line.trim_start_matches('\u{feff}') != HEADER) {
            return Err(RocCsvError::Header);
        }
        let mut curves: Vec<Self> = Vec::new();
        for (at, line) in lines.filter(|(_, line)| !line.is_empty()) {
            let (group, point) = point(line).ok_or(RocCsvError::Line(at + 1))?;
            match curves.iter_mut().find(|curve| curve.group == group) {
                Some(curve) => curve.points.push(point),
                None => curves.push(Self { group, points: vec![point] }),
            }
        }
        if curves.is_empty() { Err(RocCsvError::Empty) } else { Ok(curves) }
    }
}

/// The group and the point of a line. The name, which may hold commas, comes before three numbers.
fn point(line: &str) -> Option<(String, RocPoint)> {
    let mut cells = line.rsplitn(4, ',');
    let mut rate = || cells.next()?.parse().ok().filter(|rate| (0.0..=100.0).contains(rate));
    let true_accept_rate = rate()?;
    let false_accept_rate = rate()?;
    let threshold = cells.next()?.parse().ok()?;
    let group = cells.next()?;
    let quoted = group.strip_prefix('"').and_then(|group| group.strip_suffix('"'));
    let group = quoted.map_or_else(|| group.to_owned(), |group| group.replace("\"\"", "\""));
    Some((group, RocPoint { threshold, false_accept_rate, true_accept_rate }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Distance, VerificationGroup};

    fn group(name: &str, roc: Vec<RocPoint>) -> VerificationGroup {
        VerificationGroup {
            name: name.to_owned(),
            genuine: 1,
            impostors: 1,
            equal_error_rate: None,
            true_accept_rates: Vec::new(),
            roc,
        }
    }

    fn verification(groups: Vec<VerificationGroup>) -> Verification {
        let protocol = "mine".to_owned();
        Verification { protocol, distance: Distance::Strips, groups, notes: Vec::new() }
    }

    const POINT: RocPoint =
        RocPoint { threshold: 0.1, false_accept_rate: 0.0, true_accept_rate: 100.0 };

    #[test]
    fn curves_are_written_with_quoted_names() {
        let csv = verification(vec![group("coat, bag", vec![POINT])]).roc_csv();
        assert_eq!(csv, "group,threshold,far,tar\n\"coat, bag\",0.1,0,100\n");
    }

    #[test]
    fn what_is_written_is_read() {
        let points =
            vec![POINT, RocPoint { threshold: 0.25, false_accept_rate: 1.0 / 3.0, ..POINT }];
        let groups = vec![group("a \"b\", c", points.clone()), group("NM", vec![POINT])];
        let curves = RocCurve::from_csv(&verification(groups).roc_csv()).unwrap();
        let expected = [("a \"b\", c", points), ("NM", vec![POINT])]
            .map(|(group, points)| RocCurve { group: group.to_owned(), points });
        assert_eq!(curves, expected);
    }

    #[test]
    fn other_texts_are_refused() {
        let header = "group,threshold,far,tar\n";
        let read = |text: &str| RocCurve::from_csv(text).unwrap_err();
        assert_eq!(read("a,b\n"), RocCsvError::Header);
        assert_eq!(read(""), RocCsvError::Header);
        assert_eq!(read(header), RocCsvError::Empty);
        for line in ["NM,1,2", "NM,1,2,x", "NM,1,2,101", "NM,1,NaN,1", "NM,x,1,1"] {
            assert_eq!(
                read(&format!("{header}NM,1,2,3\n{line}\n")),
                RocCsvError::Line(3),
                "{line}"
            );
        }
    }
}
