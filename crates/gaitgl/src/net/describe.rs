//! The network as a table: layers, shapes, parameters, multiply-adds.

use super::plan::{self, LayerKind};
use crate::region_conv3d::Join;
use crate::settings::{Branches, ModelSettings, SpatialPooling};

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerDescription {
    /// The layer, named as its tensors are.
    pub name: String,
    /// What it does.
    pub kind: String,
    /// Shape of its output, without the batch: `[c, t, h, w]`, `[c, h, w]` or `[c, p]`.
    pub output: Vec<usize>,
    /// How many learnt parameters it has.
    pub parameters: usize,
    /// Multiply-adds for one sequence, including those that the regions of a restricted convolution
    /// save.
    pub multiply_adds: usize,
}

/// The layers that a sequence of `frames` frames passes in training with `classes` identities.
/// The settings have passed their check.
pub fn describe(settings: &ModelSettings, classes: usize, frames: usize) -> Vec<LayerDescription> {
    let mut table = body(settings, frames);
    let map = plan::final_map(settings);
    let [channels, strips] = plan::strips(settings);
    let mut push = |name: &str, kind: &str, output: Vec<usize>, parameters, multiply_adds| {
        let name = name.into();
        let kind = kind.into();
        table.push(LayerDescription { name, kind, output, parameters, multiply_adds });
    };
    push("time", "max over frames", map.to_vec(), 0, 0);
    let (kind, learnt) = match settings.spatial_pooling {
        SpatialPooling::Gem => ("GeM over strips", 1),
        SpatialPooling::Max => ("max over strips", 0),
        SpatialPooling::Mean => ("mean over strips", 0),
        SpatialPooling::Both => ("max plus mean over strips", 0),
    };
    push("pooling", kind, vec![channels, strips], learnt, 0);
    let fc = strips * channels * channels;
    push("head.fc", "separate FC", vec![channels, strips], fc, fc);
    if let Some(features) = settings.neck.normed_features(channels, strips) {
        push("head.norm", "batch norm", vec![channels, strips], 2 * features, channels * strips);
    }
    if settings.neck.classifies() {
        let classifier = strips * channels * classes;
        push("head.classifier", "separate FC", vec![classes, strips], classifier, classifier);
    }
    table
}

fn body(settings: &ModelSettings, frames: usize) -> Vec<LayerDescription> {
    let mut frames = plan::lengthened(settings, frames).len();
    let branches = if settings.branches == Branches::Both { 2 } else { 1 };
    let line = |plan: plan::LayerPlan| {
        frames = plan.frames_out(frames);
        let (kind, branches) = match plan.kind {
            LayerKind::Conv => ("convolution 3x3x3".to_string(), 1),
            LayerKind::GlobalLocal(Join::Sum) => ("GLCL, summed".to_string(), branches),
            LayerKind::GlobalLocal(Join::Stack) => ("GLCL, stacked".to_string(), branches),
            LayerKind::Lta([t, h, w], stride) => (format!("LTA {t}x{h}x{w}, stride {stride}"), 1),
            LayerKind::SpatialPool => ("max 1x2x2".to_string(), 0),
        };
        let taps: usize = plan.kernel().map_or(0, |kernel| kernel.iter().product());
        let parameters = branches * plan.channels_in * plan.channels_out * taps;
        let [height, width] = plan.map_out(settings);
        LayerDescription {
            kind,
            output: vec![plan.channels_out, frames, height, width],
            parameters,
            multiply_adds: parameters * frames * plan.height * plan.width,
            name: plan.name,
        }
    };
    plan::layers(settings).into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::testing::test_device;
    use crate::net::GaitGl;
    use crate::settings::presets;
    use burn::module::Module;

    #[test]
    fn published_sizes_are_reproduced() {
        let parameters = |name: &str, classes| -> usize {
            let settings = presets::model(name).unwrap();
            describe(&settings, classes, 30).iter().map(|line| line.parameters).sum()
        };
        assert_eq!(parameters("parts-large", 5153), 95_620_449);
        let settings = presets::model("parts-small").unwrap();
        let work: usize = describe(&settings, 74, 30).iter().map(|line| line.multiply_adds).sum();
        assert_eq!((work as f64 / 1e8).round(), 126.0);
    }

    #[test]
    fn the_table_counts_what_the_network_holds() {
        for name in presets::NAMES {
            let mut settings = presets::model(name).unwrap();
            settings.channels.iter_mut().for_each(|channels| *channels /= 16);
            let net = GaitGl::new(&settings, 7, 1, &test_device()).unwrap();
            let statistics = net.head.norm.as_ref().map_or(0, |norm| 2 * norm.scale.dims()[0]);
            let table = describe(&settings, 7, 30);
            let counted: usize = table.iter().map(|line| line.parameters).sum();
            assert_eq!(counted, net.num_params() - statistics, "{name}");
        }
    }

    #[test]
    fn shapes_are_those_of_the_maps() {
        let table = describe(&presets::model("paper-small").unwrap(), 74, 30);
        let shape = |name: &str| {
            let line = table.iter().find(|line| line.name == name);
            line.map(|line| line.output.clone()).unwrap_or_default()
        };
        assert_eq!(shape("stages.0.layers.0"), [64, 30, 64, 44]);
        assert_eq!(shape("stages.0.lta"), [64, 10, 64, 44]);
        assert_eq!(shape("stages.2.layers.1"), [128, 10, 64, 22]);
        assert_eq!(shape("head.classifier"), [74, 64]);
    }
}
