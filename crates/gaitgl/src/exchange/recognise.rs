//! Which network a set of named shapes is.

use std::collections::BTreeMap;

use crate::net::layout::{self, LARGEST, Shapes, shapes};
use crate::net::published_names;
use crate::presets;
use crate::settings::{ModelSettings, Settings, SettingsError};

/// A network that a file may hold.
pub struct Candidate {
    /// Its settings, with the sizes that the shapes tell.
    pub settings: Settings,
    /// Classes of the classifier; 1 where there is none.
    pub classes: usize,
    /// Our name of each of the file's tensors, by its name there.
    pub names: BTreeMap<String, String>,
    /// Names that are known and not needed.
    pub dropped: Vec<String>,
    /// Every tensor that is missing, unused or of another shape.
    pub problems: Vec<String>,
    /// Tensors that are where they should be.
    matching: usize,
}

/// The network that the shapes are, or the most similar one with what is wrong. `None` if no name
/// is known.
///
/// # Errors
/// An unknown preset; sizes that make no network.
pub fn recognise(
    shapes: &Shapes,
    preset: Option<&str>,
) -> Result<Option<Candidate>, SettingsError> {
    if let Some(preset) = preset {
        return compare(shapes, preset).map(Some);
    }
    let mut best: Option<Candidate> = None;
    for preset in presets::NAMES {
        let candidate = compare(shapes, preset)?;
        let better = best.as_ref().is_none_or(|best| {
            let rank = |c: &Candidate| (c.problems.is_empty(), c.matching);
            rank(&candidate) > rank(best)
        });
        if better && candidate.matching > 0 {
            best = Some(candidate);
        }
    }
    Ok(best)
}

/// The names of a network's tensors in files of PyTorch, beside ours: the published ones, or ours
/// where none were published.
pub fn names(settings: &Settings, classes: usize) -> Vec<(String, String)> {
    let published = published_names(&settings.preset);
    if published.is_empty() {
        let ours = shapes(&settings.model, classes);
        return ours.into_keys().map(|name| (name.clone(), name)).collect();
    }
    published.into_iter().map(|(theirs, ours)| (theirs.into(), ours.into())).collect()
}

fn compare(found: &Shapes, preset: &str) -> Result<Candidate, SettingsError> {
    let mut settings = Settings::preset(preset)?;
    let names = names(&settings, 1);
    let ours = |name: &str| {
        let (theirs, _) = names.iter().find(|(_, ours)| ours == name)?;
        found.get(theirs)
    };
    let classes = fit(&mut settings.model, ours);
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
            None => candidate.problems.push(format!("{theirs} ({}) is missing", axes(shape))),
            Some(other) if other != shape => {
                let (other, shape) = (axes(other), axes(shape));
                candidate.problems.push(format!("{theirs} is {other}, the network has {shape}"));
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
            candidate.problems.push(format!("{name} ({}) is unused", axes(shape)));
        }
    }
    if candidate.problems.is_empty() {
        candidate.settings.check()?;
    }
    Ok(candidate)
}

/// What PyTorch's batch norms count and nothing here needs.
pub const BATCHES: &str = "num_batches_tracked";

/// Takes the sizes that the shapes tell (those above [`LARGEST`] are left to the preset, and so
/// reported as wrong) into the settings: channels, rows (one per strip, as in
/// the preset) and columns (11 for 16 rows, as in all published networks). Gives the classes.
fn fit<'s>(model: &mut ModelSettings, shape: impl Fn(&str) -> Option<&'s Vec<usize>>) -> usize {
    let size = |name: &str, axis: usize| {
        let size = shape(name).and_then(|shape| shape.get(axis)).copied();
        size.filter(|size| (1..=LARGEST).contains(size))
    };
    for (stage, channels) in model.channels.iter_mut().enumerate() {
        let layer = ["weight", "global"].map(|kind| format!("stages.{stage}.layers.0.{kind}"));
        let found = layer.iter().find_map(|name| size(name, 0));
        *channels = found.unwrap_or(*channels);
    }
    let [_, strips, _] = layout::final_map(model);
    if let Some(found) = size("head.fc.weight", 0) {
        model.height = model.height * found / strips;
        model.width = (model.height * 11 / 16).max(1);
    }
    size("head.classifier.weight", 2).unwrap_or(1)
}

fn axes(shape: &[usize]) -> String {
    if shape.is_empty() {
        return "one number".into();
    }
    shape.iter().map(usize::to_string).collect::<Vec<_>>().join("x")
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
        names(&settings, classes)
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
            let candidate = recognise(&found, None).unwrap().unwrap();
            assert_eq!(candidate.settings.preset, preset);
            assert_eq!(candidate.problems, Vec::<String>::new());
            let model = candidate.settings.model;
            assert_eq!((model.channels.as_slice(), model.height, model.width), (channels, 32, 22));
            assert_eq!(candidate.classes, if preset == "hid-2020" { 1 } else { 6 });
        }
    }

    #[test]
    fn every_tensor_that_does_not_fit_is_listed() {
        let mut found = theirs("parts-small", 6, &[3, 5, 7]);
        found.remove("LTA.0.conv3d.weight");
        found.insert("extra".into(), vec![2, 3]);
        found.insert("Bn.num_batches_tracked".into(), Vec::new());
        found.insert("other.num_batches_tracked".into(), Vec::new());
        found.get_mut("GLConvA1.local_conv3d.conv3d.weight").unwrap()[1] = 6;
        let candidate = recognise(&found, None).unwrap().unwrap();
        assert_eq!(candidate.settings.preset, "parts-small");
        assert_eq!(candidate.dropped, ["Bn.num_batches_tracked"]);
        assert_eq!(
            candidate.problems,
            [
                "LTA.0.conv3d.weight (3x3x3x1x1) is missing",
                "GLConvA1.local_conv3d.conv3d.weight is 7x6x3x3x3, the network has 7x5x3x3x3",
                "extra (2x3) is unused",
                "other.num_batches_tracked (one number) is unused",
            ]
        );
        assert!(recognise(&Shapes::from([("a".into(), vec![1])]), None).unwrap().is_none());
    }
}
