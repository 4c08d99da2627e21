//! Checks that settings describe a network, before anything is built.

use super::plan::{self, LayerKind, LayerPlan};
use crate::mask::mask_size;
use crate::settings::{
    AtTest, Branches, LocalPartition, MaskUnit, ModelSettings, Requirement, SettingsError, Stem,
};

/// The largest sizes that are allowed, far beyond any published network: a wrong digit in a file
/// should give an error instead of taking all the memory.
const MOST_STAGES: usize = 32;
const MOST_LAYERS: usize = 1024;
const MOST_CHANNELS: usize = plan::LARGEST;
const MOST_PIXELS: usize = 4096;
const LONGEST_KERNEL: usize = 255;
const MOST_FRAMES: usize = 4096;
const MOST_DRAWS: usize = 1024;
/// Ten times the largest published network.
const MOST_PARAMETERS: f64 = 1e9;

impl ModelSettings {
    /// Checks that the settings describe a network.
    ///
    /// # Errors
    /// Names the first key whose value cannot be used, and the values that are allowed.
    pub fn check(&self) -> Result<(), SettingsError> {
        self.check_lists()?;
        self.check_numbers()?;
        self.check_kernel()?;
        self.check_maps()?;
        if self.branches != Branches::Global {
            self.check_local()?;
        }
        self.check_size(1)
    }

    /// Checks that the network with a classifier of `classes` classes fits into memory.
    ///
    /// # Errors
    /// Names the channels.
    pub(super) fn check_size(&self, classes: usize) -> Result<(), SettingsError> {
        let product = |shape: &Vec<usize>| shape.iter().map(|&size| size as f64).product::<f64>();
        let parameters: f64 = plan::shapes(self, classes).values().map(product).sum();
        if parameters <= MOST_PARAMETERS {
            return Ok(());
        }
        let requirement = Requirement::FewerParameters { parameters, most: MOST_PARAMETERS };
        Err(self.invalid_channels(requirement))
    }

    fn check_lists(&self) -> Result<(), SettingsError> {
        let stages = self.channels.len();
        if stages == 0 {
            return Err(self.invalid_channels(Requirement::OneStage));
        }
        if stages > MOST_STAGES {
            let requirement = Requirement::AtMostEntries(MOST_STAGES);
            return Err(invalid_length("model.channels", stages, requirement));
        }
        let lengths = [("model.layers", self.layers.len()), ("model.pools", self.pools.len())];
        for (key, length) in lengths {
            if length != stages {
                return Err(invalid_length(key, length, Requirement::OnePerStage { stages }));
            }
        }
        let lists = [
            ("model.channels", &self.channels, MOST_CHANNELS),
            ("model.layers", &self.layers, MOST_LAYERS / MOST_STAGES),
        ];
        for (key, list, most) in lists {
            if !list.iter().all(|size| (1..=most).contains(size)) {
                let requirement = Requirement::UpToForEveryStage { most };
                return Err(SettingsError::invalid(key, format!("{list:?}"), requirement));
            }
        }
        if self.stem == Stem::Conv && stages < 2 {
            return Err(self.invalid_channels(Requirement::StageAfterStem));
        }
        Ok(())
    }

    fn check_numbers(&self) -> Result<(), SettingsError> {
        for (key, value, most) in [
            ("model.height", self.height, MOST_PIXELS),
            ("model.width", self.width, MOST_PIXELS),
            ("model.lta_stride", self.lta_stride, LONGEST_KERNEL),
        ] {
            if !(1..=most).contains(&value) {
                return Err(SettingsError::invalid(key, value, one_to(most)));
            }
        }
        if !(self.gem_start.is_finite() && self.gem_start > 0.0) {
            let requirement = Requirement::Positive;
            return Err(SettingsError::invalid("model.gem_start", self.gem_start, requirement));
        }
        Ok(())
    }

    fn check_kernel(&self) -> Result<(), SettingsError> {
        let [_, rows, columns] = self.lta_kernel;
        let bounded = self.lta_kernel.iter().all(|size| (1..=LONGEST_KERNEL).contains(size));
        if !bounded || rows % 2 == 0 || columns % 2 == 0 {
            let requirement = Requirement::OddKernel { most: LONGEST_KERNEL };
            let kernel = format!("{:?}", self.lta_kernel);
            return Err(SettingsError::invalid("model.lta_kernel", kernel, requirement));
        }
        let needed = plan::fewest_frames(self);
        if needed > MOST_FRAMES {
            let requirement = Requirement::FewerFrames { needed, most: MOST_FRAMES };
            return Err(SettingsError::invalid("model.lta_stride", self.lta_stride, requirement));
        }
        Ok(())
    }

