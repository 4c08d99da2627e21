//! Tables for a terminal: names, and figures under headings.

use std::fmt;

/// The widest line; further columns continue in another block.
const LINE: usize = 120;

/// How many rows of groups and their mean, which is the last, are shown: the mean of a single group is
/// that group.
pub(crate) fn shown_rows(rows: usize) -> usize {
    if rows == 2 { 1 } else { rows }
}

/// Two names and the figures beside them.
pub(crate) type Row = ([String; 2], Vec<String>);

/// Names to the left, right-aligned figures under their headings.
pub(crate) struct Grid {
    pub headings: Vec<String>,
    pub rows: Vec<Row>,
}

impl fmt::Display for Grid {
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

pub(crate) fn width(text: &str) -> usize {
    text.chars().count()
}

/// With as many decimals as papers print, or a dash.
pub(crate) fn percent(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |v| format!("{v:.decimals$}"))
}
