//! Reading Python pickles of protocols 2 to 5 without executing anything.
//!
//! A pickle is a program for a small stack machine. This one knows its opcodes and nothing else:
//! a call of a function becomes a [`Call`] that names the function and its arguments, and a
//! function that the caller did not allow is refused by name as soon as the pickle mentions it.
//! Text and bytes are borrowed from the input, every other opcode makes at most one small node,
//! so that memory is bounded by the length of the input; nothing recurses, so that nesting costs
//! nothing. [`NumpyArray`] reads numpy arrays on top; checkpoints of PyTorch are trees of the same
//! values.

mod machine;
mod numpy;
mod opcode;
pub(crate) mod write;

pub use numpy::{NUMPY_RULES, NumpyArray};
pub use opcode::UnsupportedOpcode;
pub use write::PickleWriter;

use machine::Node;

/// What a pickle may hold.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'r> {
    /// The classes and functions that it may name, as (module, name).
    pub functions: &'r [(&'r str, &'r str)],
    /// The most values that it may make, each of at most 64 bytes.
    pub values: usize,
}

/// Why a pickle cannot be read. Its `Display` follows the name of the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PickleError {
    /// The input ends before the pickle does.
    #[error("truncated")]
    Truncated,
    /// It names a class or function that the caller does not allow.
    #[error("it calls {module}.{name}, which is refused: what is read is never executed")]
    Refused {
        /// Module of the function, shortened.
        module: String,
        /// Its name, shortened.
        name: String,
    },
    /// An opcode that belongs to another protocol or does what is not read here.
    #[error("byte {at} is {what}")]
    Unsupported {
        /// Offset of the opcode.
        at: usize,
        /// What it is.
        what: UnsupportedOpcode,
    },
    /// The opcodes do not fit together.
    #[error("damaged at byte {at}: {what}")]
    Damaged {
        /// Offset of the opcode.
        at: usize,
        /// What is wrong there.
        what: &'static str,
    },
    /// It would take more memory than such a file can need.
    #[error("it makes more than {0} values, more than any such file needs")]
    TooMany(usize),
    /// It is sound, but holds no numpy array where one is expected.
    #[error("it holds {found}, not a numpy array")]
    NotAnArray {
        /// What it holds, as [`Value::describe`] names it.
        found: String,
    },
    /// Its array has elements of another type.
    #[error("it holds {found}, not uint8; expected uint8 from 0 (black) to 255 (white)")]
    NotUint8 {
        /// Type and shape of the array, as [`NumpyArray::describe`] names them.
        found: String,
    },
    /// Its array has more or fewer elements than its shape says.
    #[error("it claims {array} and holds {bytes} bytes")]
    Length {
        /// Type and shape of the array.
        array: String,
        /// Bytes that are stored.
        bytes: usize,
    },
    /// The parts of its array do not belong together.
    #[error("its array is damaged: {0}")]
    DamagedArray(&'static str),
}

/// A pickle that has been read: values that refer to each other by number, so that shared and
/// even circular ones are no danger. Borrows its text and bytes from the input.
#[derive(Debug)]
pub struct Pickle<'a> {
    nodes: Vec<Node<'a>>,
    root: u32,
    length: usize,
}

impl<'a> Pickle<'a> {
    /// Reads the pickle at the start of `bytes`; what follows it is left (see
    /// [`Pickle::length`]).
    ///
    /// # Errors
    /// If it is no sound pickle of protocols 2 to 5 or breaks the `rules`.
    pub fn read(bytes: &'a [u8], rules: &Rules) -> Result<Self, PickleError> {
        machine::run(bytes, rules)
    }

    /// How many bytes of the input it took.
    pub fn length(&self) -> usize {
        self.length
    }

    /// What was pickled.
    pub fn root(&self) -> Value<'_, 'a> {
        self.value(self.root)
    }

    fn value(&self, index: u32) -> Value<'_, 'a> {
        Value { pickle: self, index }
    }

    fn node(&self, index: u32) -> &Node<'a> {
        &self.nodes[index as usize]
    }
}

/// One value of a [`Pickle`]. Asked for what it is not, it answers `None`.
#[derive(Clone, Copy, Debug)]
pub struct Value<'p, 'a> {
    pickle: &'p Pickle<'a>,
    index: u32,
}

/// A call that was not made: what `__reduce__` or `__new__` of an object asks for.
#[derive(Clone, Copy, Debug)]
pub struct Call<'p, 'a> {
    /// Module of the class or function.
    pub module: &'a str,
    /// Its name.
    pub name: &'a str,
    /// The arguments, a tuple.
    pub arguments: Value<'p, 'a>,
    /// The state that the object is given afterwards.
    pub state: Option<Value<'p, 'a>>,
}

