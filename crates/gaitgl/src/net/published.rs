//! The tensor names of published checkpoints, each with ours.

/// Theirs, ours.
type NamePair = (&'static str, &'static str);

/// The body of `parts-small`.
const PARTS_SMALL: [NamePair; 8] = [
    ("conv3d.0.conv3d.weight", "stages.0.layers.0.weight"),
    ("LTA.0.conv3d.weight", "stages.0.lta.weight"),
    ("GLConvA0.global_conv3d.conv3d.weight", "stages.1.layers.0.global"),
    ("GLConvA0.local_conv3d.conv3d.weight", "stages.1.layers.0.local"),
    ("GLConvA1.global_conv3d.conv3d.weight", "stages.2.layers.0.global"),
    ("GLConvA1.local_conv3d.conv3d.weight", "stages.2.layers.0.local"),
    ("GLConvB2.global_conv3d.conv3d.weight", "stages.2.layers.1.global"),
    ("GLConvB2.local_conv3d.conv3d.weight", "stages.2.layers.1.local"),
];

/// The body of `parts-large` and `parts-large-bnneck`.
const PARTS_LARGE: [NamePair; 15] = [
    ("conv3d.0.conv3d.weight", "stages.0.layers.0.weight"),
    ("conv3d.2.conv3d.weight", "stages.0.layers.1.weight"),
    ("LTA.0.conv3d.weight", "stages.0.lta.weight"),
    ("GLConvA0.0.global_conv3d.conv3d.weight", "stages.1.layers.0.global"),
    ("GLConvA0.0.local_conv3d.conv3d.weight", "stages.1.layers.0.local"),
    ("GLConvA0.1.global_conv3d.conv3d.weight", "stages.1.layers.1.global"),
    ("GLConvA0.1.local_conv3d.conv3d.weight", "stages.1.layers.1.local"),
    ("GLConvA1.0.global_conv3d.conv3d.weight", "stages.2.layers.0.global"),
    ("GLConvA1.0.local_conv3d.conv3d.weight", "stages.2.layers.0.local"),
    ("GLConvA1.1.global_conv3d.conv3d.weight", "stages.2.layers.1.global"),
    ("GLConvA1.1.local_conv3d.conv3d.weight", "stages.2.layers.1.local"),
    ("GLConvB2.0.global_conv3d.conv3d.weight", "stages.3.layers.0.global"),
    ("GLConvB2.0.local_conv3d.conv3d.weight", "stages.3.layers.0.local"),
    ("GLConvB2.1.global_conv3d.conv3d.weight", "stages.3.layers.1.global"),
    ("GLConvB2.1.local_conv3d.conv3d.weight", "stages.3.layers.1.local"),
];

/// What all checkpoints with a classifier share.
const PARTS_HEAD: [NamePair; 2] =
    [("HPP.p", "pooling.exponent"), ("Head0.fc_bin", "head.fc.weight")];

/// Batch norm over channels.
const BATCH_NORM: [NamePair; 5] = [
    ("Bn.weight", "head.norm.scale"),
    ("Bn.bias", "head.norm.shift"),
    ("Bn.running_mean", "head.norm.running_mean"),
    ("Bn.running_var", "head.norm.running_variance"),
    ("Head1.fc_bin", "head.classifier.weight"),
];

/// Batch norm over channels x strips.
const BNNECK: [NamePair; 5] = [
    ("BNNecks.bn1d.weight", "head.norm.scale"),
    ("BNNecks.bn1d.bias", "head.norm.shift"),
    ("BNNecks.bn1d.running_mean", "head.norm.running_mean"),
    ("BNNecks.bn1d.running_var", "head.norm.running_variance"),
    ("BNNecks.fc_bin", "head.classifier.weight"),
];

/// The authors' own code. Its `convdg` is the global branch, `convdl` the local one.
const HID_2020: [NamePair; 14] = [
    ("conv2dlayer1a.conv1.weight", "stages.0.layers.0.weight"),
    ("pool2d1.conv1.weight", "stages.0.lta.weight"),
    ("conv2dlayer2a.convdg.weight", "stages.1.layers.0.global"),
    ("conv2dlayer2a.convdl.weight", "stages.1.layers.0.local"),
    ("conv2dlayer25a_3d.convdg.weight", "stages.2.layers.0.global"),
    ("conv2dlayer25a_3d.convdl.weight", "stages.2.layers.0.local"),
    ("conv2dlayer25b_3d.convdg.weight", "stages.2.layers.1.global"),
    ("conv2dlayer25b_3d.convdl.weight", "stages.2.layers.1.local"),
    ("conv2dlayer3a_3d.convdg.weight", "stages.3.layers.0.global"),
    ("conv2dlayer3a_3d.convdl.weight", "stages.3.layers.0.local"),
    ("conv2dlayer3b_3d.convdg.weight", "stages.3.layers.1.global"),
    ("conv2dlayer3b_3d.convdl.weight", "stages.3.layers.1.local"),
    ("Gem.p", "pooling.exponent"),
    ("fc_bin.0", "head.fc.weight"),
];

/// The names in the published checkpoints of a preset (theirs, ours); empty for the paper's own
/// networks, whose checkpoints were not published.
pub fn published_names(preset: &str) -> Vec<NamePair> {
    match preset {
        "parts-small" => [&PARTS_SMALL[..], &PARTS_HEAD, &BATCH_NORM].concat(),
        "parts-large" => [&PARTS_LARGE[..], &PARTS_HEAD, &BATCH_NORM].concat(),
        "parts-large-bnneck" => [&PARTS_LARGE[..], &PARTS_HEAD, &BNNECK].concat(),
        "hid-2020" => HID_2020.to_vec(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::testing::test_device;
    use crate::net::{GaitGl, tests::small};

    #[test]
    fn every_tensor_has_one_published_name() {
        for preset in ["parts-small", "parts-large", "parts-large-bnneck", "hid-2020"] {
            let net = GaitGl::new(&small(preset), 5, 1, &test_device()).unwrap();
            let mut ours: Vec<&str> = published_names(preset).iter().map(|name| name.1).collect();
            ours.sort_unstable();
            assert_eq!(ours, net.tensors().keys().collect::<Vec<_>>(), "{preset}");
        }
    }
}
