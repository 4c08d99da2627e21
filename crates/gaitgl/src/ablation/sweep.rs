//! Sweeps: data files that say which settings are compared, checked when loaded.

use std::collections::BTreeMap;

use gait_support::{FileError, nearest};
use serde::Deserialize;
use toml::Table;

use super::{AblationError, RowFault, SweepFault};
use crate::settings::Settings;

/// A table of networks that differ by some settings.
///
/// The format is that of the files in `ablations/`, which `ablations/README.md` describes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    /// Its name: `table5`.
    pub name: String,
    /// What is compared.
    pub about: String,
    /// Headings of the columns that distinguish the rows.
    pub columns: Vec<String>,
    /// Settings of all rows, over the base.
    #[serde(default)]
    pub set: Table,
    /// Where the published figures come from, if there are any.
    pub published: Option<FigureSource>,
    /// Set if the sweep is drawn as curves; otherwise it is drawn as one mark for each row.
    pub plot: Option<Curves>,
    /// The rows, in the order in which they are printed.
    #[serde(default, rename = "row")]
    pub rows: Vec<SweepRow>,
}

/// One row: a network and the way it is tested.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SweepRow {
    /// Its name in messages and in the plot.
    pub name: String,
    /// Its text in the columns; by default the name in the first one.
    #[serde(default)]
    pub labels: Vec<String>,
    /// Its settings, over those of the sweep.
    #[serde(default)]
    pub set: Table,
    /// Published figures in percent, for each group of probes and `mean`.
    #[serde(default)]
    pub published: BTreeMap<String, f64>,
    /// The curve that it belongs to.
    pub series: Option<String>,
    /// Its place on the curve.
    pub x: Option<f64>,
}

/// Where published figures come from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FigureSource {
    /// The protocol that measured them; they are shown only beside figures of the same protocol.
    pub protocol: String,
    /// The note under the table: whose figures, on which data.
    pub source: String,
}

/// How a sweep is drawn as curves: one panel for each `series`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Curves {
    /// What `x` is.
    pub x: String,
}

macro_rules! builtins {
    ($($name:literal),* $(,)?) => {
        const BUILTINS: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../ablations/", $name, ".toml")))),*];
    };
}

builtins!["table5", "table6", "table7", "fig4", "readings", "neck", "at-test"];

impl Sweep {
    /// The sweep of that name: a built-in one, or a file ending in `.toml`.
    ///
    /// # Errors
    /// An unknown name, a file that cannot be read, or as [`Sweep::from_toml`].
    pub fn load(name: &str) -> Result<Self, AblationError> {
        if let Some((_, text)) = BUILTINS.iter().find(|(known, _)| *known == name) {
            return Self::from_toml(name, text);
        }
        if std::path::Path::new(name).extension().is_some_and(|extension| extension == "toml") {
            let text = std::fs::read_to_string(name).map_err(|e| FileError::io("read", name, e))?;
            return Self::from_toml(name, &text);
        }
        let known: Vec<String> = Self::builtin_names().map(String::from).collect();
        Err(AblationError::Unknown { name: name.into(), nearest: nearest(name, &known), known })
    }

    /// The names of the built-in sweeps.
    pub fn builtin_names() -> impl Iterator<Item = &'static str> {
        BUILTINS.iter().map(|(name, _)| *name)
    }

    /// A sweep from the text of a TOML file; `origin` names the file in messages.
    ///
    /// # Errors
    /// What is wrong, with its line or its row.
    pub fn from_toml(origin: &str, text: &str) -> Result<Self, AblationError> {
        let fail = |source| AblationError::Sweep { sweep: origin.into(), source };
        let mut sweep: Self = toml::from_str(text).map_err(|error| fail(syntax(text, &error)))?;
        for row in &mut sweep.rows {
            if row.labels.is_empty() {
                row.labels = vec![String::new(); sweep.columns.len()];
                row.labels.iter_mut().take(1).for_each(|label| label.clone_from(&row.name));
            }
        }
        sweep.check().map_err(fail)?;
        Ok(sweep)
    }

    /// Checks a sweep that could be read.
    fn check(&self) -> Result<(), SweepFault> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if self.name.is_empty() || !self.name.chars().all(plain) {
            return Err(SweepFault::Name(self.name.clone()));
        }
        if self.columns.is_empty() {
            return Err(SweepFault::NoColumns);
        }
        if self.rows.is_empty() {
            return Err(SweepFault::NoRows);
        }
        for (at, row) in self.rows.iter().enumerate() {
            if row.name.is_empty() {
                return Err(SweepFault::UnnamedRow);
            }
            if self.rows[..at].iter().any(|earlier| earlier.name == row.name) {
                return Err(SweepFault::RepeatedRow(row.name.clone()));
            }
            self.check_row(row)
                .map_err(|source| SweepFault::Row { row: row.name.clone(), source })?;
        }
        Ok(())
    }

    fn check_row(&self, row: &SweepRow) -> Result<(), RowFault> {
        let labels = row.labels.len();
        let columns = self.columns.len();
        if labels != columns {
            return Err(RowFault::Labels { labels, columns });
        }
        for set in [&self.set, &row.set] {
            if set.contains_key("preset") {
                return Err(RowFault::Preset);
            }
            let train = set.get("train").and_then(toml::Value::as_table);
            if train.is_some_and(|train| train.contains_key("seed")) {
                return Err(RowFault::Seed);
            }
        }
        if !row.published.is_empty() && self.published.is_none() {
            return Err(RowFault::UnknownSource);
        }
        if let Some((group, _)) = row.published.iter().find(|(_, v)| !(0.0..=100.0).contains(*v)) {
            return Err(RowFault::Percentage(group.clone()));
        }
        match (&self.plot, &row.series, row.x) {
            (None, None, None) => Ok(()),
            (Some(_), Some(_), Some(x)) if x.is_finite() => Ok(()),
            (Some(_), ..) => Err(RowFault::NoPlace),
            (None, ..) => Err(RowFault::NoCurves),
        }
    }

    /// The settings of a row: the base, changed by those of the sweep and then by those of the row.
    ///
    /// # Errors
    /// An unknown key or a value that cannot be used, with the row.
    pub fn settings(&self, row: &SweepRow, base: &Settings) -> Result<Settings, AblationError> {
        let place = "set";
        let settings = base.overlay(&self.set, place).and_then(|s| s.overlay(&row.set, place));
        let checked = settings.and_then(|settings| settings.check().map(|()| settings));
        checked.map_err(|source| AblationError::Row {
            sweep: self.name.clone(),
            row: row.name.clone(),
            source: Box::new(source),
        })
    }
}