    fn check_maps(&self) -> Result<(), SettingsError> {
        let layers = plan::layers(self);
        for pool in layers.iter().filter(|layer| layer.kind == LayerKind::SpatialPool) {
            let layer = pool.name.clone();
            if pool.height % 2 != 0 || pool.height == 0 {
                let requirement = Requirement::EvenRows { layer, rows: pool.height };
                return Err(SettingsError::invalid("model.height", self.height, requirement));
            }
            if pool.width < 2 {
                let requirement = Requirement::TwoColumns { layer };
                return Err(SettingsError::invalid("model.width", self.width, requirement));
            }
        }
        let [_, rows, _] = plan::final_map(self);
        let [_, strips] = plan::strips(self);
        if !rows.is_multiple_of(strips) {
            let requirement = Requirement::DividesRows { rows };
            return Err(SettingsError::invalid("model.strips", strips, requirement));
        }
        Ok(())
    }

    fn check_local(&self) -> Result<(), SettingsError> {
        let local = &self.local;
        if !(local.ratio > 0.0 && local.ratio < 1.0) {
            let requirement = Requirement::InsideUnitInterval;
            return Err(SettingsError::invalid("model.local.ratio", local.ratio, requirement));
        }
        if local.at_test == AtTest::MeanOfK && !(1..=MOST_DRAWS).contains(&local.draws) {
            let requirement = one_to(MOST_DRAWS);
            return Err(SettingsError::invalid("model.local.draws", local.draws, requirement));
        }
        plan::global_local_layers(self).iter().try_for_each(|layer| self.check_regions(layer))
    }

    /// Checks that the map of a layer can be cut into regions.
    fn check_regions(&self, plan: &LayerPlan) -> Result<(), SettingsError> {
        let local = &self.local;
        let &LayerPlan { height, width, .. } = plan;
        let layer = plan.name.clone();
        let (length, unit) = match local.partition {
            LocalPartition::Bands => {
                if (1..=height).contains(&local.bands) {
                    return Ok(());
                }
                let requirement = Requirement::UpToRows { layer, rows: height };
                return Err(SettingsError::invalid("model.local.bands", local.bands, requirement));
            }
            LocalPartition::PartH | LocalPartition::StripH => (height, MaskUnit::Rows),
            LocalPartition::PartV | LocalPartition::StripV => (width, MaskUnit::Columns),
            LocalPartition::Pixel => (height * width, MaskUnit::Pixels),
        };
        let requirement = match mask_size(local, length) {
            0 => Requirement::TakesSome { layer, length, unit },
            taken if taken >= length => Requirement::LeavesSome { layer, length, unit },
            _ => return Ok(()),
        };
        Err(SettingsError::invalid("model.local.ratio", local.ratio, requirement))
    }

    fn invalid_channels(&self, requirement: Requirement) -> SettingsError {
        SettingsError::invalid("model.channels", format!("{:?}", self.channels), requirement)
    }
}

fn one_to(most: usize) -> Requirement {
    Requirement::Between { least: 1, most: most as u64 }
}

