//! The published figures of the protocols and the sweeps against those of the paper, which
//! `reference/paper_tables.txt` has as a text of its own.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;

use gait_eval::{Protocol, PublishedRow};
use gaitgl::ablation::Sweep;

/// The paper's name of a method, for each label of ours that differs from it.
const OURS: [(&str, &str); 2] = [("GaitGL", "Ours"), ("GaitGL 2021", "Our preliminary")];

/// A row of a table: its cells by the name of their column.
type Row = BTreeMap<String, String>;

/// The rows of one of the paper's tables.
fn table(number: u8) -> Vec<Row> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../reference/paper_tables.txt");
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let lines = lines.skip_while(|line| *line != format!("table {number}")).skip(1);
    let mut lines = lines.take_while(|line| !line.starts_with("table "));
    let columns: Vec<&str> = lines.next().unwrap().split(',').collect();
    let row = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        assert_eq!(cells.len(), columns.len(), "{line}");
        columns.iter().zip(cells).map(|(c, cell)| (c.to_string(), cell.to_owned())).collect()
    };
    lines.map(row).collect()
}

/// The rows of the only published table of a protocol.
fn published(protocol: &str) -> Vec<PublishedRow> {
    let protocol = Protocol::builtin(protocol).unwrap();
    let [table] = protocol.published() else { panic!("{}: not one table", protocol.name()) };
    assert!(table.source.contains("GaitGL paper"), "{}", table.source);
    table.rows.clone()
}

/// What a protocol publishes in the form of the text: for each method and group, the figures by
/// metric and by view.
fn as_text(protocol: &str) -> Vec<(String, String, BTreeMap<String, f64>)> {
    let metrics = Protocol::builtin(protocol).unwrap().metrics().to_vec();
    let mut rows = Vec::new();
    for row in published(protocol) {
        let named = OURS.iter().find(|(label, _)| *label == row.label);
        let method = named.map_or(row.label.as_str(), |(_, method)| method);
        for (group, figures) in &row.groups {
            let of_metrics = metrics.iter().zip(&figures.values);
            let of_metrics = of_metrics.filter_map(|(m, v)| Some((m.to_string(), (*v)?)));
            let view = |(view, figure): &(String, f64)| {
                (view.parse::<u32>().unwrap().to_string(), *figure)
            };
            let figures = of_metrics.chain(figures.views.iter().map(view)).collect();
            rows.push((method.to_owned(), group.clone(), figures));
        }
    }
    rows
}

/// Checks a protocol against the rows of a table that are of it. `group` names the group of a row,
/// and `metrics` pairs its columns with metrics; other columns with numbers for names are views.
fn check(protocol: &str, rows: &[Row], group: impl Fn(&Row) -> String, metrics: &[(&str, &str)]) {
    let mut ours = as_text(protocol);
    let mut theirs = Vec::new();
    for row in rows {
        let name = |column: &String| {
            let metric = metrics.iter().find(|(printed, _)| printed == column);
            let view = column.parse::<u32>().ok().map(|view| view.to_string());
            metric.map(|(_, metric)| metric.to_string()).or(view)
        };
        let printed = row.iter().filter(|(_, cell)| !cell.is_empty());
        let figure = |(column, cell): (&String, &String)| {
            Some((name(column)?, cell.parse::<f64>().unwrap()))
        };
        theirs.push((row["method"].clone(), group(row), printed.filter_map(figure).collect()));
    }
    let key = |row: &(String, String, BTreeMap<String, f64>)| (row.0.clone(), row.1.clone());
    ours.sort_by_key(key);
    theirs.sort_by_key(key);
    assert!(!theirs.is_empty());
    assert_eq!(ours, theirs, "{protocol}");
}

#[test]
fn table_1_is_that_of_casia_b() {
    check("casia-b", &table(1), |row| row["probe"].clone(), &[("Mean", "rank-1")]);
}

