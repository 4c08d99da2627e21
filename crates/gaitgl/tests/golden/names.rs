//! The oracle's names of tensors beside ours.

use gaitgl::net::published_names;
use gaitgl::weights::{Weight, Weights};

use crate::fixture::Fixture;

/// The oracle's names of the paper's network, where they differ from ours.
const PAPER: [(&str, &str); 6] = [
    ("fc.fc_bin", "head.fc.weight"),
    ("norm.weight", "head.norm.scale"),
    ("norm.bias", "head.norm.shift"),
    ("norm.running_mean", "head.norm.running_mean"),
    ("norm.running_var", "head.norm.running_variance"),
    ("classifier.fc_bin", "head.classifier.weight"),
];

/// Our name of a golden tensor; PyTorch counts batches, we do not.
fn our_name(preset: &str, golden: &str) -> Option<String> {
    if golden.ends_with("num_batches_tracked") {
        return None;
    }
    let published = published_names(preset);
    let names = if published.is_empty() { PAPER.to_vec() } else { published };
    let found = names.iter().find(|(theirs, _)| *theirs == golden);
    Some(found.map_or(golden, |(_, ours)| ours).into())
}

/// Golden names of a kind (`net`, `grad`, `after`) beside ours.
pub fn named(golden: &Fixture, preset: &str, kind: &str) -> Vec<(String, String)> {
    let prefix = format!("{kind}.");
    let names = golden.names().into_iter().filter(|name| name.starts_with(&prefix));
    let pairs = names.filter_map(|name| Some((our_name(preset, &name[prefix.len()..])?, name)));
    pairs.collect()
}

/// The golden tensors of a kind by our names.
pub fn weights(golden: &Fixture, preset: &str, kind: &str) -> Weights {
    let weight = |(ours, name): (String, String)| {
        (ours, Weight { shape: golden.shape(&name), values: golden.floats(&name) })
    };
    named(golden, preset, kind).into_iter().map(weight).collect()
}
