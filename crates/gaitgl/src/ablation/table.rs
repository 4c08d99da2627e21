//! The table of a sweep: our figures with the published ones beside them. The best of each column is
//! marked, as papers do in bold print.

use std::fmt;
use std::path::Path;

use gait_eval::{Outcomes, Protocol};
use gait_support::csv_line;
use serde_json::Value;

use super::intervals::SweepIntervals;
use super::{Sweep, SweepRow};

/// Marks the best figure of a column.
const BEST: char = '*';

/// The figures of one test in percent; `None` where there was nothing to compare.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// One for each column of the table.
    pub values: Vec<Option<f64>>,
    /// The outcomes by subject, if the result has them.
    pub outcomes: Option<Outcomes>,
}

/// The test of one row with one seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Index of the row in the sweep.
    pub row: usize,
    /// Seed of the training.
    pub seed: u64,
    /// Its figures.
    pub score: Score,
}

/// A figure over all seeds that are done so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// The mean.
    pub mean: f64,
    /// The smallest and the largest value.
    pub range: (f64, f64),
    /// The standard deviation (with n - 1), if there are two seeds or more.
    pub deviation: Option<f64>,
}

impl Figure {
    fn of(values: &[f64]) -> Option<Self> {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
        let range = values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), v| {
            (least.min(*v), most.max(*v))
        });
        let deviation = (values.len() > 1).then(|| (squares / (count - 1.0)).sqrt());
        (!values.is_empty()).then_some(Self { mean, range, deviation })
    }
}

/// The rows of a sweep with the figures known so far.
#[derive(Clone, Debug)]
pub struct ResultTable {
    sweep: Sweep,
    metric: String,
    metric_key: String,
    columns: Vec<String>,
    published: bool,
    runs: Vec<Run>,
    pub(super) intervals: Option<SweepIntervals>,
}

impl ResultTable {
    /// An empty table: a column for each group of the protocol's probes, and their mean.
    pub fn new(sweep: Sweep, protocol: &Protocol) -> Self {
        let mut columns: Vec<String> = protocol.group_names().map(str::to_owned).collect();
        if columns.len() > 1 {
            columns.push("Mean".into());
        }
        let metric = protocol.metrics().first();
        let published = sweep.published.as_ref().is_some_and(|p| p.protocol == protocol.name());
        Self {
            sweep,
            metric: metric.map_or_else(String::new, ToString::to_string),
            metric_key: metric.map_or_else(String::new, |m| m.key()),
            columns,
            published,
            runs: Vec::new(),
            intervals: None,
        }
    }

    /// The figures that an earlier test wrote to a file; `None` if there is no such file, or it is
    /// not a result of this table's protocol.
    pub fn read_score(&self, path: &Path) -> Option<Score> {
        let text = std::fs::read_to_string(path).ok()?;
        self.score(&serde_json::from_str(&text).ok()?)
    }

    /// The figures of a test from its result as [`gait_eval::Evaluation::to_json`] writes it;
    /// `None` if it is not a result of this table's protocol.
    pub fn score(&self, result: &Value) -> Option<Score> {
        let figures = result.get(&self.metric_key)?;
        let value = |column: &String| figures.get(group_key(column)).map(Value::as_f64);
        let values = self.columns.iter().map(value).collect::<Option<_>>()?;
        Some(Score { values, outcomes: Outcomes::from_json(result).ok() })
    }

    /// Adds the figures of a test.
    pub fn add(&mut self, run: Run) {
        self.runs.push(run);
    }

    /// The sweep.
    pub fn sweep(&self) -> &Sweep {
        &self.sweep
    }

    /// Name of the metric: `rank-1`.
    pub fn metric(&self) -> &str {
        &self.metric
    }

    /// Names of the groups of probes, and `Mean` if there is more than one.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The results of a row, one for each seed that is done.
    pub(super) fn scores(&self, row: usize) -> impl Iterator<Item = &Score> {
        self.runs.iter().filter(move |run| run.row == row).map(|run| &run.score)
    }

    /// Our figure over the seeds that are done; `None` if none is.
    pub fn ours(&self, row: usize, column: usize) -> Option<Figure> {
        let values: Vec<f64> = self.scores(row).filter_map(|score| score.values[column]).collect();
        Figure::of(&values)
    }

    /// The published figure; `None` if there is none or another protocol measured it.
    pub fn published(&self, row: usize, column: usize) -> Option<f64> {
        let key = group_key(&self.columns[column]);
        self.sweep.rows[row].published.get(key).copied().filter(|_| self.published)
    }

