//! Sweeps: data files that say which settings are compared, checked when loaded.

use std::collections::BTreeMap;

use gait_support::io_reason;
use gait_support::{did_you_mean, nearest};
use serde::Deserialize;
use toml::Table;

use crate::settings::{Settings, SettingsError, one_line};

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
    /// Headings of the columns that tell the rows apart.
    pub columns: Vec<String>,
    /// Settings of all rows, over the base.
    #[serde(default)]
    pub set: Table,
    /// Where the published figures come from, if there are any.
    pub published: Option<Published>,
    /// Drawn as curves; left out, as one mark for each row.
    pub plot: Option<Curves>,
    /// The rows, in the order in which they are printed.
    #[serde(default, rename = "row")]
    pub rows: Vec<Row>,
}

/// One row: a network and the way it is tested.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Its name, by which messages and the plot call it.
    pub name: String,
    /// What stands in the columns; left out, the name in the first one.
    #[serde(default)]
    pub labels: Vec<String>,
    /// Its settings, over those of the sweep.
    #[serde(default)]
    pub set: Table,
    /// Published figures in percent, by group of probes and `mean`.
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
pub struct Published {
    /// The protocol by which they were measured; they are only shown beside figures by the same.
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

/// A sweep that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AblationError {
    /// The file says something that cannot be understood.
    #[error("sweep {sweep}: {problem}")]
    Sweep {
        /// The sweep's name, or the file that it was read from.
        sweep: String,
        /// What is wrong, and how to mend it.
        problem: String,
    },
    /// A row makes no network.
    #[error("sweep {sweep}, row `{row}`: {source}")]
    Row {
        /// The sweep's name.
        sweep: String,
        /// The row's name.
        row: String,
        /// What is wrong with its settings.
        source: Box<SettingsError>,
    },
    /// No sweep has this name.
    #[error(
        "unknown sweep `{name}`{}; known: {}, or a file ending in .toml",
        did_you_mean(.nearest.as_ref()),
        .known.join(", ")
    )]
    Unknown {
        /// The name.
        name: String,
        /// The most similar one, if one is similar.
        nearest: Option<String>,
        /// All names.
        known: Vec<String>,
    },
    /// The file cannot be read.
    #[error("cannot read the sweep {path}: {}", io_reason(.source))]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

macro_rules! builtins {
    ($($name:literal),* $(,)?) => {
        const BUILTINS: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../ablations/", $name, ".toml")))),*];
    };
}

builtins!["table5", "table6", "table7", "fig4", "readings", "at-test"];

impl Sweep {
    /// The sweep of a name: one that comes with the program, or a file ending in `.toml`.
    ///
    /// # Errors
    /// An unknown name, a file that cannot be read, or as [`Sweep::from_toml`].
    pub fn load(name: &str) -> Result<Self, AblationError> {
        if let Some((_, text)) = BUILTINS.iter().find(|(known, _)| *known == name) {
            return Self::from_toml(name, text);
        }
        if std::path::Path::new(name).extension().is_some_and(|ending| ending == "toml") {
            let text = std::fs::read_to_string(name)
                .map_err(|source| AblationError::Read { path: name.into(), source })?;
            return Self::from_toml(name, &text);
        }
        let known: Vec<String> = Self::builtin_names().map(String::from).collect();
        Err(AblationError::Unknown { name: name.into(), nearest: nearest(name, &known), known })
    }