fn invalid_length(key: &'static str, length: usize, requirement: Requirement) -> SettingsError {
    SettingsError::invalid(key, format!("a list of {length}"), requirement)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Pool;
    use crate::settings::presets;

    fn refused(change: impl Fn(&mut ModelSettings), key: &str, requirement: &str) {
        let mut settings = presets::model("paper-small").unwrap();
        change(&mut settings);
        let message = settings.check().unwrap_err().to_string();
        assert!(message.starts_with(key) && message.contains(requirement), "{message}");
    }

    #[test]
    fn lists_of_different_lengths_are_refused() {
        refused(|s| s.layers = vec![1, 1], "model.layers", "has 3");
        refused(|s| s.pools.push(Pool::None), "model.pools", "has 3");
        refused(|s| s.channels.clear(), "model.channels", "at least one");
        refused(|s| s.channels[1] = 0, "model.channels", "expected 1 to 65536");
        refused(
            |s| {
                s.stem = Stem::Conv;
                (s.channels, s.layers, s.pools) = (vec![8], vec![1], vec![Pool::None]);
            },
            "model.channels",
            "two stages",
        );
    }

    #[test]
    fn sizes_that_make_no_map_are_refused() {
        refused(|s| s.height = 0, "model.height", "expected 1 to 4096");
        refused(|s| s.height = 33, "model.height", "stages.1.pool halves 33 rows");
        refused(|s| s.width = 1, "model.width", "stages.1.pool");
        refused(|s| s.lta_kernel = [3, 2, 3], "model.lta_kernel", "odd");
        refused(|s| s.lta_stride = 0, "model.lta_stride", "expected 1 to 255");
        refused(
            |s| s.strips = 48,
            "model.strips",
            "has 64 rows; expected a number that divides them",
        );
        refused(|s| s.strips = 128, "model.strips", "or 0 for one strip per row");
        refused(|s| s.gem_start = f64::NAN, "model.gem_start", "above 0");
    }

    #[test]
    fn local_branches_that_cut_nothing_are_refused() {
        refused(|s| s.local.ratio = 1.0, "model.local.ratio", "less than 1");
        refused(
            |s| s.local.ratio = 0.04,
            "model.local.ratio",
            "none of the 22 columns of stages.2.layers.0",
        );
        // An interval has both of its ends, so 21.1 of 22 columns are all of them.
        for (partition, ratio, layer) in [
            (LocalPartition::PartV, 0.96, "all of the 22 columns of stages.2.layers.0"),
            (LocalPartition::PartH, 0.99, "all of the 64 rows of stages.0.layers.0"),
        ] {
            refused(
                |s| (s.local.partition, s.local.ratio) = (partition, ratio),
                "model.local.ratio",
                layer,
            );
        }
        refused(
            |s| {
                s.local.partition = LocalPartition::Bands;
                s.local.bands = 33;
            },
            "model.local.bands",
            "stages.2.layers.0 has 32 rows",
        );
        refused(
            |s| {
                s.local.at_test = AtTest::MeanOfK;
                s.local.draws = 0;
            },
            "model.local.draws",
            "expected 1 to 1024",
        );
    }

    #[test]
    fn the_smallest_and_the_largest_interval_of_the_paper_are_allowed() {
        for name in ["paper-small", "paper-large"] {
            for partition in [LocalPartition::PartH, LocalPartition::PartV] {
                for ratio in [0.001, 0.1, 0.9] {
                    let mut settings = presets::model(name).unwrap();
                    settings.local.partition = partition;
                    settings.local.ratio = ratio;
                    settings.check().unwrap();
                }
            }
        }
    }

    #[test]
    fn sizes_that_would_take_all_memory_are_refused_before_they_do() {
        let huge = 1_000_000_000_000;
        refused(|s| s.channels[0] = huge, "model.channels", "expected 1 to 65536");
        refused(|s| s.channels = vec![60_000; 3], "model.channels", "would have 9.1e11 parameters");
        refused(|s| s.channels = vec![8; 1000], "model.channels", "expected at most 32");
        refused(|s| s.layers[0] = huge, "model.layers", "expected 1 to 32");
        refused(|s| s.height = huge, "model.height", "expected 1 to 4096");
        refused(|s| s.lta_kernel = [huge, 3, 3], "model.lta_kernel", "1 to 255 frames");
        refused(|s| s.lta_kernel = [3, 3, huge + 1], "model.lta_kernel", "1 to 255 frames");
        refused(
            |s| {
                (s.channels, s.layers) = (vec![8; 20], vec![1; 20]);
                (s.pools, s.lta_stride) = (vec![Pool::Lta; 20], 200);
            },
            "model.lta_stride",
            "would need",
        );
        refused(
            |s| (s.local.at_test, s.local.draws) = (AtTest::MeanOfK, huge),
            "model.local.draws",
            "expected 1 to 1024",
        );
    }

    #[test]
    fn the_local_branch_is_not_checked_where_it_does_not_run() {
        let mut settings = presets::model("paper-small").unwrap();
        settings.branches = Branches::Global;
        settings.local.ratio = 7.0;
        settings.check().unwrap();
    }
}
