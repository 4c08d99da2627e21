//! Takes the depthwise convolutions out of an ONNX network, to be computed by [`Depthwise`].
//!
//! What such a convolution reads becomes an output of the network, and what it writes an input. The rest
//! runs in steps: step `n` computes what follows from the results of the first `n` convolutions in a
//! row. Values that a later step needs become outputs, too.

use std::collections::{BTreeMap, BTreeSet};

use half::f16;
use rten_onnx::onnx::{
    AttributeProto, DataType, GraphProto, ModelProto, NodeProto, TensorProto, TypeProto,
    TypeProtoTensor, ValueInfoProto,
};

use super::depthwise::Depthwise;

/// A network without its depthwise convolutions.
pub(super) struct Split {
    /// The ONNX file of the rest.
    pub onnx: Vec<u8>,
    /// Outputs that the network had before.
    pub outputs: usize,
    /// What is computed in which order.
    pub steps: Vec<Step>,
}

/// One run of the rest, and the convolutions that then can be computed.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Step {
    /// Values that the run reads, each with whether it is the last one to do so.
    pub inputs: Vec<(String, bool)>,
    /// Values that it computes.
    pub outputs: Vec<String>,
    /// Convolutions of these values, and the names of their results.
    pub convolutions: Vec<Convolution>,
}

/// A convolution of a network.
#[derive(Debug, PartialEq)]
pub(super) struct Convolution {
    pub input: String,
    pub output: String,
    pub depthwise: Depthwise,
}

/// Splits a network; none if it has no such convolution, or is no ONNX that can be understood here: then
/// the engine has it all.
pub(super) fn split(bytes: &[u8]) -> Option<Split> {
    let mut model = ModelProto::parse_buf(bytes).ok()?;
    let graph = model.graph.as_mut()?;
    let convolutions: Vec<Convolution> =
        graph.node.iter().filter_map(|node| convolution(graph, node)).collect();
    if convolutions.is_empty() {
        return None;
    }
    let taken: BTreeSet<&str> = convolutions.iter().map(|c| &*c.output).collect();
    graph.node.retain(|node| !node.output.iter().any(|name| taken.contains(&**name)));
    let levels = levels(graph, &convolutions)?;
    let steps = steps(graph, &levels, convolutions);
    let outputs = graph.output.len();
    open(graph, &steps);
    Some(Split { onnx: model.write_buf().ok()?, outputs, steps })
}

/// The convolution of a node, if it is a depthwise one of a usual form.
fn convolution(graph: &GraphProto, node: &NodeProto) -> Option<Convolution> {
    let [input, kernels, bias @ ..] = node.input.as_slice() else { return None };
    let [output] = node.output.as_slice() else { return None };
    if node.op_type.as_deref() != Some("Conv") {
        return None;
    }
    let ints = |name: &str| attribute(node, name).map(|found| &*found.ints).unwrap_or_default();
    let (dims, weights) = constant(graph, kernels)?;
    let &[channels, 1, rows, columns] = dims.as_slice() else { return None };
    let groups = usize::try_from(attribute(node, "group")?.i?).ok()?;
    let plain = |values: &[i64]| values.iter().all(|&value| value == 1);
    let automatic = attribute(node, "auto_pad").and_then(|found| found.s.as_deref());
    let stride = match ints("strides") {
        [] => 1,
        [y, x] if y == x => usize::try_from(*y).ok().filter(|stride| *stride > 0)?,
        _ => return None,
    };
    let padding = match ints("pads") {
        [] => [0; 4],
        pads => numbers(pads)?.try_into().ok()?,
    };
    let bias = match bias {
        [] => vec![0.0; channels],
        [name] => constant(graph, name)?.1,
        _ => return None,
    };
    let fits = weights.len() == channels * rows * columns && bias.len() == channels;
    let usual = groups == channels && channels > 1 && plain(ints("dilations"));
    (fits && usual && matches!(automatic, None | Some("NOTSET"))).then(|| Convolution {
        input: input.clone(),
        output: output.clone(),
        depthwise: Depthwise { kernel: [rows, columns], stride, padding, weights, bias },
    })
}