    /// The names of the sweeps that come with the program.
    pub fn builtin_names() -> impl Iterator<Item = &'static str> {
        BUILTINS.iter().map(|(name, _)| *name)
    }

    /// A sweep from the text of a TOML file; `origin` names the file in messages.
    ///
    /// # Errors
    /// The line and what is wrong with it, or the row.
    pub fn from_toml(origin: &str, text: &str) -> Result<Self, AblationError> {
        let fail = |problem| AblationError::Sweep { sweep: origin.into(), problem };
        let mut sweep: Self = toml::from_str(text).map_err(|error| fail(one_line(&error)))?;
        for row in &mut sweep.rows {
            if row.labels.is_empty() {
                row.labels = vec![String::new(); sweep.columns.len()];
                row.labels.iter_mut().take(1).for_each(|label| label.clone_from(&row.name));
            }
        }
        sweep.problem().map_or(Ok(sweep), |problem| Err(fail(problem)))
    }

    /// What is wrong with a sweep that could be read.
    fn problem(&self) -> Option<String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if self.name.is_empty() || !self.name.chars().all(plain) {
            return Some(format!(
                "name = {:?} becomes the name of files; write it with letters, digits and - only",
                self.name
            ));
        }
        if self.columns.is_empty() {
            return Some("columns is empty; name what tells the rows apart".into());
        }
        if self.rows.is_empty() {
            return Some("it has no rows; add one as [[row]]".into());
        }
        let mut seen: Vec<&str> = Vec::new();
        for row in &self.rows {
            let name = row.name.as_str();
            if name.is_empty() {
                return Some("a row has an empty name; give it one".into());
            }
            if seen.contains(&name) {
                return Some(format!("two rows are named `{name}`; rename one"));
            }
            seen.push(name);
            if let Some(problem) = self.row_problem(row) {
                return Some(format!("row `{name}`: {problem}"));
            }
        }
        None
    }

    fn row_problem(&self, row: &Row) -> Option<String> {
        let (labels, columns) = (row.labels.len(), self.columns.len());
        if labels != columns {
            return Some(format!(
                "it has {labels} labels for {columns} columns; give one for each"
            ));
        }
        for set in [&self.set, &row.set] {
            if set.contains_key("preset") {
                return Some("a preset cannot be set; give it with --preset or --config".into());
            }
            let train = set.get("train").and_then(toml::Value::as_table);
            if train.is_some_and(|train| train.contains_key("seed")) {
                return Some("train.seed cannot be set; give --seeds".into());
            }
        }
        if !row.published.is_empty() && self.published.is_none() {
            return Some("it has published figures; say whose they are in [published]".into());
        }
        if let Some((group, _)) = row.published.iter().find(|(_, v)| !(0.0..=100.0).contains(*v)) {
            return Some(format!("published.{group} is no percentage; give 0 to 100"));
        }
        match (&self.plot, &row.series, row.x) {
            (None, None, None) => None,
            (Some(_), Some(_), Some(x)) if x.is_finite() => None,
            (Some(_), ..) => Some("a sweep with plot.x needs series and x in every row".into()),
            (None, ..) => Some("series and x need plot.x = \"what x is\" in the sweep".into()),
        }
    }

    /// The settings of a row, over those that all rows start from.
    ///
    /// # Errors
    /// An unknown key or a value that cannot be used, with the row.
    pub fn settings(&self, row: &Row, base: &Settings) -> Result<Settings, AblationError> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::GaitGl;
    use crate::settings::{Branches, Partition};

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
        assert_eq!(settings(5).local.partition, Partition::StripH);
        assert_eq!(sweep.rows[7].published["mean"], 93.2);
        let curves = Sweep::load("fig4").unwrap();
        for row in &curves.rows {
            let local = curves.settings(row, &base()).unwrap().model.local;
            assert_eq!(Some(local.ratio), row.x);
        }
    }

    /// The rest of a sweep whose beginning is whole.
    fn refused(rest: &str, told: &[&str]) {
        let text = format!("name = \"mine\"\nabout = \"x\"\ncolumns = [\"A\"]\n{rest}");
        let sweep = Sweep::from_toml("mine.toml", &text);
        let message = match sweep {
            Err(error) => error.to_string(),
            Ok(sweep) => sweep.settings(&sweep.rows[0], &base()).unwrap_err().to_string(),
        };
        assert!(message.contains("mine") && !message.contains('\n'), "{message}");
        assert!(told.iter().all(|part| message.contains(part)), "{message}");
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_its_row() {
        refused("", &["mine.toml", "no rows"]);
        refused("[[row]]\nname = \"a\"\n[[row]]\nname = \"a\"", &["two rows", "`a`"]);
        refused("[[row]]\nname = \"a\"\nsets = 1", &["line 6", "sets"]);
        refused("color = 1\n[[row]]\nname = \"a\"", &["line 4", "color"]);
        refused("[[row]]\nname = \"a\"\nlabels = [\"x\", \"y\"]", &["row `a`", "2 labels"]);
        refused("[[row]]\nname = \"a\"\nset.preset = \"x\"", &["row `a`", "--preset"]);
        refused("[[row]]\nname = \"a\"\nset.train.seed = 3", &["row `a`", "--seeds"]);
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