#[test]
fn table_2_is_that_of_both_protocols_of_ou_mvlp() {
    for (protocol, probes) in [("ou-mvlp", "all"), ("ou-mvlp-valid", "valid")] {
        let mut rows = table(2);
        rows.retain(|row| row["probes"] == probes);
        check(protocol, &rows, |_| "00".to_owned(), &[("Mean", "rank-1")]);
    }
    assert!(table(2).iter().all(|row| ["all", "valid"].contains(&row["probes"].as_str())));
}

#[test]
fn table_3_is_that_of_the_official_probes_of_grew() {
    let metrics = [
        ("Rank-1", "rank-1"),
        ("Rank-5", "rank-5"),
        ("Rank-10", "rank-10"),
        ("Rank-20", "rank-20"),
    ];
    check("grew", &table(3), |_| "03".to_owned(), &metrics);
    let protocol = Protocol::builtin("grew").unwrap();
    assert!(protocol.published()[0].other_task.is_some(), "the protocol is a proxy");
}

#[test]
fn table_4_is_that_of_gait3d() {
    let metrics = [("Rank-1", "rank-1"), ("Rank-5", "rank-5"), ("mAP", "mAP"), ("mINP", "mINP")];
    check("gait3d", &table(4), |_| "ALL".to_owned(), &metrics);
}

/// Means over groups are printed for the rows of the ablations only; the last one but one of Table 5
/// is the network of Table 1.
#[test]
fn the_mean_of_the_paper_s_network_is_that_of_the_ablations() {
    let printed: f64 = table(5)[6]["Mean"].parse().unwrap();
    for row in published("casia-b") {
        let expected = (row.label == "GaitGL").then_some(printed);
        assert_eq!(row.mean, [expected], "{}", row.label);
    }
    for protocol in ["ou-mvlp", "ou-mvlp-valid", "grew", "gait3d"] {
        let rows = published(protocol);
        assert!(rows.iter().flat_map(|row| &row.mean).all(Option::is_none), "{protocol}");
    }
}

#[test]
fn the_rows_of_our_presets_have_them() {
    for (protocol, ours, preliminary) in [
        ("casia-b", "paper-small", Some("parts-small")),
        ("ou-mvlp", "paper-large", Some("parts-large")),
        ("ou-mvlp-valid", "paper-large", Some("parts-large")),
        ("grew", "paper-large", None),
        ("gait3d", "paper-large", None),
    ] {
        for row in published(protocol) {
            let expected = match row.label.as_str() {
                "GaitGL" => Some(ours),
                "GaitGL 2021" => preliminary,
                _ => None,
            };
            assert_eq!(row.preset.as_deref(), expected, "{protocol}, {}", row.label);
        }
    }
}

#[test]
fn only_the_tables_of_the_paper_are_published() {
    let with_tables = Protocol::builtin_names()
        .filter(|name| !Protocol::builtin(name).unwrap().published().is_empty());
    let expected = ["casia-b", "ou-mvlp", "ou-mvlp-valid", "grew", "gait3d"];
    assert_eq!(with_tables.collect::<Vec<_>>(), expected);
}

#[test]
fn tables_5_to_7_are_those_of_the_sweeps() {
    for number in [5, 6, 7] {
        let sweep = Sweep::load(&format!("table{number}")).unwrap();
        let printed = table(number);
        assert_eq!(sweep.rows.len(), printed.len(), "table {number}");
        for (ours, theirs) in sweep.rows.iter().zip(&printed) {
            let figures = ["NM", "BG", "CL", "Mean"].map(|column| {
                let key = if column == "Mean" { "mean" } else { column };
                (key.to_owned(), theirs[column].parse().unwrap())
            });
            assert_eq!(ours.published, BTreeMap::from(figures), "table {number}, {}", ours.name);
            for (column, label) in sweep.columns.iter().zip(&ours.labels) {
                let cell = theirs.get(column).or_else(|| theirs.get(&format!("{column} layer")));
                assert_eq!(cell.unwrap(), &label.replace('✓', "x"), "table {number}");
            }
        }
    }
    for sweep in Sweep::builtin_names().filter(|name| !name.starts_with("table")) {
        assert_eq!(Sweep::load(sweep).unwrap().published, None, "{sweep}");
    }
}
