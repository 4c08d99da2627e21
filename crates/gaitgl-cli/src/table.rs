//! Tables of text in a terminal.

use std::fmt;

/// Rows of texts under headings. A column whose texts are all numbers is aligned on the right.
pub struct Table {
    /// The headings first.
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new<const N: usize>(headings: [&str; N]) -> Self {
        Self { rows: vec![headings.map(str::to_owned).into()] }
    }

    /// Adds a row with a text for each heading.
    pub fn row<const N: usize>(&mut self, texts: [String; N]) {
        self.rows.push(texts.into());
    }

    fn column(&self, at: usize) -> impl Iterator<Item = &str> {
        self.rows.iter().map(move |row| row.get(at).map_or("", String::as_str))
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = 0..self.rows.first().map_or(0, Vec::len);
        let widths: Vec<usize> =
            columns.clone().map(|at| self.column(at).map(width).max().unwrap_or(0)).collect();
        let numeric: Vec<bool> = columns.map(|at| self.column(at).skip(1).all(is_number)).collect();
        for (number, row) in self.rows.iter().enumerate() {
            let mut line = String::new();
            for ((text, &most), &right) in row.iter().zip(&widths).zip(&numeric) {
                let pad = " ".repeat(most - width(text));
                line += &if right { format!("{pad}{text}  ") } else { format!("{text}{pad}  ") };
            }
            let end = if number + 1 == self.rows.len() { "" } else { "\n" };
            write!(f, "{}{end}", line.trim_end())?;
        }
        Ok(())
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// Whether a text is a number, perhaps of a unit, or says that there is none.
fn is_number(text: &str) -> bool {
    text.is_empty() || text == "-" || text.trim_end_matches(['%', ' ']).parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_on_the_right_and_texts_on_the_left() {
        let mut table = Table::new(["name", "n", "rate"]);
        table.row(["李".to_owned(), "12".to_owned(), "1.5%".to_owned()]);
        table.row(["anna".to_owned(), "7".to_owned(), "-".to_owned()]);
        assert_eq!(table.to_string(), "name   n  rate\n李     12  1.5%\nanna   7     -");
        assert_eq!(Table::new(["name"]).to_string(), "name");
    }
}
