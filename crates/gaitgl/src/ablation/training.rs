//! Which network a row needs: rows that differ only at test share one training.

use toml::{Table, Value};

use gait_data::PreparedSet;
use gait_eval::{Distance, Protocol};

use super::AblationError;
use crate::settings::{
    AtTest, Branches, LastJoin, LocalPartition, LocalSettings, Pool, Settings, SettingsError,
    SpatialPooling,
};

/// A training and the name of its run folder.
#[derive(Clone, Debug, PartialEq)]
pub struct Training {
    /// The settings, with one checkpoint kept and no tests during training.
    pub settings: Settings,
    /// A readable name that ends in a hash of everything that determines the weights.
    pub name: String,
}

impl Training {
    /// The training of some settings on a set.
    ///
    /// # Errors
    /// Settings that cannot be written down.
    pub fn new(settings: &Settings, set: &PreparedSet) -> Result<Self, AblationError> {
        Ok(Self::on(settings, &data_key(set)?)?)
    }

    fn on(settings: &Settings, data: &str) -> Result<Self, SettingsError> {
        let hash = short_hash(&format!("{}\n{data}", weights_key(settings)?));
        let name = format!("{}-{hash}", summary(settings));
        let mut settings = settings.clone();
        settings.train.keep = 1;
        settings.train.test_every = 0;
        Ok(Self { settings, name })
    }

    /// Whether settings lead to the same weights on the same data.
    pub(super) fn agrees(&self, settings: &Settings) -> Result<bool, SettingsError> {
        Ok(weights_key(&self.settings)? == weights_key(settings)?)
    }
}

/// A name for one way to test a network, which ends in a hash of everything that the figures depend
/// on beside the weights.
pub(super) fn test_name(settings: &Settings, protocol: &Protocol, distance: Distance) -> String {
    let local = test_key(settings);
    let hash = short_hash(&format!("{}\n{}\n{distance}", local.join(" "), protocol.fingerprint()));
    let how = local.first().map_or_else(String::new, |how| format!("-{how}"));
    format!("test-{}{how}-{hash}", protocol.name())
}

/// The settings that the weights depend on, as TOML: without those that matter only for tests, the
/// log or the disk, and those of a local branch that does not run. The usual join and draw are left
/// out too, so that the names given before these could be set stay as they are.
fn weights_key(settings: &Settings) -> Result<String, SettingsError> {
    let mut whole = settings.to_table()?;
    whole.remove("preset");
    let beside = [
        "keep",
        "test_every",
        "test_subjects",
        "protocol",
        "log_every",
        "tensorboard",
        "checkpoint_every",
    ];
    for key in beside {
        inner(&mut whole, "train").map(|train| train.remove(key));
    }
    if settings.model.branches == Branches::Global {
        inner(&mut whole, "model").map(|model| model.remove("local"));
    }
    if !settings.train.batch.with_replacement {
        let train = inner(&mut whole, "train");
        train.and_then(|train| inner(train, "batch")).map(|batch| batch.remove("with_replacement"));
    }
    if settings.model.branches != Branches::Both || settings.model.last_join == LastJoin::Stack {
        inner(&mut whole, "model").map(|model| model.remove("last_join"));
    }
    if let Some(local) = inner(&mut whole, "model").and_then(|model| inner(model, "local")) {
        for key in ["at_test", "draws", "seed"] {
            local.remove(key);
        }
        let bands = settings.model.local.partition == LocalPartition::Bands;
        local.remove(if bands { "ratio" } else { "bands" });
    }
    toml::to_string(&whole).map_err(SettingsError::unwritable)
}

fn inner<'a>(table: &'a mut Table, key: &str) -> Option<&'a mut Table> {
    table.get_mut(key).and_then(Value::as_table_mut)
}

/// The settings that matter only at test: none if no mask is random.
fn test_key(settings: &Settings) -> Vec<String> {
    let LocalSettings { partition, at_test, draws, seed, .. } = settings.model.local;
    if settings.model.branches == Branches::Global || partition == LocalPartition::Bands {
        return Vec::new();
    }
    match at_test {
        AtTest::Expected => vec!["expected".into()],
        AtTest::Plain => vec!["plain".into()],
        AtTest::Seeded => vec!["seeded".into(), seed.to_string()],
        AtTest::MeanOfK => vec![format!("mean-of-{draws}"), seed.to_string()],
    }
}

/// Identifies a set by what it holds, wherever it is stored.
fn data_key(set: &PreparedSet) -> Result<String, AblationError> {
    let about = set.about();
    let parts = (&about.settings, &about.counts, &about.partition, about.bytes);
    Ok(serde_json::to_string(&parts).map_err(SettingsError::unwritable)?)
}