fn attribute<'a>(node: &'a NodeProto, name: &str) -> Option<&'a AttributeProto> {
    node.attribute.iter().find(|attribute| attribute.name.as_deref() == Some(name))
}

/// The sizes and values of a constant of 32 or 16 bits, which may pass through a conversion.
fn constant(graph: &GraphProto, name: &str) -> Option<(Vec<usize>, Vec<f32>)> {
    let converted = || {
        let writes = |node: &&NodeProto| node.output.iter().any(|output| output == name);
        let node = graph.node.iter().find(writes)?;
        (node.op_type.as_deref() == Some("Cast")).then(|| node.input.first())?
    };
    let named = |name: &str| graph.initializer.iter().find(|t| t.name.as_deref() == Some(name));
    let tensor = named(name).or_else(|| named(converted()?))?;
    Some((numbers(&tensor.dims)?, floats(tensor)?))
}

fn floats(tensor: &TensorProto) -> Option<Vec<f32>> {
    if !tensor.float_data.is_empty() {
        return Some(tensor.float_data.clone());
    }
    let bytes = tensor.raw_data.as_ref()?.borrow();
    match tensor.data_type? {
        DataType::FLOAT => {
            Some(bytes.as_chunks().0.iter().map(|value| f32::from_le_bytes(*value)).collect())
        }
        DataType::FLOAT16 => {
            let values = bytes.as_chunks().0.iter();
            Some(values.map(|value| f16::from_le_bytes(*value).to_f32()).collect())
        }
        _ => None,
    }
}

fn numbers(values: &[i64]) -> Option<Vec<usize>> {
    values.iter().map(|&value| usize::try_from(value).ok()).collect()
}

/// The step in which each value that depends on the network's inputs is computed; none if the nodes are
/// not in the order of the computation. The results of convolutions are there at the next step.
fn levels(graph: &GraphProto, convolutions: &[Convolution]) -> Option<BTreeMap<String, usize>> {
    let mut levels: BTreeMap<String, usize> =
        graph.input.iter().filter_map(|input| Some((input.name.clone()?, 0))).collect();
    for tensor in &graph.initializer {
        levels.remove(tensor.name.as_deref().unwrap_or_default());
    }
    let mut left: Vec<&Convolution> = convolutions.iter().collect();
    let waiting = |levels: &BTreeMap<String, usize>, left: &[&Convolution], name: &str| {
        left.iter().any(|c| c.output == name) && !levels.contains_key(name)
    };
    for node in &graph.node {
        // Convolutions stood before the nodes that read them.
        left.retain(|convolution| {
            let Some(&level) = levels.get(&convolution.input) else { return true };
            levels.insert(convolution.output.clone(), level + 1);
            false
        });
        if node.input.iter().any(|name| waiting(&levels, &left, name)) {
            return None;
        }
        let known = node.input.iter().filter_map(|name| levels.get(name).copied());
        if let Some(level) = known.max() {
            levels.extend(node.output.iter().map(|name| (name.clone(), level)));
        }
    }
    for convolution in left {
        let level = *levels.get(&convolution.input)?;
        levels.insert(convolution.output.clone(), level + 1);
    }
    Some(levels)
}

/// The steps, in order.
fn steps(
    graph: &GraphProto,
    levels: &BTreeMap<String, usize>,
    convolutions: Vec<Convolution>,
) -> Vec<Step> {
    let count = levels.values().max().map_or(0, |last| last + 1);
    let mut steps: Vec<Step> = (0..count).map(|_| Step::default()).collect();
    let last = last_uses(graph, levels);
    let is_given = |name: &str| {
        convolutions.iter().any(|c| c.output == name)
            || graph.input.iter().any(|input| input.name.as_deref() == Some(name))
    };
    let is_result = |name: &str| {
        graph.output.iter().any(|output| output.name.as_deref() == Some(name))
            || convolutions.iter().any(|c| c.input == name)
    };
    for (name, &level) in levels {
        let last = last.get(name.as_str()).copied().unwrap_or(level);
        if !is_given(name) && (is_result(name) || last > level) {
            steps[level].outputs.push(name.clone());
        }
        let first = if is_given(name) { level } else { level + 1 };
        for (number, step) in steps.iter_mut().enumerate().take(last + 1).skip(first) {
            step.inputs.push((name.clone(), number == last && !is_result(name)));
        }
    }
    for convolution in convolutions {
        steps[levels[&convolution.input]].convolutions.push(convolution);
    }
    steps
}

