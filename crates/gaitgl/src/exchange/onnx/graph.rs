//! Builds an ONNX graph (onnx.proto, IR version 8, operators of opset 17).

use crate::protobuf::Message;
use crate::weights::little_endian;

/// Version of the operators.
pub const OPSET: u64 = 17;
/// Version of the file format that came with it.
const IR: u64 = 8;
/// Element types of tensors.
const FLOAT: u64 = 1;
const INT64: u64 = 7;

/// The name of a tensor in the graph.
pub type TensorName = String;

/// An attribute of a node.
pub enum Attribute<'a> {
    /// One number.
    Float(f32),
    /// One whole number.
    Integer(i64),
    /// Whole numbers.
    Integers(&'a [usize]),
}

/// A size of an input or output.
pub enum AxisSize<'a> {
    /// Always the same.
    Fixed(usize),
    /// Given by the data, and named.
    Free(&'a str),
}

/// Nodes, constants, inputs and outputs.
#[derive(Default)]
pub struct Graph {
    nodes: Vec<Message>,
    initializers: Vec<Message>,
    ends: Vec<(u32, Message)>,
    /// Names given out so far.
    count: usize,
}

impl Graph {
    /// Adds a node and returns the name of its output.
    pub fn node(
        &mut self,
        operator: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute)],
    ) -> TensorName {
        self.nodes(operator, inputs, attributes, 1).swap_remove(0)
    }

    /// Adds a node and returns the names of its outputs.
    pub fn nodes(
        &mut self,
        operator: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute)],
        outputs: usize,
    ) -> Vec<TensorName> {
        let names: Vec<TensorName> = (0..outputs).map(|_| self.fresh(operator)).collect();
        self.push(operator, inputs, attributes, &names);
        names
    }

    /// Adds a node whose output is an output of the graph.
    pub fn result(&mut self, operator: &str, input: &str, name: &str, shape: &[AxisSize]) {
        self.push(operator, &[input], &[], &[name.to_string()]);
        self.ends.push((12, end(name, shape)));
    }

    /// Adds an input of the graph, float32.
    pub fn input(&mut self, name: &str, shape: &[AxisSize]) {
        self.ends.push((11, end(name, shape)));
    }

    /// Adds a constant tensor, float32.
    pub fn floats(&mut self, name: &str, shape: &[usize], values: &[f32]) -> TensorName {
        self.constant(name, FLOAT, shape, &little_endian(values))
    }

    /// Adds a constant tensor, int64.
    pub fn integers(&mut self, name: &str, shape: &[usize], values: &[usize]) -> TensorName {
        let bytes: Vec<u8> =
            values.iter().flat_map(|value| (*value as u64).to_le_bytes()).collect();
        self.constant(name, INT64, shape, &bytes)
    }

    /// The bytes of the file, with `remarks` as metadata.
    pub fn into_model(self, remarks: &[(&str, String)]) -> Vec<u8> {
        let mut graph = Message::default();
        for node in &self.nodes {
            graph = graph.message(1, node);
        }
        graph = graph.text(2, "gaitgl");
        for initializer in &self.initializers {
            graph = graph.message(5, initializer);
        }
        for (field, end) in &self.ends {
            graph = graph.message(*field, end);
        }
        let opset = Message::default().text(1, "").integer(2, OPSET);
        let mut model = Message::default()
            .integer(1, IR)
            .text(2, "gaitgl")
            .text(3, env!("CARGO_PKG_VERSION"))
            .message(7, &graph)
            .message(8, &opset);
        for (key, value) in remarks {
            model = model.message(14, &Message::default().text(1, key).text(2, value));
        }
        model.into_bytes()
    }

    fn fresh(&mut self, operator: &str) -> TensorName {
        self.count += 1;
        format!("{operator}_{}", self.count)
    }

    fn push(
        &mut self,
        operator: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute)],
        outputs: &[TensorName],
    ) {
        let mut node = Message::default();
        for input in inputs {
            node = node.text(1, input);
        }
        for output in outputs {
            node = node.text(2, output);
        }
        // A node is named after its first output.
        node = node.text(3, &outputs[0]).text(4, operator);
        for (name, value) in attributes {
            node = node.message(5, &attribute(name, value));
        }
        self.nodes.push(node);
    }

    fn constant(&mut self, name: &str, kind: u64, shape: &[usize], bytes: &[u8]) -> TensorName {
        let mut tensor = Message::default();
        for &size in shape {
            tensor = tensor.integer(1, size as u64);
        }
        let tensor = tensor.integer(2, kind).text(8, name).bytes(9, bytes);
        self.initializers.push(tensor);
        name.into()
    }
}

fn attribute(name: &str, value: &Attribute) -> Message {
    let named = Message::default().text(1, name);
    match value {
        Attribute::Float(value) => named.float(2, *value).integer(20, 1),
        Attribute::Integer(value) => named.integer(3, value.cast_unsigned()).integer(20, 2),
        Attribute::Integers(values) => {
            values.iter().fold(named, |m, value| m.integer(8, *value as u64)).integer(20, 7)
        }
    }
}

/// The name, type and shape of an input or output.
fn end(name: &str, shape: &[AxisSize]) -> Message {
    let shape = shape.iter().fold(Message::default(), |shape, size| {
        let dimension = match size {
            AxisSize::Fixed(size) => Message::default().integer(1, *size as u64),
            AxisSize::Free(name) => Message::default().text(2, name),
        };
        shape.message(1, &dimension)
    });
    let tensor = Message::default().integer(1, FLOAT).message(2, &shape);
    Message::default().text(1, name).message(2, &Message::default().message(1, &tensor))
}
