//! The network as configuration. Every preset and every ablation is a value of [`ModelSettings`].

use serde::{Deserialize, Serialize};

/// The shape of a GaitGL network. Stages run in order; stage `s` has `layers[s]` layers of
/// `channels[s]` output channels and ends with `pools[s]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSettings {
    /// Rows of a silhouette that enters the network.
    pub height: usize,
    /// Columns of a silhouette that enters the network.
    pub width: usize,
    /// The layers of the first stage: global-local layers (paper) or plain convolutions (published
    /// checkpoints).
    pub stem: Stem,
    /// Output channels of each stage.
    pub channels: Vec<usize>,
    /// Layers of each stage. All layers but the last of the network add their branches (Eqn. 2).
    pub layers: Vec<usize>,
    /// How the last layer of the network joins its branches.
    #[serde(default)]
    pub last_join: LastJoin,
    /// Pooling that ends each stage.
    pub pools: Vec<Pool>,
    /// Kernel of local temporal aggregation (Eqn. 1): frames, rows, columns.
    pub lta_kernel: [usize; 3],
    /// Temporal stride of local temporal aggregation (`b` of Eqn. 1).
    pub lta_stride: usize,
    /// Which branches of a global-local layer run (Table 5).
    pub branches: Branches,
    /// The local branch.
    pub local: LocalSettings,
    /// Strips that the rows of the final map are pooled to, evenly; 0 for one per row.
    #[serde(default)]
    pub strips: usize,
    /// How the pixels of a strip are pooled to one number (Eqn. 8 to 10, Table 6).
    pub spatial_pooling: SpatialPooling,
    /// The initial value of GeM's exponent `p`.
    pub gem_start: f64,
    /// What follows the separate FC layers.
    pub neck: Neck,
    /// Whether the embedding, at test, is that of a clip and then that of its mirror image: twice the
    /// channels. Training does not depend on it.
    #[serde(default)]
    pub mirrored: bool,
    /// How a sequence too short for the temporal kernel is lengthened.
    pub short_sequences: ShortSequences,
}

/// The layers of the first stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stem {
    /// Global-local layers, as in every other stage.
    Glcl,
    /// Plain 3x3x3 convolutions with a leaky ReLU.
    Conv,
}

/// The pooling that ends a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pool {
    /// Local temporal aggregation: a convolution with a temporal stride (Eqn. 1).
    Lta,
    /// Spatial pooling: max over 1x2x2.
    Sp,
    /// Nothing.
    None,
}

/// Which branches of a global-local layer run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Branches {
    /// Global and local (the paper's network).
    Both,
    /// Only the global branch.
    Global,
    /// Only the local branch.
    Local,
}

/// How the last global-local layer joins its two branches. A single branch needs no join.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LastJoin {
    /// One above the other (Eqn. 3): the final map has twice the rows.
    #[default]
    Stack,
    /// Their sum (Eqn. 2), as in all other layers.
    Sum,
}

/// The local branch: how the map is cut, how masks apply, and what happens at test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalSettings {
    /// How the rows and columns are cut into regions.
    pub partition: LocalPartition,
    /// Bands of rows that `partition = "bands"` cuts.
    pub bands: usize,
    /// Share of rows, columns or pixels that a random mask takes; more than 0, less than 1. An interval
    /// takes one row or column more.
    pub ratio: f64,
    /// How Eqn. 6 is interpreted.
    pub reading: Reading,
    /// What replaces random masks at test.
    pub at_test: AtTest,
    /// Draws of `at_test = "mean-of-k"`.
    pub draws: usize,
    /// Seed of the draws at test.
    pub seed: u64,
}

/// How the map is cut into regions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LocalPartition {
    /// Fixed bands of rows (Eqn. 5): `height / bands` rows each, a remainder makes one more.
    Bands,
    /// One random interval of rows, both of its ends included.
    PartH,
    /// One random interval of columns, both of its ends included.
    PartV,
    /// Random rows.
    StripH,
    /// Random columns (the paper's choice).
    StripV,
    /// Random pixels.
    Pixel,
}

/// How Eqn. 6 is interpreted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reading {
    /// Input and output are restricted to the same region.
    Restrict,
    /// The leaky ReLU of the convolution of each masked input, then the sum.
    Activate,
    /// Eqn. 6 literally, which equals the plain convolution: it has no bias, and the masked inputs
    /// add up to the input.
    Literal,
}

/// What replaces random masks at test, on which the paper is silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AtTest {
    /// Each tap weighted by the probability that its two pixels share a region.
    Expected,
    /// One fixed draw per layer.
    Seeded,
    /// The mean of the embeddings of several fixed draws.
    MeanOfK,
    /// One region: the plain convolution.
    Plain,
}

/// How the pixels of a strip are pooled to one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SpatialPooling {
    /// Generalised mean with a learnt exponent (Eqn. 10).
    Gem,
    /// Maximum.
    Max,
    /// Mean.
    Mean,
    /// Maximum plus mean (Eqn. 8 with both weights 1).
    Both,
}

/// What follows the separate FC layers: where the batch norm is, where the embedding is taken, and the
/// classifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Neck {
    /// Batch norm over channels; the embedding is after it; separate classifiers.
    BatchNorm,
    /// Batch norm over channels x strips and normalised classifiers; the embedding is before it.
    Bnneck,
    /// As [`Self::Bnneck`], with plain classifiers.
    BnneckPlain,
    /// Separate classifiers on the embedding itself: no batch norm, as the paper has none.
    Linear,
    /// Neither batch norm nor classifier: the embedding is the output of the separate FC layers.
    None,
}

impl Neck {
    /// Whether there are classifiers.
    pub fn classifies(self) -> bool {
        self != Self::None
    }

    /// Whether the embedding is the output of the batch norm; else it is that of the separate FC.
    pub fn embeds_after_norm(self) -> bool {
        self == Self::BatchNorm
    }

    /// How many features the batch norm of strips with these sizes has; `None` without one.
    pub(crate) fn normed_features(self, channels: usize, strips: usize) -> Option<usize> {
        match self {
            Self::BatchNorm => Some(channels),
            Self::Bnneck | Self::BnneckPlain => Some(channels * strips),
            Self::Linear | Self::None => None,
        }
    }
}

/// How a sequence too short for the temporal kernel is lengthened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShortSequences {
    /// One frame three times, two frames twice.
    ToThree,
    /// As `to-three`, and three frames become four (the authors' own code).
    ToFour,
}
