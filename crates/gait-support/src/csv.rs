//! Comma-separated values, as spreadsheets read them.

/// One line: cells that hold a comma, a quote or the end of a line are quoted.
pub fn csv_line<T: AsRef<str>>(cells: impl IntoIterator<Item = T>) -> String {
    let quoted = |cell: T| {
        let cell = cell.as_ref();
        if cell.contains([',', '"', '\n', '\r']) {
            return format!("\"{}\"", cell.replace('"', "\"\""));
        }
        cell.to_owned()
    };
    let cells: Vec<String> = cells.into_iter().map(quoted).collect();
    cells.join(",") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_where_they_must_be() {
        assert_eq!(csv_line(["a b", "c,d", "e\"f", "g\r"]), "a b,\"c,d\",\"e\"\"f\",\"g\r\"\n");
        assert_eq!(csv_line(["", ""]), ",\n");
    }
}
