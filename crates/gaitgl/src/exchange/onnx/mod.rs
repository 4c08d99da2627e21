//! The network in use as an ONNX file: silhouettes `[n, 1, t, h, w]` of 0 to 1 to embeddings
//! `[n, c, p]`, with n and t free. It is what [`crate::net::Evaluator::embed`] computes.

mod graph;

use super::ExportFault;
use crate::checkpoint::Checkpoint;
use crate::mask::{self, Regions};
use crate::net::batch_norm::EPSILON;
use crate::net::plan::{self, LayerKind, LayerPlan};
use crate::net::strip_pooling::FLOOR;
use crate::region_conv3d::{Join, SLOPE};
use crate::settings::{AtTest, Branches, LocalPartition, ModelSettings, Reading, SpatialPooling};
use crate::weights::{Weight, Weights};
use graph::{Attribute, AxisSize, Graph, TensorName};

/// The input and the output.
const INPUT: &str = "silhouettes";
const OUTPUT: &str = "embedding";

/// The bytes of the file. The caller has checked that the tensors are those of the settings.
///
/// # Errors
/// A network that no ONNX file can hold.
pub fn write(checkpoint: &Checkpoint) -> Result<Vec<u8>, ExportFault> {
    let settings = &checkpoint.settings.model;
    let mut network = Exporter {
        settings,
        weights: &checkpoint.weights,
        graph: Graph::default(),
        global_local_layers: 0,
    };
    let [channels, strips] = plan::strips(settings);
    let clips = [
        AxisSize::Free("n"),
        AxisSize::Fixed(1),
        AxisSize::Free("t"),
        AxisSize::Fixed(settings.height),
        AxisSize::Fixed(settings.width),
    ];
    network.graph.input(INPUT, &clips);
    let entering = if settings.mirrored { network.with_mirror_images() } else { INPUT.into() };
    let mut x = network.lengthened(&entering);
    for plan in plan::layers(settings) {
        x = network.layer(&plan, &x)?;
    }
    let pooled = network.pooled(&x)?;
    let mut embedding = network.head(&pooled)?;
    let mut graph = network.graph;
    let mut channels = channels;
    if settings.mirrored {
        let halves = graph.nodes("Split", &[&embedding], &[("axis", Attribute::Integer(0))], 2);
        let halves = [halves[0].as_str(), &halves[1]];
        embedding = graph.node("Concat", &halves, &[("axis", Attribute::Integer(1))]);
        channels *= 2;
    }
    let shape = [AxisSize::Free("n"), AxisSize::Fixed(channels), AxisSize::Fixed(strips)];
    graph.result("Identity", &embedding, OUTPUT, &shape);
    let remarks = [
        ("preset", checkpoint.settings.preset.clone()),
        ("iteration", checkpoint.iteration.to_string()),
    ];
    Ok(graph.into_model(&remarks))
}

/// Writes a network into a graph, layer by layer.
struct Exporter<'c> {
    settings: &'c ModelSettings,
    weights: &'c Weights,
    graph: Graph,
    /// Global-local layers so far: each draws its own mask.
    global_local_layers: usize,
}

/// What restricts the local branch of a layer at test.
enum Restriction {
    /// Nothing.
    Plain,
    /// Each tap has a weight.
    Weighed(Vec<f32>),
    /// No tap crosses a region.
    Regions(Regions),
}

