//! Recognises a network by the names and shapes of its tensors.

use std::collections::BTreeMap;

use super::ImportOptions;
use super::error::printable;
use crate::net::plan::{self, LARGEST, Shapes, shapes};
use crate::net::published_names;
use crate::settings::presets;
use crate::settings::{ModelSettings, Neck, Settings, SettingsError};
use crate::weights::TensorProblem;

/// A network that a file may hold.
pub struct Candidate {
    /// Its settings, with the sizes that the shapes show.
    pub settings: Settings,
    /// Classes of the classifier; 1 if there is none.
    pub classes: usize,
    /// Our name of each of the file's tensors, by its name there.
    pub names: BTreeMap<String, String>,
    /// Names that are known but not needed.
    pub dropped: Vec<String>,
    /// Every tensor that is missing, unused or of another shape.
    pub problems: Vec<TensorProblem>,
    /// Tensors whose name and shape fit.
    matching: usize,
}

/// The network that has these shapes, or the most similar one with its problems. `None` if no name
/// is known.
///
/// # Errors
/// An unknown preset or setting; sizes that describe no network.
pub fn recognise(
    found: &Shapes,
    options: &ImportOptions,
) -> Result<Option<Candidate>, SettingsError> {
    let preset = match &options.preset {
        Some(preset) => preset,
        None => match most_similar(found)? {
            Some(preset) => preset,
            None => return Ok(None),
        },
    };
    let mut base = Settings::preset(preset)?;
    let assigned = base.clone().assign(&options.set)?.model;
    // They decide how many rows of a silhouette make one strip, beside sizes that the tensors show.
    base.model.branches = assigned.branches;
    base.model.last_join = assigned.last_join;
    let (fitted, classes) = fitted(found, base, options.height);
    let settings = fitted.assign(&options.set)?;
    if !options.set.is_empty() {
        settings.check()?;
    }
    let candidate = compare(found, settings, classes);
    if candidate.problems.is_empty() {
        candidate.settings.check()?;
    }
    Ok(Some(candidate))
}

/// The preset with the most fitting tensors; `None` if no name is known.
fn most_similar(found: &Shapes) -> Result<Option<&'static str>, SettingsError> {
    let mut best = None;
    for preset in presets::NAMES {
        let (settings, classes) = fitted(found, Settings::preset(preset)?, None);
        let candidate = compare(found, settings, classes);
        let rank = (candidate.problems.is_empty(), candidate.matching);
        if candidate.matching > 0 && best.is_none_or(|(highest, _)| rank > highest) {
            best = Some((rank, preset));
        }
    }
    Ok(best.map(|(_, preset)| preset))
}

/// The published network that has the same tensors. Settings that the tensors do not show may
/// differ.
pub fn published(model: &ModelSettings, classes: usize) -> Option<(&'static str, ModelSettings)> {
    let ours = shapes(model, classes);
    let networks = presets::NAMES.into_iter().filter(|name| !published_names(name).is_empty());
    let mut networks = networks.filter_map(|name| {
        let ModelSettings { height, width, channels, gem_start, .. } = model.clone();
        let [_, strips] = plan::strips(model);
        let network = presets::model(name).ok()?;
        let fits = network.channels.len() == channels.len();
        let sized = ModelSettings { height, width, channels, strips, gem_start, ..network };
        (fits && shapes(&sized, classes) == ours).then_some((name, sized))
    });
    networks.next()
}

/// The names of a network's tensors in PyTorch files, each with ours: the names of the published
/// network, or ours if none was published.
pub fn names(preset: Option<&str>, model: &ModelSettings, classes: usize) -> Vec<(String, String)> {
    let published = preset.map(published_names).unwrap_or_default();
    if published.is_empty() {
        let ours = shapes(model, classes);
        return ours.into_keys().map(|name| (name.clone(), name)).collect();
    }
    published.into_iter().map(|(theirs, ours)| (theirs.into(), ours.into())).collect()
}

