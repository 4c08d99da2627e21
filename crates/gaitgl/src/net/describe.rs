//! The network as a table: layers, shapes, parameters, multiply-adds.

use super::plan::{self, LayerKind};
use crate::region_conv3d::Join;
use crate::settings::{Branches, ModelSettings, Neck, SpatialPooling};

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
        let kind = match settings.neck {
            Neck::BatchNorm => "batch norm over channels",
            _ => "batch norm over channels x strips",
        };
        push("head.norm", kind, vec![channels, strips], 2 * features, channels * strips);
    }
    if settings.neck.classifies() {
        let kind = match settings.neck {
            Neck::Bnneck => "separate FC, normalised",
            _ => "separate FC",
        };
        let classifier = strips * channels * classes;
        push("head.classifier", kind, vec![classes, strips], classifier, classifier);
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
            LayerKind::GlobalLocal(join) => {
                (global_local(settings.branches, join).into(), branches)
            }
            LayerKind::Lta([t, h, w], stride) => (format!("LTA {t}x{h}x{w}, stride {stride}"), 1),
            LayerKind::SpatialPool => ("max 1x2x2".to_string(), 0),
        };
        let taps: usize = plan.kernel().map_or(0, |kernel| kernel.iter().product());
        let parameters = branches * plan.channels_in * plan.channels_out * taps;
        let [height, width] = plan.map_out();
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

fn global_local(branches: Branches, join: Join) -> &'static str {
    match (branches, join) {
        (Branches::Global, _) => "GLCL, global branch",
        (Branches::Local, _) => "GLCL, local branch",
        (Branches::Both, Join::Sum) => "GLCL, summed",
        (Branches::Both, Join::Stack) => "GLCL, stacked",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::testing::test_device;
    use crate::net::GaitGl;
    use crate::settings::{LastJoin, presets};
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
    fn layers_are_named_by_their_branches_and_the_neck() {
        let kinds = |change: fn(&mut ModelSettings)| {
            let mut settings = presets::model("paper-small").unwrap();
            change(&mut settings);
            let table = describe(&settings, 74, 30);
            ["stages.2.layers.1", "head.norm", "head.classifier"].map(|name| {
                let line = table.iter().find(|line| line.name == name);
                line.map_or(String::new(), |line| format!("{} {:?}", line.kind, line.output))
            })
        };
        let fc = "separate FC [74, 64]";
        let over_channels = "batch norm over channels [128, 64]";
        let over_both = "batch norm over channels x strips [128, 64]";
        let stacked = "GLCL, stacked [128, 10, 64, 22]";
        assert_eq!(kinds(|_| {}), [stacked, over_both, fc]);
        let normalised = "separate FC, normalised [74, 64]";
        assert_eq!(kinds(|s| s.neck = Neck::Bnneck), [stacked, over_both, normalised]);
        assert_eq!(kinds(|s| s.neck = Neck::BatchNorm), [stacked, over_channels, fc]);
        assert_eq!(kinds(|s| s.neck = Neck::Linear), [stacked, "", fc]);
        assert_eq!(kinds(|s| s.neck = Neck::None), [stacked, "", ""]);
        for (change, kind) in [
            ((|s| s.last_join = LastJoin::Sum) as fn(&mut ModelSettings), "GLCL, summed"),
            (|s| s.branches = Branches::Global, "GLCL, global branch"),
            (|s| s.branches = Branches::Local, "GLCL, local branch"),
        ] {
            let [last, norm, classifier] = kinds(change);
            assert_eq!(last, format!("{kind} [128, 10, 32, 22]"));
            assert_eq!(norm, "batch norm over channels x strips [128, 32]");
            assert_eq!(classifier, "separate FC [74, 32]");
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