impl Exporter<'_> {
    fn weight(&self, name: &str) -> Result<&Weight, ExportFault> {
        self.weights.get(name).ok_or_else(|| ExportFault::Missing(name.into()))
    }

    fn constant(&mut self, name: &str) -> Result<TensorName, ExportFault> {
        let Weight { shape, values } = self.weight(name)?.clone();
        Ok(self.graph.floats(name, &shape, &values))
    }

    /// The clips, and behind them their mirror images, `[2 n, 1, t, h, w]`.
    fn with_mirror_images(&mut self) -> TensorName {
        let columns: Vec<usize> = (0..self.settings.width).rev().collect();
        let graph = &mut self.graph;
        let columns = graph.integers("mirrored_columns", &[columns.len()], &columns);
        let axis = [("axis", Attribute::Integer(4))];
        let mirrored = graph.node("Gather", &[INPUT, &columns], &axis);
        graph.node("Concat", &[INPUT, &mirrored], &[("axis", Attribute::Integer(0))])
    }

    /// Frame `place % t` of the clips at every place of a sequence as long as the network needs.
    fn lengthened(&mut self, clips: &str) -> TensorName {
        let settings = self.settings;
        // From here on every sequence keeps its length.
        let longest = plan::fewest_frames(settings).max(4);
        let lengths: Vec<usize> =
            (0..=longest).map(|frames| plan::lengthened(settings, frames).len()).collect();
        let graph = &mut self.graph;
        let lengths = graph.integers("lengths", &[lengths.len()], &lengths);
        let longest = graph.integers("longest", &[], &[longest]);
        let [zero, one, axis] =
            [("zero", 0), ("one", 1), ("time_axis", 2)].map(|(n, v)| graph.integers(n, &[], &[v]));
        let shape = graph.node("Shape", &[clips], &[]);
        let frames = graph.node("Gather", &[&shape, &axis], &[("axis", Attribute::Integer(0))]);
        let short = graph.node("Min", &[&frames, &longest], &[]);
        let needed = graph.node("Gather", &[&lengths, &short], &[("axis", Attribute::Integer(0))]);
        let length = graph.node("Max", &[&frames, &needed], &[]);
        let places = graph.node("Range", &[&zero, &length, &one], &[]);
        let order = graph.node("Mod", &[&places, &frames], &[]);
        graph.node("Gather", &[clips, &order], &[("axis", Attribute::Integer(2))])
    }

    fn layer(&mut self, plan: &LayerPlan, x: &str) -> Result<TensorName, ExportFault> {
        match plan.kind {
            LayerKind::Conv | LayerKind::Lta(..) => {
                let weight = self.constant(&format!("{}.weight", plan.name))?;
                let y = self.conv(plan, x, &weight);
                Ok(self.leaky(&y))
            }
            LayerKind::SpatialPool => {
                let size = || Attribute::Integers(&[1, 2, 2]);
                let attributes = [("kernel_shape", size()), ("strides", size())];
                Ok(self.graph.node("MaxPool", &[x], &attributes))
            }
            LayerKind::GlobalLocal(join) => self.global_local(plan, x, join),
        }
    }

    fn global_local(
        &mut self,
        plan: &LayerPlan,
        x: &str,
        join: Join,
    ) -> Result<TensorName, ExportFault> {
        let mut branches = Vec::new();
        if self.settings.branches != Branches::Local {
            let weight = self.constant(&format!("{}.global", plan.name))?;
            let y = self.conv(plan, x, &weight);
            branches.push(self.leaky(&y));
        }
        if self.settings.branches != Branches::Global {
            let y = self.local(plan, x)?;
            branches.push(self.leaky(&y));
        }
        self.global_local_layers += 1;
        match branches.as_slice() {
            [global, local] => {
                let both = [global.as_str(), local.as_str()];
                Ok(match join {
                    Join::Sum => self.graph.node("Add", &both, &[]),
                    Join::Stack => self.stack(&both),
                })
            }
            _ => branches.pop().ok_or_else(|| ExportFault::Missing(plan.name.clone())),
        }
    }

    /// The local branch before its leaky ReLU.
    fn local(&mut self, plan: &LayerPlan, x: &str) -> Result<TensorName, ExportFault> {
        let name = format!("{}.local", plan.name);
        match self.restriction(plan)? {
            Restriction::Plain => {
                let weight = self.constant(&name)?;
                Ok(self.conv(plan, x, &weight))
            }
            Restriction::Weighed(taps) => {
                let Weight { shape, mut values } = self.weight(&name)?.clone();
                let taps = taps.iter().cycle();
                values.iter_mut().zip(taps).for_each(|(value, tap)| *value *= tap);
                let weight = self.graph.floats(&name, &shape, &values);
                Ok(self.conv(plan, x, &weight))
            }
            Restriction::Regions(regions) => {
                let weight = self.constant(&name)?;
                Ok(match regions.row_bands() {
                    Some(rows) => self.banded(plan, x, &weight, &rows),
                    None => self.masked(plan, x, &weight, &regions),
                })
            }
        }
    }

    /// What [`crate::net::Evaluator`] does.
    fn restriction(&self, plan: &LayerPlan) -> Result<Restriction, ExportFault> {
        let local = &self.settings.local;
        let bands = local.partition == LocalPartition::Bands;
        if local.reading == Reading::Literal {
            return Ok(Restriction::Plain);
        }
        let one_region = matches!(local.at_test, AtTest::Expected | AtTest::Plain);
        if !bands && one_region {
            let weighed = local.at_test == AtTest::Expected && local.reading == Reading::Restrict;
            let [_, rows, columns] = plan::KERNEL;
            let taps = mask::expected_taps(local, plan.height, plan.width, [rows, columns]);
            return Ok(taps.filter(|_| weighed).map_or(Restriction::Plain, Restriction::Weighed));
        }
        if !bands && local.at_test == AtTest::MeanOfK {
            return Err(ExportFault::MeanOfDraws);
        }
        if local.reading == Reading::Activate {
            return Err(ExportFault::ActivatedRegions);
        }
        let mut generator = mask::test_generator(local.seed, 0, self.global_local_layers);
        Ok(Restriction::Regions(mask::draw(local, plan.height, plan.width, &mut generator)))
    }

    /// A convolution of each band of rows by itself.
    fn banded(&mut self, plan: &LayerPlan, x: &str, weight: &str, rows: &[usize]) -> TensorName {
        let heights: Vec<usize> = rows.windows(2).map(|pair| pair[1] - pair[0]).collect();
        if let [_] = heights.as_slice() {
            return self.conv(plan, x, weight);
        }
        let name = format!("{}.bands", plan.name);
        let split = self.graph.integers(&name, &[heights.len()], &heights);
        let rows = [("axis", Attribute::Integer(3))];
        let bands = self.graph.nodes("Split", &[x, &split], &rows, heights.len());
        let convolved: Vec<TensorName> =
            bands.iter().map(|band| self.conv(plan, band, weight)).collect();
        let convolved: Vec<&str> = convolved.iter().map(String::as_str).collect();
        self.stack(&convolved)
    }

    /// The sum over the regions of the convolution of each region alone, within that region.
    fn masked(&mut self, plan: &LayerPlan, x: &str, weight: &str, regions: &Regions) -> TensorName {
        let mut sum: Option<TensorName> = None;
        for region in regions.regions() {
            let shape = [1, 1, 1, plan.height, plan.width];
            let name = format!("{}.region.{region}", plan.name);
            let mask = self.graph.floats(&name, &shape, &regions.indicator(region));
            let within = self.graph.node("Mul", &[x, &mask], &[]);
            let y = self.conv(plan, &within, weight);
            let y = self.graph.node("Mul", &[&y, &mask], &[]);
            sum = Some(match sum {
                Some(sum) => self.graph.node("Add", &[&sum, &y], &[]),
                None => y,
            });
        }
        sum.unwrap_or_else(|| self.conv(plan, x, weight))
    }

    fn conv(&mut self, plan: &LayerPlan, x: &str, weight: &str) -> TensorName {
        let kernel = plan.kernel().unwrap_or(plan::KERNEL);
        let (padding, stride) = match plan.kind {
            LayerKind::Lta(_, stride) => (0, stride),
            _ => (kernel[0] / 2, 1),
        };
        let [_, rows, columns] = kernel.map(|size| size / 2);
        let attributes = [
            ("kernel_shape", Attribute::Integers(&kernel)),
            ("strides", Attribute::Integers(&[stride, 1, 1])),
            ("pads", Attribute::Integers(&[padding, rows, columns, padding, rows, columns])),
        ];
        self.graph.node("Conv", &[x, weight], &attributes)
    }

    fn leaky(&mut self, x: &str) -> TensorName {
        self.graph.node("LeakyRelu", &[x], &[("alpha", Attribute::Float(SLOPE))])
    }

    /// One above the other.
    fn stack(&mut self, maps: &[&str]) -> TensorName {
        self.graph.node("Concat", maps, &[("axis", Attribute::Integer(3))])
    }

    /// `[n, c, t, h, w]` to strips `[n, c, p]`.
    fn pooled(&mut self, x: &str) -> Result<TensorName, ExportFault> {
        let over = |graph: &mut Graph, operator: &str, x: &str, axis: usize, keep: i64| {
            let attributes =
                [("axes", Attribute::Integers(&[axis])), ("keepdims", Attribute::Integer(keep))];
            graph.node(operator, &[x], &attributes)
        };
        let [channels, rows, columns] = plan::final_map(self.settings);
        let [_, strips] = plan::strips(self.settings);
        let graph = &mut self.graph;
        let x = over(graph, "ReduceMax", x, 2, 0);
        // 0 keeps the number of sequences.
        let shape = graph.integers("strips", &[4], &[0, channels, strips, rows / strips * columns]);
        let x = graph.node("Reshape", &[&x, &shape], &[]);
        Ok(match self.settings.spatial_pooling {
            SpatialPooling::Max => over(graph, "ReduceMax", &x, 3, 0),
            SpatialPooling::Mean => over(graph, "ReduceMean", &x, 3, 0),
            SpatialPooling::Both => {
                let highest = over(graph, "ReduceMax", &x, 3, 0);
                let mean = over(graph, "ReduceMean", &x, 3, 0);
                graph.node("Add", &[&highest, &mean], &[])
            }
            SpatialPooling::Gem => {
                let exponent = self.weight("pooling.exponent")?.values.first().copied();
                let exponent =
                    exponent.ok_or_else(|| ExportFault::Missing("pooling.exponent".into()))?;
                let graph = &mut self.graph;
                let least = graph.floats("least", &[], &[FLOOR]);
                let power = graph.floats("pooling.exponent", &[], &[exponent]);
                let root = graph.floats("pooling.root", &[], &[1.0 / exponent]);
                let x = graph.node("Clip", &[&x, &least], &[]);
                // Powers of the quotients by the strip's maximum neither vanish nor overflow.
                let highest = over(graph, "ReduceMax", &x, 3, 1);
                let x = graph.node("Div", &[&x, &highest], &[]);
                let x = graph.node("Pow", &[&x, &power], &[]);
                let x = over(graph, "ReduceMean", &x, 3, 1);
                let x = graph.node("Pow", &[&x, &root], &[]);
                let x = graph.node("Mul", &[&x, &highest], &[]);
                over(graph, "ReduceMax", &x, 3, 0)
            }
        })
    }

    /// Strips to embeddings.
    fn head(&mut self, strips: &str) -> Result<TensorName, ExportFault> {
        let weight = self.constant("head.fc.weight")?;
        let order = |order: &'static [usize]| [("perm", Attribute::Integers(order))];
        // Strips first, so that they are the batch of the product.
        let x = self.graph.node("Transpose", &[strips], &order(&[2, 0, 1]));
        let x = self.graph.node("MatMul", &[&x, &weight], &[]);
        let x = self.graph.node("Transpose", &[&x], &order(&[1, 2, 0]));
        if !self.settings.neck.embeds_after_norm() {
            return Ok(x);
        }
        let mut inputs = vec![x];
        for name in ["scale", "shift", "running_mean", "running_variance"] {
            inputs.push(self.constant(&format!("head.norm.{name}"))?);
        }
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        let epsilon = [("epsilon", Attribute::Float(EPSILON as f32))];
        Ok(self.graph.node("BatchNormalization", &inputs, &epsilon))
    }
}
