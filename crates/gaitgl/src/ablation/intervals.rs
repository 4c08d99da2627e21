//! Confidence intervals of the figures of a sweep.

use std::fmt;

use gait_eval::{ComparisonError, Confidence, Interval, Outcomes, RESAMPLES, Watch};

use super::ResultTable;
use super::table::{group_key, width};

/// The intervals of a table.
#[derive(Clone, Debug)]
pub(super) struct SweepIntervals {
    confidence: Confidence,
    /// By row and column of the table; `None` where a row has no outcomes by subject yet.
    pub rows: Vec<Vec<Option<Interval>>>,
}

impl ResultTable {
    /// Computes the confidence intervals of all figures, by a bootstrap over the test subjects. The
    /// outcomes of each subject are averaged over the seeds first, so the intervals show what other
    /// subjects would change, not what other seeds would.
    ///
    /// # Errors
    /// Results of different tests in one row; the watch asks to stop.
    pub fn find_intervals(
        &mut self,
        confidence: Confidence,
        watch: &Watch,
    ) -> Result<(), ComparisonError> {
        let count = self.sweep().rows.len();
        let mut rows = Vec::new();
        for row in 0..count {
            rows.push(self.intervals_of(row, confidence, watch)?);
            watch.report(rows.len() as u64, count as u64);
        }
        self.intervals = Some(SweepIntervals { confidence, rows });
        Ok(())
    }

    fn intervals_of(
        &self,
        row: usize,
        confidence: Confidence,
        watch: &Watch,
    ) -> Result<Vec<Option<Interval>>, ComparisonError> {
        let outcomes: Option<Vec<Outcomes>> =
            self.scores(row).map(|score| score.outcomes.clone()).collect();
        let Some(outcomes) = outcomes.filter(|outcomes| !outcomes.is_empty()) else {
            return Ok(vec![None; self.columns().len()]);
        };
        let watch = Watch { progress: &|_, _| {}, ..*watch };
        let found = Outcomes::mean_of(&outcomes)?.intervals(confidence, &watch)?;
        let interval = |column: &String| {
            let row = found.rows.iter().position(|row| row == group_key(column))?;
            found.figures[row].first()?.map(|(_, interval)| interval)
        };
        Ok(self.columns().iter().map(interval).collect())
    }
}

impl SweepIntervals {
    /// Prints the intervals below the table that they belong to.
    pub fn write(&self, table: &ResultTable, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sure = self.confidence.percent;
        writeln!(
            f,
            "\n{sure}% confidence intervals: bootstrap over subjects, {RESAMPLES} resamples"
        )?;
        let rows = &table.sweep().rows;
        let mut columns = vec![vec![String::new()]];
        columns[0].extend(rows.iter().map(|row| row.name.clone()));
        for (at, name) in table.columns().iter().enumerate() {
            let cell = |row: &Vec<Option<Interval>>| {
                row[at].map_or_else(|| "-".to_owned(), |interval| interval.to_string())
            };
            let mut cells = vec![name.clone()];
            cells.extend(self.rows.iter().map(cell));
            columns.push(cells);
        }
        for line in 0..=rows.len() {
            let mut text = format!("{:w$}", columns[0][line], w = width(&columns[0]));
            for cells in &columns[1..] {
                text += &format!("  {:>w$}", cells[line], w = width(cells));
            }
            writeln!(f, "{text}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ablation::{Run, Score, Sweep};
    use gait_eval::{Distance, Embeddings, Protocol, evaluate};

    /// The result of 40 people of whom every fourth is mistaken for the one after; the last of them
    /// has nobody after.
    fn score(table: &ResultTable, protocol: &Protocol) -> Score {
        let mut values = Vec::new();
        let mut names = Vec::new();
        for subject in 0..40u8 {
            let mistaken = u8::from(subject % 4 == 3);
            for (condition, value) in [("nm-01", subject), ("nm-05", subject + mistaken)] {
                values.push(f32::from(value));
                names.push((format!("{subject:03}"), condition.to_owned(), "090".to_owned()));
            }
        }
        let embeddings = Embeddings::new(1, 1, values, names).unwrap();
        let result = evaluate(&embeddings, protocol, Distance::Strips, &Watch::silent()).unwrap();
        table.score(&result.to_json(0.0)).unwrap()
    }

    #[test]
    fn intervals_are_printed_and_written_for_rows_that_are_done() {
        let text = "name = \"mine\"\nabout = \"x\"\ncolumns = [\"A\"]\n[[row]]\nname = \"one\"\n\
                    [[row]]\nname = \"two\"";
        let protocol = Protocol::builtin("casia-b").unwrap();
        let mut table = ResultTable::new(Sweep::from_toml("mine", text).unwrap(), &protocol);
        for seed in [1, 2] {
            let score = score(&table, &protocol);
            table.add(Run { row: 0, seed, score });
        }
        let confidence = Confidence { percent: 95.0, seed: 1 };
        table.find_intervals(confidence, &Watch::silent()).unwrap();
        let rows = &table.intervals.as_ref().unwrap().rows;
        let found = rows[0][0].unwrap();
        // 31 of 40 are right: 77.5% with a standard error of 6.6%.
        assert!((found.low - 64.6).abs() < 2.6 && (found.high - 90.4).abs() < 2.6, "{found}");
        assert_eq!(rows[1], [None; 4]);
        let printed = table.to_string();
        assert!(printed.contains("\n95% confidence intervals"), "{printed}");
        assert!(printed.contains(&format!("\none  {found}")), "{printed}");
        let csv = table.to_csv();
        assert!(csv.contains(&format!("\none,one,low,{},,,", found.low)), "{csv}");
        assert!(csv.contains("\ntwo,two,high,,,,\n"), "{csv}");
    }
}
