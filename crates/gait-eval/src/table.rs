//! The result as a table for a terminal, in the form of Table 1 of the GaitGL paper.

use std::fmt;

use crate::evaluate::{angle, same_view};
use crate::grid::{Grid, Row, percent, width};
use crate::{Average, Evaluation, GroupResult, IdenticalViews, PublishedFigures, PublishedRow};

/// The longest name of a view that is not shortened.
const NAME: usize = 12;

impl fmt::Display for Evaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by_view = self.average != Average::Probes;
        if by_view {
            writeln!(
                f,
                "{}",
                self.title(&format!("{} accuracy (%) by probe view", self.metrics[0]))
            )?;
            write!(f, "{}", self.view_table())?;
        }
        if !by_view || self.metrics.len() > 1 {
            if by_view {
                writeln!(f)?;
            } else {
                writeln!(f, "{}", self.title("accuracy (%)"))?;
            }
            write!(f, "{}", self.metric_table())?;
        }
        self.sources().try_for_each(|line| writeln!(f, "{line}"))?;
        self.notes.iter().try_for_each(|note| writeln!(f, "note: {note}"))
    }
}

impl Evaluation {
    fn title(&self, what: &str) -> String {
        let views = match self.identical_views {
            IdenticalViews::Keep => "",
            IdenticalViews::Exclude => ", identical views excluded",
            IdenticalViews::ExcludeSameSubject => ", the probe's own subject in its view excluded",
        };
        format!("{}: {what}{views}", self.protocol)
    }

    /// Where the published rows come from: `GaitSet, GaitPart: Table 1 of a paper`.
    fn sources(&self) -> impl Iterator<Item = String> {
        let alike = self.published.chunk_by(|a, b| a.source == b.source);
        alike.map(|rows| {
            let labels: Vec<&str> = rows.iter().map(|row| row.label.as_str()).collect();
            format!("{}: {}", labels.join(", "), rows[0].source)
        })
    }

    /// The rows of a group: ours, and the published ones that have figures of it.
    fn rows_of(
        &self,
        group: &GroupResult,
        ours: Vec<String>,
        theirs: impl Fn(&PublishedFigures) -> Vec<String>,
    ) -> Vec<Row> {
        let figures =
            self.published.iter().filter_map(|row| Some((row, row.groups.get(&group.name)?)));
        self.rows_named(&group.name, ours, figures.map(|(row, figures)| (row, theirs(figures))))
    }

    /// The rows of the mean over groups, in a table of so many columns of which it fills the last.
    fn rows_of_mean(
        &self,
        blank: usize,
        cells: impl Fn(&[Option<f64>]) -> Vec<String>,
    ) -> Vec<Row> {
        let row = |values: &[Option<f64>]| {
            let mut row = vec![String::new(); blank];
            row.extend(cells(values));
            row
        };
        let printed = self.published.iter().filter(|row| row.mean.iter().any(Option::is_some));
        let theirs = printed.map(|published| (published, row(&published.mean)));
        self.rows_named("Mean", row(&self.mean), theirs)
    }

    fn rows_named<'a>(
        &self,
        name: &str,
        ours: Vec<String>,
        theirs: impl Iterator<Item = (&'a PublishedRow, Vec<String>)>,
    ) -> Vec<Row> {
        let label = if self.published.is_empty() { "" } else { "ours" };
        let mut rows = vec![([name.to_owned(), label.to_owned()], ours)];
        rows.extend(theirs.map(|(row, cells)| ([String::new(), row.label.clone()], cells)));
        rows
    }

    fn view_table(&self) -> Grid {
        let mut views: Vec<&str> = Vec::new();
        for group in &self.groups {
            for view in group.views.iter().map(|v| v.view.as_str()) {
                if !views.contains(&view) {
                    views.push(view);
                }
            }
        }
        let angles = views.iter().all(|v| angle(v).is_some());
        if angles {
            views.sort_by(|a, b| angle(a).unwrap_or(0.0).total_cmp(&angle(b).unwrap_or(0.0)));
        }
        let heading = |view: &&str| match angle(view).filter(|_| angles) {
            Some(angle) if !self.view_unit.is_empty() => format!("{angle}{}", self.view_unit),
            _ => shortened(view),
        };
        let mut headings: Vec<String> = views.iter().map(heading).collect();
        headings.push("Mean".to_owned());
        let mut rows = Vec::new();
        for group in &self.groups {
            let find = |view: &&str| group.views.iter().find(|v| v.view == **view)?.values[0];
            let ours = views.iter().map(find).chain([group.values[0]]);
            let theirs = |figures: &PublishedFigures| {
                let find = |view: &&str| {
                    let found = figures.views.iter().find(|(name, _)| same_view(name, view));
                    found.map(|(_, figure)| *figure)
                };
                cells(views.iter().map(find).chain([figures.values[0]]), 1)
            };
            rows.extend(self.rows_of(group, cells(ours, 1), theirs));
        }
        if self.groups.len() > 1 {
            rows.extend(self.rows_of_mean(views.len(), |mean| cells([mean[0]], 1)));
        }
        Grid { headings, rows }
    }

    fn metric_table(&self) -> Grid {
        let row = |values: &[Option<f64>]| cells(values.iter().copied(), 2);
        let mut rows = Vec::new();
        for group in &self.groups {
            let theirs = |figures: &PublishedFigures| row(&figures.values);
            rows.extend(self.rows_of(group, row(&group.values), theirs));
        }
        if self.groups.len() > 1 {
            rows.extend(self.rows_of_mean(0, row));
        }
        Grid { headings: self.metrics.iter().map(ToString::to_string).collect(), rows }
    }
}

