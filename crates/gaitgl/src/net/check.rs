//! Settings that make no network are refused before anything is built, each by its key.

use super::plan::{self, LayerKind};
use crate::mask::mask_size;
use crate::settings::{AtTest, Branches, ModelSettings, Partition, SettingsError, Stem, invalid};

/// The largest sizes that are taken, far beyond any published network: a wrong digit in a file
/// should end in a message, not in all the memory.
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
    /// Checks that the settings make a network.
    ///
    /// # Errors
    /// Names the first key whose value cannot be used, and what to write instead.
    pub fn check(&self) -> Result<(), SettingsError> {
        self.check_lists()?;
        self.check_numbers()?;
        self.check_maps()?;
        if self.branches != Branches::Global {
            self.check_local()?;
        }
        self.check_size(1)
    }

    /// Checks that the network is no larger than memories are.
    ///
    /// # Errors
    /// Names the channels.
    pub(super) fn check_size(&self, classes: usize) -> Result<(), SettingsError> {
        let product = |shape: &Vec<usize>| shape.iter().map(|&size| size as f64).product::<f64>();
        let parameters: f64 = plan::shapes(self, classes).values().map(product).sum();
        if parameters <= MOST_PARAMETERS {
            return Ok(());
        }
        let mend =
            format!("the network would have {parameters:.1e} parameters; give fewer channels");
        Err(invalid("model.channels", format!("{:?}", self.channels), &mend))
    }

    fn check_lists(&self) -> Result<(), SettingsError> {
        if self.channels.is_empty() {
            return Err(invalid("model.channels", "[]", "give the channels of at least one stage"));
        }
        let stages = self.channels.len();
        if stages > MOST_STAGES {
            let mend = format!("give at most {MOST_STAGES}");
            return Err(invalid("model.channels", format!("a list of {stages}"), &mend));
        }
        let mend = format!("give one per stage; model.channels has {stages}");
        for (key, length) in
            [("model.layers", self.layers.len()), ("model.pools", self.pools.len())]
        {
            if length != stages {
                return Err(invalid(key, format!("a list of {length}"), &mend));
            }
        }
        let lists = [
            ("model.channels", &self.channels, MOST_CHANNELS),
            ("model.layers", &self.layers, MOST_LAYERS / MOST_STAGES),
        ];
        for (key, list, most) in lists {
            if !list.iter().all(|size| (1..=most).contains(size)) {
                let mend = format!("give 1 to {most} for every stage");
                return Err(invalid(key, format!("{list:?}"), &mend));
            }
        }
        if self.stem == Stem::Conv && stages < 2 {
            let mend = "give two stages or more; the first one is the stem";
            return Err(invalid("model.channels", format!("{:?}", self.channels), mend));
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
                return Err(invalid(key, value, &format!("give 1 to {most}")));
            }
        }
        let [_, rows, columns] = self.lta_kernel;
        let whole = self.lta_kernel.iter().all(|size| (1..=LONGEST_KERNEL).contains(size));
        if !whole || rows % 2 == 0 || columns % 2 == 0 {
            let mend =
                format!("give 1 to {LONGEST_KERNEL} frames, and odd numbers of rows and columns");
            return Err(invalid("model.lta_kernel", format!("{:?}", self.lta_kernel), &mend));
        }
        let fewest = plan::fewest_frames(self);
        if fewest > MOST_FRAMES {
            let mend = format!("the network would need {fewest} frames; give a smaller stride");
            return Err(invalid("model.lta_stride", self.lta_stride, &mend));
        }
        if !(self.gem_start.is_finite() && self.gem_start > 0.0) {
            return Err(invalid("model.gem_start", self.gem_start, "give a number above 0"));
        }
        Ok(())
    }

    fn check_maps(&self) -> Result<(), SettingsError> {
        for plan in plan::layers(self) {
            if plan.kind == LayerKind::SpatialPool {
                if plan.height % 2 != 0 || plan.height == 0 {
                    let mend = format!(
                        "{} halves {} rows; give a height that every `sp` halves evenly",
                        plan.name, plan.height
                    );
                    return Err(invalid("model.height", self.height, &mend));
                }
                if plan.width < 2 {
                    let mend = format!("{} has no two columns left; give more", plan.name);
                    return Err(invalid("model.width", self.width, &mend));
                }
            }
        }
        let [_, rows, _] = plan::final_map(self);
        let [_, strips] = plan::strips(self);
        if !rows.is_multiple_of(strips) {
            let mend = format!(
                "the final map has {rows} rows; give a number that divides them, or 0 for one \
                 strip per row"
            );
            return Err(invalid("model.strips", strips, &mend));
        }
        Ok(())
    }

    fn check_local(&self) -> Result<(), SettingsError> {
        let local = &self.local;
        if !(local.ratio > 0.0 && local.ratio < 1.0) {
            return Err(invalid("model.local.ratio", local.ratio, "give more than 0, less than 1"));
        }
        if local.at_test == AtTest::MeanOfK && !(1..=MOST_DRAWS).contains(&local.draws) {
            let mend = format!("give 1 to {MOST_DRAWS}");
            return Err(invalid("model.local.draws", local.draws, &mend));
        }
        for plan in plan::global_local_layers(self) {
            let (height, width) = (plan.height, plan.width);
            let (length, what) = match local.partition {
                Partition::Bands => {
                    if local.bands == 0 || local.bands > height {
                        let mend = format!("{} has {height} rows; give 1 to {height}", plan.name);
                        return Err(invalid("model.local.bands", local.bands, &mend));
                    }
                    continue;
                }
                Partition::PartH | Partition::StripH => (height, "rows"),
                Partition::PartV | Partition::StripV => (width, "columns"),
                Partition::Pixel => (height * width, "pixels"),
            };
            if mask_size(local.ratio, length) == 0 {
                let mend =
                    format!("it takes none of the {length} {what} of {}; give more", plan.name);
                return Err(invalid("model.local.ratio", local.ratio, &mend));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Pool;
    use crate::settings::presets;

    fn refused(change: impl Fn(&mut ModelSettings), key: &str, mend: &str) {
        let mut settings = presets::model("paper-small").unwrap();
        change(&mut settings);
        let message = settings.check().unwrap_err().to_string();
        assert!(message.starts_with(key) && message.contains(mend), "{message}");
    }

    #[test]
    fn lists_of_different_lengths_are_refused() {
        refused(|s| s.layers = vec![1, 1], "model.layers", "has 3");
        refused(|s| s.pools.push(Pool::None), "model.pools", "has 3");
        refused(|s| s.channels.clear(), "model.channels", "at least one");
        refused(|s| s.channels[1] = 0, "model.channels", "give 1 to 65536");
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
        refused(|s| s.height = 0, "model.height", "give 1 to 4096");
        refused(|s| s.height = 33, "model.height", "stages.1.pool halves 33 rows");
        refused(|s| s.width = 1, "model.width", "stages.1.pool");
        refused(|s| s.lta_kernel = [3, 2, 3], "model.lta_kernel", "odd");
        refused(|s| s.lta_stride = 0, "model.lta_stride", "give 1 to 255");
        refused(|s| s.strips = 48, "model.strips", "has 64 rows; give a number that divides them");
        refused(|s| s.strips = 128, "model.strips", "or 0 for one strip per row");
        refused(|s| s.gem_start = f64::NAN, "model.gem_start", "above 0");
    }

    #[test]
    fn local_branches_that_cut_nothing_are_refused() {
        refused(|s| s.local.ratio = 1.0, "model.local.ratio", "less than 1");
        refused(|s| s.local.ratio = 0.04, "model.local.ratio", "22 columns of stages.2.layers.0");
        refused(
            |s| {
                s.local.partition = Partition::Bands;
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
            "give 1 to 1024",
        );
    }

    #[test]
    fn sizes_that_would_take_all_memory_are_refused_before_they_do() {
        let huge = 1_000_000_000_000;
        refused(|s| s.channels[0] = huge, "model.channels", "give 1 to 65536");
        refused(|s| s.channels = vec![60_000; 3], "model.channels", "would have 9.1e11 parameters");
        refused(|s| s.channels = vec![8; 1000], "model.channels", "give at most 32");
        refused(|s| s.layers[0] = huge, "model.layers", "give 1 to 32");
        refused(|s| s.height = huge, "model.height", "give 1 to 4096");
        refused(|s| s.lta_kernel = [huge, 3, 3], "model.lta_kernel", "1 to 255 frames");
        refused(|s| s.lta_kernel = [3, 3, huge + 1], "model.lta_kernel", "1 to 255 frames");
        refused(
            |s| {
                (s.channels, s.layers) = (vec![8; 20], vec![1; 20]);
                (s.pools, s.lta_stride) = (vec![Pool::Lta; 20], 200);
            },
            "model.lta_stride",
            "give a smaller stride",
        );
        refused(
            |s| (s.local.at_test, s.local.draws) = (AtTest::MeanOfK, huge),
            "model.local.draws",
            "give 1 to 1024",
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