/// The last step that reads each value.
fn last_uses<'a>(
    graph: &'a GraphProto,
    levels: &BTreeMap<String, usize>,
) -> BTreeMap<&'a str, usize> {
    let mut last = BTreeMap::new();
    for node in &graph.node {
        let level = node.output.iter().filter_map(|name| levels.get(name)).max();
        for (name, level) in node.input.iter().zip(level.into_iter().cycle()) {
            let known = last.entry(&**name).or_insert(*level);
            *known = (*known).max(*level);
        }
    }
    last
}

/// Makes inputs and outputs of the values that go in and out between the steps.
fn open(graph: &mut GraphProto, steps: &[Step]) {
    let value = |name: &str| {
        let tensor_type = Some(TypeProtoTensor { elem_type: Some(DataType::FLOAT), shape: None });
        let kind = TypeProto { tensor_type, sequence: None };
        ValueInfoProto { name: Some(name.to_owned()), r#type: Some(kind) }
    };
    let is_known = |values: &[ValueInfoProto], name: &str| {
        values.iter().any(|value| value.name.as_deref() == Some(name))
    };
    for step in steps {
        for name in &step.outputs {
            if !is_known(&graph.output, name) {
                graph.output.push(value(name));
            }
        }
        graph.input.extend(step.convolutions.iter().map(|convolution| value(&convolution.output)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLAZEPOSE: &[u8] = include_bytes!("../../models/blazepose-lite.onnx");

    fn groups(onnx: &[u8]) -> Vec<usize> {
        let graph = ModelProto::parse_buf(onnx).unwrap().graph.unwrap();
        let group = |node: &NodeProto| usize::try_from(attribute(node, "group")?.i?).ok();
        graph.node.iter().filter_map(group).filter(|&group| group > 1).collect()
    }

    #[test]
    fn all_depthwise_convolutions_of_a_network_are_taken_out() {
        let before = groups(BLAZEPOSE);
        let split = split(BLAZEPOSE).unwrap();
        let taken: Vec<usize> = split
            .steps
            .iter()
            .flat_map(|step| &step.convolutions)
            .map(|convolution| convolution.depthwise.channels())
            .collect();
        assert_eq!((before.len(), taken.len(), split.outputs), (34, 34, 3));
        let sorted = |mut values: Vec<usize>| {
            values.sort_unstable();
            values
        };
        assert_eq!(sorted(taken), sorted(before));
        assert!(groups(&split.onnx).is_empty());
    }

    #[test]
    fn every_step_has_what_it_reads() {
        let split = split(BLAZEPOSE).unwrap();
        let mut known = BTreeSet::from(["image".to_owned()]);
        for step in &split.steps {
            for (name, is_last) in &step.inputs {
                assert!(known.contains(name), "{name}");
                if *is_last {
                    known.remove(name);
                }
            }
            known.extend(step.outputs.iter().cloned());
            for Convolution { input, output, .. } in &step.convolutions {
                assert!(known.contains(input), "{input}");
                known.insert(output.clone());
            }
        }
        assert!(["landmarks", "presence", "mask"].iter().all(|&name| known.contains(name)));
    }

    #[test]
    fn what_is_no_network_or_has_no_such_convolution_is_left_alone() {
        assert!(split(b"").is_none());
        assert!(split(b"no ONNX at all").is_none());
        let mut model = ModelProto::parse_buf(BLAZEPOSE).unwrap();
        model.graph.as_mut().unwrap().node.retain(|node| attribute(node, "group").is_none());
        assert!(split(&model.write_buf().unwrap()).is_none());
    }
}