fn cells(values: impl IntoIterator<Item = Option<f64>>, decimals: usize) -> Vec<String> {
    values.into_iter().map(|value| percent(value, decimals)).collect()
}

fn shortened(view: &str) -> String {
    if width(view) <= NAME {
        return view.to_owned();
    }
    view.chars().take(NAME - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use crate::{Distance, Embeddings, Evaluation, Protocol, Watch, evaluate};

    /// Two people who are always recognised, except with a bag from the first view.
    fn result(protocol: &str, views: &[&str], conditions: &[&str]) -> Evaluation {
        let mut values = Vec::new();
        let mut names = Vec::new();
        for subject in 0..2u8 {
            for condition in conditions {
                for view in views {
                    let swap = condition.starts_with("bg") && *view == views[0];
                    let value = if swap { 1.0 - f32::from(subject) } else { f32::from(subject) };
                    // No two sequences are alike, as two recordings never are.
                    values.push(value + values.len() as f32 * 1e-3);
                    names.push((subject.to_string(), (*condition).to_owned(), (*view).to_owned()));
                }
            }
        }
        let e = Embeddings::new(1, 1, values, names).unwrap();
        let protocol = Protocol::builtin(protocol).unwrap();
        evaluate(&e, &protocol, Distance::Strips, &Watch::silent()).unwrap()
    }

    const ALL: [&str; 4] = ["nm-01", "nm-05", "bg-01", "cl-01"];

    fn check(result: &Evaluation, expected: &str) {
        let printed = result.to_string();
        assert_eq!(printed, expected, "\n{printed}");
    }

    #[test]
    fn few_views_stand_in_one_block_without_the_papers_row() {
        check(
            &result("casia-b", &["0", "90", "126"], &ALL),
            "\
casia-b: rank-1 accuracy (%) by probe view, identical views excluded
         0°    90°   126°   Mean
NM    100.0  100.0  100.0  100.0
BG      0.0  100.0  100.0   66.7
CL    100.0  100.0  100.0  100.0
Mean                        88.9
",
        );
    }

    #[test]
    fn the_papers_rows_stand_beside_the_same_views_and_are_named() {
        let views = ["000", "018", "036", "054", "072", "090", "108", "126", "144", "162", "180"];
        let mut result = result("casia-b", &views, &ALL);
        let rows = Protocol::builtin("casia-b").unwrap().published()[0].rows.clone();
        assert!(rows.iter().all(|row| result.has_the_views_of(row)));
        result.published = rows.into_iter().filter(|row| row.preset.is_some()).collect();
        let printed = result.to_string();
        let lines: Vec<&str> = printed.lines().collect();
        assert!(lines[1].starts_with("                     0°    18°    36°"), "{printed}");
        assert!(lines[5].starts_with("BG   ours           0.0  100.0"), "{printed}");
        assert!(lines[6].starts_with("     GaitGL 2021   92.6   96.6"), "{printed}");
        assert!(lines[7].starts_with("     GaitGL        93.9   97.3"), "{printed}");
        assert!(lines[7].ends_with("91.6   95.4"), "{printed}");
        assert!(lines[12].starts_with("     GaitGL  ") && lines[12].ends_with("93.6"), "{printed}");
        assert!(lines[13].starts_with("GaitGL 2021, GaitGL: Table 1"), "{printed}");
        assert!(lines[13].contains("not results of this run"), "{printed}");
        let width = lines[1].chars().count();
        assert!(lines[1..13].iter().all(|line| line.chars().count() == width), "{printed}");
        assert_eq!(result.to_json(0.0)["published"][1]["rank1"]["mean"], 93.6);
    }

    #[test]
    fn published_rows_of_other_views_have_dashes() {
        let mut result = result("casia-b", &["0", "91"], &ALL);
        let rows = Protocol::builtin("casia-b").unwrap().published()[0].rows.clone();
        assert!(rows.iter().all(|row| !result.has_the_views_of(row)));
        result.published = rows[..1].to_vec();
        let printed = result.to_string();
        assert!(printed.contains("     GaitSet   90.8      -   95.0"), "{printed}");
    }

    #[test]
    fn many_and_long_names_continue_in_further_blocks() {
        let views: Vec<String> = (0..9).map(|i| format!("camera-{i}-north-entrance")).collect();
        let views: Vec<&str> = views.iter().map(String::as_str).collect();
        check(
            &result("casia-b", &views, &ALL[..2]),
            "\
casia-b: rank-1 accuracy (%) by probe view, identical views excluded
      camera-0-no…  camera-1-no…  camera-2-no…  camera-3-no…  camera-4-no…  camera-5-no…  camera-6-no…  camera-7-no…
NM           100.0         100.0         100.0         100.0         100.0         100.0         100.0         100.0
BG               -             -             -             -             -             -             -             -
CL               -             -             -             -             -             -             -             -

      camera-8-no…   Mean
NM           100.0  100.0
BG               -      -
CL               -      -
Mean                100.0
note: BG has no probes in this data and is left out of the mean
note: CL has no probes in this data and is left out of the mean
",
        );
    }

    #[test]
    fn averages_over_probes_print_one_column_per_metric() {
        check(
            &result("leave-one-out", &["a"], &["walk", "run"]),
            "\
leave-one-out: accuracy (%)
     rank-1  rank-5     mAP
ALL  100.00  100.00  100.00
",
        );
    }
}