    /// Whether any published figure is shown.
    pub fn shows_published(&self) -> bool {
        let mut cells = (0..self.sweep.rows.len())
            .flat_map(|row| (0..self.columns.len()).map(move |column| (row, column)));
        cells.any(|(row, column)| self.published(row, column).is_some())
    }

    /// One line for each row and seed, then for each row the mean over seeds, of several the
    /// standard deviation, and the ends of the confidence interval if they were computed.
    pub fn to_csv(&self) -> String {
        let shown: Vec<usize> =
            (0..self.columns.len()).filter(|_| self.shows_published()).collect();
        let mut heading = self.sweep.columns.clone();
        heading.extend(["row".to_string(), "seed".to_string()]);
        heading.extend(self.columns.clone());
        heading.extend(shown.iter().map(|&c| format!("published {}", self.columns[c])));
        let mut lines = vec![csv_line(&heading)];
        for (at, row) in self.sweep.rows.iter().enumerate() {
            let mut line = |seed: String, values: Vec<Option<f64>>| {
                let mut cells = row.labels.clone();
                cells.extend([row.name.clone(), seed]);
                let published = shown.iter().map(|&column| self.published(at, column));
                let figures = values.into_iter().chain(published);
                cells.extend(figures.map(|v| v.map_or_else(String::new, |v| v.to_string())));
                lines.push(csv_line(&cells));
            };
            for run in self.runs.iter().filter(|run| run.row == at) {
                line(run.seed.to_string(), run.score.values.clone());
            }
            let figures: Vec<_> = (0..self.columns.len()).map(|c| self.ours(at, c)).collect();
            line("mean".into(), figures.iter().map(|f| f.map(|f| f.mean)).collect());
            if figures.iter().flatten().any(|f| f.deviation.is_some()) {
                let deviations = figures.iter().map(|f| f.and_then(|f| f.deviation));
                line("deviation".into(), deviations.collect());
            }
            if let Some(intervals) = &self.intervals {
                let ends = &intervals.rows[at];
                line("low".into(), ends.iter().map(|i| i.map(|i| i.low)).collect());
                line("high".into(), ends.iter().map(|i| i.map(|i| i.high)).collect());
            }
        }
        lines.concat()
    }

    /// The figures of a column as they are printed, the best ones marked.
    fn marked(&self, values: &[Option<f64>], texts: Vec<String>) -> Vec<String> {
        let tenths = |v: f64| (v * 10.0).round();
        let best = values.iter().flatten().map(|v| tenths(*v)).fold(f64::NEG_INFINITY, f64::max);
        let mark = |(value, text): (&Option<f64>, String)| match value {
            Some(v) if tenths(*v) == best => format!("{text}{BEST}"),
            _ => format!("{text} "),
        };
        values.iter().zip(texts).map(mark).collect()
    }

    /// The cells of one column, ours and the published ones, each under its heading.
    fn printed(&self, column: usize) -> Vec<Vec<String>> {
        let rows = 0..self.sweep.rows.len();
        let ours: Vec<_> = rows.clone().map(|row| self.ours(row, column)).collect();
        let means: Vec<_> = ours.iter().map(|f| f.map(|f| f.mean)).collect();
        let text = |figure: &Option<Figure>| match figure {
            Some(Figure { mean, deviation: Some(d), .. }) => format!("{mean:.1} ±{d:.1}"),
            Some(Figure { mean, .. }) => format!("{mean:.1}"),
            None => "-".into(),
        };
        let shows = self.shows_published();
        let mut cells = vec![format!("{} ", self.columns[column])];
        cells.extend(shows.then(|| "ours ".into()));
        cells.extend(self.marked(&means, ours.iter().map(text).collect()));
        let mut blocks = vec![cells];
        if shows {
            let values: Vec<_> = rows.map(|row| self.published(row, column)).collect();
            let texts = values.iter().map(|v| v.map_or_else(|| "-".into(), |v| format!("{v:.1}")));
            let mut cells = vec![String::new(), "paper ".into()];
            cells.extend(self.marked(&values, texts.collect()));
            blocks.push(cells);
        }
        blocks
    }
}