impl<'p, 'a> Value<'p, 'a> {
    fn node(self) -> &'p Node<'a> {
        self.pickle.node(self.index)
    }

    /// Whether it is Python's `None`.
    pub fn is_none(self) -> bool {
        matches!(self.node(), Node::None)
    }

    /// A truth value.
    pub fn truth(self) -> Option<bool> {
        if let Node::Truth(value) = self.node() { Some(*value) } else { None }
    }

    /// A whole number of at most 16 bytes.
    pub fn integer(self) -> Option<i128> {
        if let Node::Integer(value) = self.node() { Some(*value) } else { None }
    }

    /// A whole number that counts something.
    pub fn size(self) -> Option<usize> {
        self.integer().and_then(|value| usize::try_from(value).ok())
    }

    /// A floating-point number.
    pub fn float(self) -> Option<f64> {
        if let Node::Float(value) = self.node() { Some(*value) } else { None }
    }

    /// Text, or a byte string of Python 2 that is ASCII.
    pub fn text(self) -> Option<&'a str> {
        match self.node() {
            Node::Text(value) => Some(value),
            Node::Bytes(value) if value.is_ascii() => str::from_utf8(value).ok(),
            _ => None,
        }
    }

    /// Bytes.
    pub fn bytes(self) -> Option<&'a [u8]> {
        if let Node::Bytes(value) = self.node() { Some(value) } else { None }
    }

    /// The members of a tuple.
    pub fn tuple(self) -> Option<impl ExactSizeIterator<Item = Value<'p, 'a>>> {
        if let Node::Tuple(members) = self.node() { Some(self.members(members)) } else { None }
    }

    /// The members of a list.
    pub fn list(self) -> Option<impl ExactSizeIterator<Item = Value<'p, 'a>>> {
        if let Node::List(members) = self.node() { Some(self.members(members)) } else { None }
    }

    /// The members of a tuple of exactly `N`.
    pub fn tuple_of<const N: usize>(self) -> Option<[Value<'p, 'a>; N]> {
        let Node::Tuple(members) = self.node() else { return None };
        let members: [u32; N] = members.as_slice().try_into().ok()?;
        Some(members.map(|index| self.pickle.value(index)))
    }

    /// The pairs of a dictionary, or those that were put into the result of a [`Call`] (as into
    /// an `OrderedDict`), in the order in which they were put there.
    pub fn pairs(self) -> Option<impl ExactSizeIterator<Item = [Value<'p, 'a>; 2]>> {
        let pairs = match self.node() {
            Node::Dict(pairs) => pairs.as_slice(),
            Node::Call(call) => &call.pairs,
            _ => return None,
        };
        Some(pairs.iter().map(move |pair| pair.map(|index| self.pickle.value(index))))
    }

    /// A class or function that is named, not called: (module, name).
    pub fn function(self) -> Option<(&'a str, &'a str)> {
        if let Node::Function(module, name) = self.node() { Some((module, name)) } else { None }
    }

    /// A call that was not made.
    pub fn call(self) -> Option<Call<'p, 'a>> {
        let Node::Call(call) = self.node() else { return None };
        let (module, name) = self.pickle.value(call.function).function()?;
        let value = |index| self.pickle.value(index);
        Some(Call { module, name, arguments: value(call.arguments), state: call.state.map(value) })
    }

    /// The name of an object outside the pickle.
    pub fn persistent(self) -> Option<Value<'p, 'a>> {
        if let Node::Persistent(id) = self.node() { Some(self.pickle.value(*id)) } else { None }
    }

    /// What it is, for messages: "a list of 3".
    pub fn describe(self) -> String {
        match self.node() {
            Node::None => "None".into(),
            Node::Truth(_) => "a truth value".into(),
            Node::Integer(_) => "an integer".into(),
            Node::Float(_) => "a float".into(),
            Node::Text(_) => "text".into(),
            Node::Bytes(bytes) => format!("{} bytes", bytes.len()),
            Node::Tuple(members) => format!("a tuple of {}", members.len()),
            Node::List(members) => format!("a list of {}", members.len()),
            Node::Set(members) => format!("a set of {}", members.len()),
            Node::Dict(pairs) => format!("a dictionary of {}", pairs.len()),
            Node::Function(module, name) => format!("the class {module}.{name}"),
            Node::Call(_) => match self.call() {
                Some(call) => format!("an object of {}.{}", call.module, call.name),
                None => "an object".into(),
            },
            Node::Persistent(_) => "a reference to another file".into(),
        }
    }

    fn members(
        self,
        members: &'p [u32],
    ) -> impl ExactSizeIterator<Item = Value<'p, 'a>> + use<'p, 'a> {
        members.iter().map(move |index| self.pickle.value(*index))
    }
}
