//! The result as a table for a terminal, in the form of Table 1 of the GaitGL paper.

use std::fmt;

use crate::evaluate::angle;
use crate::{Average, Evaluation, GroupResult, IdenticalViews};

/// The widest line; further columns continue in another block.
const LINE: usize = 120;
/// The longest name of a view that is not shortened.
const NAME: usize = 12;

/// Names to the left, right-aligned figures under their headings.
struct Table {
    headings: Vec<String>,
    rows: Vec<([String; 2], Vec<String>)>,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name_width = |n: usize| self.rows.iter().map(|(names, _)| width(&names[n])).max();
        let first = name_width(0).unwrap_or(0);
        // With a space before it, if there is a second name at all.
        let second = name_width(1).filter(|width| *width > 0).map_or(0, |width| width + 1);
        let column = |c: usize| {
            let cells = self.rows.iter().map(|(_, cells)| width(&cells[c]));
            2 + cells.chain([width(&self.headings[c])]).max().unwrap_or(0)
        };
        let mut start = 0;
        while start < self.headings.len() {
            let mut end = start;
            let mut used = first + second;
            while end < self.headings.len() && (end == start || used + column(end) <= LINE) {
                used += column(end);
                end += 1;
            }
            write!(f, "{:w$}", "", w = first + second)?;
            for c in start..end {
                write!(f, "{:>w$}", self.headings[c], w = column(c))?;
            }
            writeln!(f)?;
            for (names, cells) in &self.rows {
                let shown = &cells[start..end];
                if shown.iter().all(String::is_empty) {
                    continue; // The row of means has a value in the last block only.
                }
                let mut line = format!("{:first$}", names[0]);
                if second > 0 {
                    line += &format!(" {:w$}", names[1], w = second - 1);
                }
                for (c, cell) in (start..).zip(shown) {
                    line += &format!("{cell:>w$}", w = column(c));
                }
                writeln!(f, "{line}")?;
            }
            start = end;
            if start < self.headings.len() {
                writeln!(f)?;
            }
        }
        Ok(())
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// With as many decimals as papers print, or a dash.
fn percent(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |v| format!("{v:.decimals$}"))
}

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
        let shown = self.groups.iter().any(|group| self.shows_published(group));
        if let Some(published) = self.published.as_ref().filter(|_| shown) {
            writeln!(f, "{}: {}", published.label, published.source)?;
        }
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

    fn shows_published(&self, group: &GroupResult) -> bool {
        if self.published.is_none() {
            return false;
        }
        match self.average {
            Average::Probes => group.published.iter().any(Option::is_some),
            _ => !group.published_views.is_empty(),
        }
    }

    /// Names of a group's rows: ours and, where there is one, the published one.
    fn row_names(&self, group: &GroupResult) -> Vec<[String; 2]> {
        let label = self.published.as_ref().map_or("", |p| &p.label);
        if !self.shows_published(group) {
            let any = self.groups.iter().any(|g| self.shows_published(g));
            return vec![[group.name.clone(), if any { "ours" } else { "" }.to_owned()]];
        }
        vec![[group.name.clone(), "ours".to_owned()], [String::new(), label.to_owned()]]
    }

    fn view_table(&self) -> Table {
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
            let find = |view: &&str| {
                percent(group.views.iter().find(|v| v.view == **view).and_then(|v| v.values[0]), 1)
            };
            let ours = views.iter().map(find).chain([percent(group.values[0], 1)]).collect();
            let theirs = group.published_views.iter().map(|p| percent(Some(*p), 1));
            let theirs = theirs.chain([percent(group.published[0], 1)]).collect();
            rows.extend(self.row_names(group).into_iter().zip([ours, theirs]));
        }
        if self.groups.len() > 1 {
            let mut cells = vec![String::new(); views.len()];
            cells.push(percent(self.mean[0], 1));
            rows.push((["Mean".to_owned(), String::new()], cells));
        }
        Table { headings, rows }
    }

    fn metric_table(&self) -> Table {
        let mut rows = Vec::new();
        for group in &self.groups {
            let ours = group.values.iter().map(|v| percent(*v, 2)).collect();
            let theirs = group.published.iter().map(|v| percent(*v, 2)).collect();
            rows.extend(self.row_names(group).into_iter().zip([ours, theirs]));
        }
        if self.groups.len() > 1 {
            let cells = self.mean.iter().map(|v| percent(*v, 2)).collect();
            rows.push((["Mean".to_owned(), String::new()], cells));
        }
        Table { headings: self.metrics.iter().map(ToString::to_string).collect(), rows }
    }
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
        let printed = result("casia-b", &views, &ALL).to_string();
        let lines: Vec<&str> = printed.lines().collect();
        assert!(lines[1].starts_with("               0°    18°    36°"), "{printed}");
        assert!(lines[4].starts_with("BG   ours     0.0  100.0"), "{printed}");
        assert!(lines[5].starts_with("     paper   93.9   97.3"), "{printed}");
        assert!(lines[5].ends_with("91.6   95.4"), "{printed}");
        assert!(lines[9].starts_with("paper: ") && lines[9].contains("not results of this run"));
        let width = lines[1].chars().count();
        assert!(lines[1..9].iter().all(|line| line.chars().count() == width), "{printed}");
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
