//! Tables of text in a terminal.

use std::fmt;

/// A column: its heading, and on which side its texts are aligned.
#[derive(Clone, Copy)]
pub enum Column {
    Left(&'static str),
    Right(&'static str),
}

impl Column {
    fn heading(self) -> &'static str {
        match self {
            Self::Left(heading) | Self::Right(heading) => heading,
        }
    }

    fn aligned(self, text: &str, width: usize) -> String {
        match self {
            Self::Left(_) => format!("{text:<width$}"),
            Self::Right(_) => format!("{text:>width$}"),
        }
    }
}

/// Rows of texts under headings.
pub struct Table<const N: usize> {
    columns: [Column; N],
    /// The headings first.
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    pub fn new(columns: [Column; N]) -> Self {
        Self { columns, rows: vec![columns.map(|column| column.heading().to_owned())] }
    }

    /// Adds a row with a text for each column.
    pub fn row(&mut self, texts: [String; N]) {
        self.rows.push(texts);
    }
}

impl<const N: usize> fmt::Display for Table<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |at: usize| self.rows.iter().map(|row| row[at].chars().count()).max();
        let line = |row: &[String; N]| {
            let texts = (0..N).map(|at| self.columns[at].aligned(&row[at], width(at).unwrap_or(0)));
            texts.collect::<Vec<String>>().join("  ").trim_end().to_owned()
        };
        f.write_str(&self.rows.iter().map(line).collect::<Vec<String>>().join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_text() {
        let mut table = Table::new([Column::Left("name"), Column::Right("n"), Column::Left("why")]);
        table.row(["李".to_owned(), "12".to_owned(), "old".to_owned()]);
        table.row(["annabel".to_owned(), "7".to_owned(), String::new()]);
        assert_eq!(table.to_string(), "name      n  why\n李        12  old\nannabel   7");
    }
}