fn compare(found: &Shapes, settings: Settings, classes: usize) -> Candidate {
    let published = (!has_our_names(found)).then_some(settings.preset.as_str());
    let names = names(published, &settings.model, classes);
    let wanted = shapes(&settings.model, classes);
    let mut candidate = Candidate {
        settings,
        classes,
        names: BTreeMap::new(),
        dropped: Vec::new(),
        problems: Vec::new(),
        matching: 0,
    };
    for (theirs, ours) in names {
        let Some(shape) = wanted.get(&ours) else { continue };
        match found.get(&theirs) {
            None => {
                let shape = shape.clone();
                candidate.problems.push(TensorProblem::Missing { name: theirs, shape });
            }
            Some(other) if other != shape => {
                let name = theirs.clone();
                let (found, expected) = (other.clone(), shape.clone());
                candidate.problems.push(TensorProblem::Shape { name, found, expected });
                candidate.names.insert(theirs, ours);
            }
            Some(_) => {
                candidate.matching += 1;
                candidate.names.insert(theirs, ours);
            }
        }
    }
    for (name, shape) in found {
        if candidate.names.contains_key(name) {
            continue;
        }
        let counter = name.strip_suffix(BATCHES);
        if counter.is_some_and(|norm| candidate.names.contains_key(&format!("{norm}running_mean")))
        {
            candidate.dropped.push(name.clone());
        } else {
            let name = printable(name);
            candidate.problems.push(TensorProblem::Unused { name, shape: shape.clone() });
        }
    }
    candidate
}

/// The counter of PyTorch's batch norms, which this network does not have.
pub const BATCHES: &str = "num_batches_tracked";

/// Whether a file names its tensors as we do: every network has this one.
fn has_our_names(found: &Shapes) -> bool {
    found.contains_key("head.fc.weight")
}

/// The settings with the channels, strips, classes and, by our names, the neck that the shapes show.
/// Sizes above [`LARGEST`] stay those of the settings, so that they are reported as wrong. No tensor
/// shows the rows of a silhouette: without `height` the final map has one row for each strip.
fn fitted(found: &Shapes, mut settings: Settings, height: Option<usize>) -> (Settings, usize) {
    let ours = has_our_names(found);
    let names = names(Some(&settings.preset), &settings.model, 1);
    let size = |name: &str, axis: usize| {
        let theirs = names.iter().find(|(_, ours)| ours == name).map(|(theirs, _)| theirs.as_str());
        let shape = found.get(if ours { name } else { theirs? })?;
        let size = shape.get(axis).copied();
        size.filter(|size| (1..=LARGEST).contains(size))
    };
    let model = &mut settings.model;
    for (stage, channels) in model.channels.iter_mut().enumerate() {
        let layer =
            ["weight", "global", "local"].map(|kind| format!("stages.{stage}.layers.0.{kind}"));
        let found = layer.iter().find_map(|name| size(name, 0));
        *channels = found.unwrap_or(*channels);
    }
    if let Some(strips) = size("head.fc.weight", 0) {
        let [_, rows, _] = plan::final_map(model);
        model.strips = strips;
        model.height = height.unwrap_or(model.height * strips / rows);
        // As in all published networks.
        model.width = (model.height.saturating_mul(11) / 16).max(1);
    }
    if ours {
        model.neck = neck(found, model.neck, plan::strips(model));
    }
    let classes = size("head.classifier.weight", 2).unwrap_or(1);
    (settings, classes)
}