impl fmt::Display for ResultTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sweep { name, about, columns, rows, .. } = &self.sweep;
        writeln!(f, "{name}: {about}, {} accuracy (%)", self.metric)?;
        let figures: Vec<_> = (0..self.columns.len()).flat_map(|c| self.printed(c)).collect();
        let labels: Vec<Vec<String>> = (0..columns.len())
            .map(|at| {
                let blank = self.shows_published().then(String::new);
                let heading = blank.into_iter().chain([columns[at].clone()]);
                heading.chain(rows.iter().map(|row: &SweepRow| row.labels[at].clone())).collect()
            })
            .collect();
        let lines = figures.first().map_or(0, Vec::len);
        for line in 0..lines {
            let mut text = String::new();
            for cells in &labels {
                text += &format!("{:w$}  ", cells[line], w = width(cells));
            }
            for cells in &figures {
                text += &format!("{:>w$}  ", cells[line], w = width(cells));
            }
            writeln!(f, "{}", text.trim_end())?;
        }
        writeln!(f, "{BEST} best of its column")?;
        if let Some(published) = self.sweep.published.as_ref().filter(|_| self.shows_published()) {
            writeln!(f, "paper: {}", published.source)?;
        }
        self.intervals.iter().try_for_each(|intervals| intervals.write(self, f))
    }
}

pub(super) fn width(cells: &[String]) -> usize {
    cells.iter().map(|cell| cell.chars().count()).max().unwrap_or(0)
}

/// What results and sweeps call the group of a column.
pub(super) fn group_key(column: &str) -> &str {
    if column == "Mean" { "mean" } else { column }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SWEEP: &str = r#"
        name = "mine"
        about = "two networks"
        columns = ["A", "B"]
        published = { protocol = "casia-b", source = "a paper" }
        row = [
            { name = "one", labels = ["✓", ""], published = { NM = 90.0, mean = 80.0 } },
            { name = "two", labels = ["", "x, y"], published = { NM = 89.0, mean = 81.0 } },
        ]
    "#;

    fn table(protocol: &str, seeds: &[u64]) -> ResultTable {
        let sweep = Sweep::from_toml("mine", SWEEP).unwrap();
        let mut table = ResultTable::new(sweep, &Protocol::builtin(protocol).unwrap());
        for row in 0..2 {
            for &seed in seeds {
                let nm = 50.0 + 10.0 * row as f64 + seed as f64;
                let figures =
                    json!({ "NM": nm, "BG": 20.0, "CL": null, "mean": 35.04, "ALL": 7.5 });
                let score = table.score(&json!({ "rank1": figures })).unwrap();
                table.add(Run { row, seed, score });
            }
        }
        table
    }

    fn check(printed: &str, expected: &str) {
        assert_eq!(printed, expected, "\n{printed}");
    }

    #[test]
    fn published_figures_stand_beside_ours_and_the_best_are_marked() {
        check(
            &table("casia-b", &[1]).to_string(),
            "\
mine: two networks, rank-1 accuracy (%)
           NM             BG             CL           Mean
A  B     ours   paper   ours   paper   ours   paper   ours   paper
✓        51.0    90.0*  20.0*      -      -       -   35.0*   80.0
   x, y  61.0*   89.0   20.0*      -      -       -   35.0*   81.0*
* best of its column
paper: a paper
",
        );
    }

    #[test]
    fn several_seeds_give_a_mean_and_its_deviation() {
        let table = table("casia-b", &[1, 3]);
        assert!(table.to_string().contains("52.0 ±1.4"), "{table}");
        let figure = table.ours(1, 0).unwrap();
        assert_eq!((figure.mean, figure.range), (62.0, (61.0, 63.0)));
    }

    #[test]
    fn another_protocol_shows_its_own_groups_and_no_published_figure() {
        let table = table("leave-one-out", &[1]);
        assert_eq!(table.columns(), ["ALL"]);
        assert!(!table.to_string().contains("paper"), "{table}");
        assert_eq!(table.to_csv().lines().next(), Some("A,B,row,seed,ALL"));
    }

    #[test]
    fn the_csv_has_a_line_for_each_row_and_seed_and_the_means() {
        let csv = table("casia-b", &[1, 3]).to_csv();
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(lines.len(), 1 + 2 * 4);
        assert!(lines[0].starts_with("A,B,row,seed,NM,BG,CL,Mean,published NM"), "{csv}");
        assert_eq!(lines[1], "✓,,one,1,51,20,,35.04,90,,,80");
        assert!(lines[3].starts_with("✓,,one,mean,52,20,,35.04,"), "{csv}");
        assert!(lines[5].starts_with(",\"x, y\",two,1,61,"), "{csv}");
    }

    #[test]
    fn a_result_of_another_kind_is_no_score() {
        assert!(table("casia-b", &[]).score(&json!({ "rank1": { "ALL": 1.0 } })).is_none());
    }
}