/// Where in a text TOML or a value of it is wrong.
fn syntax(text: &str, error: &toml::de::Error) -> SweepFault {
    let start = error.span().map_or(0, |span| span.start);
    let before = text.get(..start).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    SweepFault::Syntax { line, message: error.message().replace('\n', " ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::GaitGl;
    use crate::settings::{Branches, LocalPartition};
    use gait_support::full_message;

    fn base() -> Settings {
        let mut base = Settings::preset("paper-small").unwrap();
        base.model.channels = vec![2, 3, 4];
        base
    }

    #[test]
    fn every_built_in_sweep_makes_networks() {
        let rows = [8, 4, 4, 33, 3, 4];
        for (name, rows) in Sweep::builtin_names().zip(rows) {
            let sweep = Sweep::load(name).unwrap();
            assert_eq!((sweep.name.as_str(), sweep.rows.len()), (name, rows));
            for row in &sweep.rows {
                let settings = sweep.settings(row, &base()).unwrap();
                GaitGl::new(&settings.model, 3, 1, &crate::cpu()).unwrap();
            }
        }
    }

    #[test]
    fn rows_are_what_they_say() {
        let sweep = Sweep::load("table5").unwrap();
        let settings = |row: usize| sweep.settings(&sweep.rows[row], &base()).unwrap().model;
        assert_eq!(settings(0).branches, Branches::Global);
        assert_eq!(settings(1).branches, Branches::Local);
        assert_eq!(settings(5).local.partition, LocalPartition::StripH);
        assert_eq!(sweep.rows[7].published["mean"], 93.2);
        let curves = Sweep::load("fig4").unwrap();
        for row in &curves.rows {
            let local = curves.settings(row, &base()).unwrap().model.local;
            assert_eq!(Some(local.ratio), row.x);
        }
    }

    /// Checks the message about a sweep that ends in `rest`.
    fn refused(rest: &str, parts: &[&str]) {
        let text = format!("name = \"mine\"\nabout = \"x\"\ncolumns = [\"A\"]\n{rest}");
        let sweep = Sweep::from_toml("mine.toml", &text);
        let message = match sweep {
            Err(error) => full_message(&error),
            Ok(sweep) => full_message(&sweep.settings(&sweep.rows[0], &base()).unwrap_err()),
        };
        assert!(message.contains("mine") && !message.contains('\n'), "{message}");
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_its_row() {
        refused("", &["mine.toml", "no rows"]);
        refused("[[row]]\nname = \"a\"\n[[row]]\nname = \"a\"", &["two rows", "`a`"]);
        refused("[[row]]\nname = \"a\"\nsets = 1", &["line 6", "sets"]);
        refused("color = 1\n[[row]]\nname = \"a\"", &["line 4", "color"]);
        refused("[[row]]\nname = \"a\"\nlabels = [\"x\", \"y\"]", &["row `a`", "2 labels"]);
        refused("[[row]]\nname = \"a\"\nset.preset = \"x\"", &["row `a`", "preset"]);
        refused("[[row]]\nname = \"a\"\nset.train.seed = 3", &["row `a`", "train.seed"]);
        refused("[[row]]\nname = \"a\"\npublished = { NM = 1.0 }", &["row `a`", "[published]"]);
        refused("[[row]]\nname = \"a\"\nx = 1.0", &["row `a`", "plot.x"]);
        refused("plot.x = \"r\"\n[[row]]\nname = \"a\"\nx = 1.0", &["row `a`", "series"]);
        refused(
            "[[row]]\nname = \"a\"\nset.model.local.ratoi = 0.5",
            &["row `a`", "did you mean `model.local.ratio`"],
        );
        refused(
            "[[row]]\nname = \"a\"\nset.model.local.ratio = 1.5",
            &["row `a`", "model.local.ratio"],
        );
    }

    #[test]
    fn an_unknown_sweep_names_the_nearest() {
        let message = Sweep::load("table-5").unwrap_err().to_string();
        assert!(message.contains("did you mean `table5`"), "{message}");
        assert!(Sweep::load("none.toml").unwrap_err().to_string().contains("none.toml"));
    }
}