/// The neck that has the file's tensors, by our names: the given one if it has them. The file does not
/// show whether a classifier is normalised.
fn neck(found: &Shapes, given: Neck, [channels, strips]: [usize; 2]) -> Neck {
    let norm = found.iter().find(|(name, _)| name.starts_with("head.norm."));
    let features = norm.and_then(|(_, shape)| shape.first().copied());
    let classifies = found.contains_key("head.classifier.weight");
    let fits = |neck: &Neck| {
        neck.classifies() == classifies && neck.normed_features(channels, strips) == features
    };
    let necks = [given, Neck::BatchNorm, Neck::Bnneck, Neck::Linear, Neck::None];
    necks.into_iter().find(fits).unwrap_or(given)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::GaitGl;

    fn theirs(preset: &str, classes: usize, channels: &[usize]) -> Shapes {
        let mut settings = Settings::preset(preset).unwrap();
        settings.model.channels = channels.to_vec();
        (settings.model.height, settings.model.width) = (32, 22);
        let ours = shapes(&settings.model, classes);
        names(Some(preset), &settings.model, classes)
            .into_iter()
            .map(|(theirs, o)| (theirs, ours[&o].clone()))
            .collect()
    }

    #[test]
    fn shapes_are_those_of_the_network() {
        for preset in presets::NAMES {
            let mut model = presets::model(preset).unwrap();
            (model.height, model.width) = (32, 22);
            model.channels = (2..).take(model.channels.len()).collect();
            let net = GaitGl::new(&model, 5, 1, &crate::cpu()).unwrap().tensors();
            let net: Shapes = net.into_iter().map(|(name, weight)| (name, weight.shape)).collect();
            assert_eq!(shapes(&model, 5), net, "{preset}");
        }
    }

    #[test]
    fn every_network_is_recognised_with_its_sizes() {
        for preset in presets::NAMES {
            let channels = [3, 5, 7, 9];
            let channels = &channels[..presets::model(preset).unwrap().channels.len()];
            let found = theirs(preset, 6, channels);
            let candidate = recognise(&found, &ImportOptions::default()).unwrap().unwrap();
            assert_eq!(candidate.settings.preset, preset);
            assert_eq!(candidate.problems, []);
            let model = candidate.settings.model;
            assert_eq!((model.channels.as_slice(), model.height, model.width), (channels, 32, 22));
            assert_eq!(candidate.classes, if preset == "hid-2020" { 1 } else { 6 });
        }
    }

    /// The tensors of a network under our names, with another neck than its preset's.
    fn with_neck(preset: &str, neck: Neck) -> Shapes {
        let mut model = presets::model(preset).unwrap();
        model.neck = neck;
        shapes(&model, 6)
    }

    #[test]
    fn the_tensors_show_the_neck() {
        for preset in ["paper-small", "paper-large", "parts-small", "parts-large"] {
            // Two necks have the same tensors: that of the preset is taken, if it is one of them.
            let unclear =
                if preset.starts_with("paper") { Neck::BnneckPlain } else { Neck::Bnneck };
            for (neck, shown) in [
                (Neck::BatchNorm, Neck::BatchNorm),
                (Neck::Bnneck, unclear),
                (Neck::BnneckPlain, unclear),
                (Neck::Linear, Neck::Linear),
                (Neck::None, Neck::None),
            ] {
                let found = with_neck(preset, neck);
                let read = |set: &[String]| {
                    let options = ImportOptions { set: set.to_vec(), ..ImportOptions::default() };
                    recognise(&found, &options).unwrap().unwrap()
                };
                let candidate = read(&[]);
                assert_eq!(candidate.problems, [], "{preset} {neck:?}");
                assert_eq!(candidate.settings.preset, preset, "{neck:?}");
                assert_eq!(candidate.settings.model.neck, shown, "{preset}");
                assert_eq!(candidate.classes, if neck == Neck::None { 1 } else { 6 });
                let name = toml::Value::try_from(neck).unwrap();
                let set = read(&[format!("model.neck={name}")]);
                assert_eq!((set.settings.model.neck, set.problems), (neck, Vec::new()));
            }
        }
    }

    #[test]
    fn a_norm_in_part_is_reported_and_is_no_other_neck() {
        let mut found = with_neck("parts-small", Neck::BatchNorm);
        found.remove("head.norm.shift");
        let candidate = recognise(&found, &ImportOptions::default()).unwrap().unwrap();
        let problems: Vec<String> =
            candidate.problems.iter().map(TensorProblem::to_string).collect();
        assert_eq!(problems, ["head.norm.shift (128) is missing"]);
        found.remove("head.classifier.weight");
        let candidate = recognise(&found, &ImportOptions::default()).unwrap().unwrap();
        assert_eq!(candidate.problems.len(), 2);
    }

    #[test]
    fn every_tensor_that_does_not_fit_is_listed() {
        let mut found = theirs("parts-small", 6, &[3, 5, 7]);
        found.remove("LTA.0.conv3d.weight");
        found.insert("extra".into(), vec![2, 3]);
        found.insert("Bn.num_batches_tracked".into(), Vec::new());
        found.insert("other.num_batches_tracked".into(), Vec::new());
        found.get_mut("GLConvA1.local_conv3d.conv3d.weight").unwrap()[1] = 6;
        let candidate = recognise(&found, &ImportOptions::default()).unwrap().unwrap();
        assert_eq!(candidate.settings.preset, "parts-small");
        assert_eq!(candidate.dropped, ["Bn.num_batches_tracked"]);
        let problems: Vec<String> =
            candidate.problems.iter().map(TensorProblem::to_string).collect();
        assert_eq!(
            problems,
            [
                "LTA.0.conv3d.weight (3x3x3x1x1) is missing",
                "GLConvA1.local_conv3d.conv3d.weight is 7x6x3x3x3, the network has 7x5x3x3x3",
                "extra (2x3) is unused",
                "other.num_batches_tracked (one number) is unused",
            ]
        );
        assert!(
            recognise(&Shapes::from([("a".into(), vec![1])]), &ImportOptions::default())
                .unwrap()
                .is_none()
        );
    }
}