/// The settings that ablations usually change: `both-strip-v-0.3-gem-lta-sp-seed-1`.
fn summary(settings: &Settings) -> String {
    let model = &settings.model;
    let local = &model.local;
    let mut parts = vec![name_of(model.branches)];
    if model.branches != Branches::Global {
        parts.push(name_of(local.partition));
        parts.push(match local.partition {
            LocalPartition::Bands => local.bands.to_string(),
            _ => local.ratio.to_string(),
        });
        parts.push(name_of(local.reading));
    }
    parts.push(name_of::<SpatialPooling>(model.spatial_pooling));
    parts.extend(model.pools.iter().filter(|p| **p != Pool::None).map(|p| name_of(*p)));
    parts.push(format!("seed-{}", settings.train.seed));
    parts.join("-")
}

/// A choice as configuration files write it.
fn name_of<T: serde::Serialize>(choice: T) -> String {
    let value = Value::try_from(choice).ok();
    value.as_ref().and_then(Value::as_str).unwrap_or_default().to_string()
}

/// Eight digits distinguish the trainings of a folder; whoever reuses one also compares settings.
fn short_hash(text: &str) -> String {
    format!("{:08x}", crc32fast::hash(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ablation::Sweep;

    fn names(sweep: &str, assignments: &[&str]) -> Vec<String> {
        let assignments: Vec<String> = assignments.iter().map(|a| a.to_string()).collect();
        let base = Settings::assemble(Some("paper-small"), None, &assignments).unwrap();
        let sweep = Sweep::load(sweep).unwrap();
        let rows = sweep.rows.iter();
        rows.map(|row| Training::on(&sweep.settings(row, &base).unwrap(), "a set").unwrap().name)
            .collect()
    }

    fn distinct(mut names: Vec<String>) -> usize {
        names.sort();
        names.dedup();
        names.len()
    }

    #[test]
    fn rows_that_differ_at_test_share_a_training() {
        assert_eq!(distinct(names("at-test", &[])), 1);
        assert_eq!(distinct(names("readings", &[])), 3);
        assert_eq!(distinct(names("fig4", &[])), 33);
    }

    #[test]
    fn tables_share_the_full_network() {
        let full = &names("table5", &[])[6];
        assert_eq!(&names("table6", &[])[3], full);
        assert_eq!(&names("table7", &[])[2], full);
        assert_eq!(&names("at-test", &[])[0], full);
        assert!(names("fig4", &[]).contains(full));
    }

    #[test]
    fn another_budget_or_seed_or_set_is_another_training() {
        let plain = &names("at-test", &[])[0];
        for other in ["train.iterations=7", "train.seed=2", "train.batch.frames=20"] {
            assert_ne!(&names("at-test", &[other])[0], plain, "{other}");
        }
        for same in [
            "train.log_every=7",
            "train.keep=9",
            "train.checkpoint_every=7",
            "train.protocol=leave-one-out",
        ] {
            assert_eq!(&names("at-test", &[same])[0], plain, "{same}");
        }
        let settings = Settings::preset("paper-small").unwrap();
        let name = |data| Training::on(&settings, data).unwrap().name;
        assert_ne!(name("a"), name("b"));
    }

    #[test]
    fn a_branch_that_does_not_run_is_no_difference() {
        let globals = |ratio: &str| names("table5", &[ratio])[0].clone();
        assert_eq!(globals("model.local.ratio=0.2"), globals("model.local.ratio=0.4"));
        let bands = |ratio: &str| names("table5", &[ratio])[2].clone();
        assert_eq!(bands("model.local.ratio=0.2"), bands("model.local.ratio=0.4"));
    }

    #[test]
    fn the_join_is_a_difference_where_there_are_two_branches() {
        let with = |row: usize, join: &str| names("table5", &[join])[row].clone();
        let stack = "model.last_join=stack";
        let sum = "model.last_join=sum";
        assert_eq!((with(0, stack), with(1, stack)), (with(0, sum), with(1, sum)));
        assert_ne!(with(6, stack), with(6, sum));
        let settings = Settings::preset("paper-small").unwrap();
        assert!(!weights_key(&settings).unwrap().contains("last_join"));
    }

    #[test]
    fn ways_to_test_are_told_apart_where_masks_are_random() {
        let protocol = Protocol::builtin("casia-b").unwrap();
        let name = |sweep: &str, row: usize, set: &str| {
            let sweep = Sweep::load(sweep).unwrap();
            let base = Settings::assemble(None, None, &[set.to_string()]).unwrap();
            let settings = sweep.settings(&sweep.rows[row], &base).unwrap();
            test_name(&settings, &protocol, Distance::Strips)
        };
        let ways = (0..4).map(|row| name("at-test", row, "model.local.draws=3")).collect();
        assert_eq!(distinct(ways), 4);
        let one = "model.local.seed=1";
        let two = "model.local.seed=2";
        assert_eq!(name("at-test", 0, one), name("at-test", 0, two));
        assert_ne!(name("at-test", 1, one), name("at-test", 1, two));
        let plain = "model.local.at_test=plain";
        assert_eq!(name("table5", 0, plain), name("table5", 0, one));
        assert_eq!(name("table5", 2, plain), name("table5", 2, one));
    }
}
