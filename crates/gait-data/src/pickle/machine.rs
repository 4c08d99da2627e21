//! The stack machine: opcodes in, numbered nodes out.

use std::collections::BTreeMap;

use super::opcode::*;
use super::{Pickle, PickleError, Rules};

/// A value; members are numbers of other nodes.
#[derive(Debug)]
pub(super) enum Node<'a> {
    None,
    Truth(bool),
    Integer(i128),
    Float(f64),
    Text(&'a str),
    Bytes(&'a [u8]),
    Tuple(Vec<u32>),
    List(Vec<u32>),
    Set(Vec<u32>),
    Dict(Vec<[u32; 2]>),
    Function(&'a str, &'a str),
    Call(Box<CallNode>),
    Persistent(u32),
}

/// [`Rules::values`] promises this.
const _: () = assert!(size_of::<Node>() <= 64);

/// A call, what was put into its result, and the state that the result is given.
#[derive(Debug)]
pub(super) struct CallNode {
    pub function: u32,
    pub arguments: u32,
    pub pairs: Vec<[u32; 2]>,
    pub state: Option<u32>,
}

/// Runs the program at the start of `bytes`.
pub(super) fn run<'a>(bytes: &'a [u8], rules: &Rules) -> Result<Pickle<'a>, PickleError> {
    let mut machine = Machine {
        input: bytes,
        at: 0,
        opcode_at: 0,
        rules,
        nodes: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: BTreeMap::new(),
    };
    if bytes.first() != Some(&PROTO) {
        let what = UnsupportedOpcode::NoPickle;
        let is_empty = bytes.is_empty();
        return Err(if is_empty {
            PickleError::Truncated
        } else {
            PickleError::Unsupported { at: 0, what }
        });
    }
    loop {
        machine.opcode_at = machine.at;
        let opcode = machine.byte()?;
        if opcode == STOP {
            let root = machine.pop()?;
            return Ok(Pickle { nodes: machine.nodes, root, length: machine.at });
        }
        machine.step(opcode)?;
    }
}

struct Machine<'a, 'r> {
    input: &'a [u8],
    at: usize,
    /// Where the opcode in work began.
    opcode_at: usize,
    rules: &'r Rules<'r>,
    nodes: Vec<Node<'a>>,
    stack: Vec<u32>,
    /// Heights of the stack at the marks.
    marks: Vec<usize>,
    memo: BTreeMap<u32, u32>,
}

impl<'a> Machine<'a, '_> {
    fn step(&mut self, opcode: u8) -> Result<(), PickleError> {
        match opcode {
            PROTO => match self.byte()? {
                2..=5 => Ok(()),
                other => self.unsupported(UnsupportedOpcode::Protocol(other)),
            },
            // A frame is only a hint of how much to read at a time.
            FRAME => self.length8().and_then(|length| {
                let left = self.input.len() - self.at;
                if length > left { Err(PickleError::Truncated) } else { Ok(()) }
            }),
            NONE => self.push(Node::None),
            NEWTRUE => self.push(Node::Truth(true)),
            NEWFALSE => self.push(Node::Truth(false)),
            BININT | BININT1 | BININT2 | LONG1 | LONG4 => {
                let value = self.integer(opcode)?;
                self.push(Node::Integer(value))
            }
            BINFLOAT => {
                let value = f64::from_be_bytes(self.array()?);
                self.push(Node::Float(value))
            }
            BINUNICODE | SHORT_BINUNICODE | BINUNICODE8 => {
                let bytes = self.counted(opcode)?;
                let text = self.utf8(bytes)?;
                self.push(Node::Text(text))
            }
            BINSTRING | SHORT_BINSTRING | BINBYTES | SHORT_BINBYTES | BINBYTES8 | BYTEARRAY8 => {
                let bytes = self.counted(opcode)?;
                self.push(Node::Bytes(bytes))
            }
            READONLY_BUFFER => Ok(()),
            BINGET | LONG_BINGET | BINPUT | LONG_BINPUT | MEMOIZE => self.remember(opcode),
            MARK | POP | POP_MARK | DUP => self.shuffle(opcode),
            GLOBAL | STACK_GLOBAL => self.function(opcode),
            REDUCE | NEWOBJ | BUILD => self.call(opcode),
            BINPERSID => {
                let id = self.pop()?;
                self.push(Node::Persistent(id))
            }
            _ => self.collect(opcode),
        }
    }

    /// Opcodes that move values without making any.
    fn shuffle(&mut self, opcode: u8) -> Result<(), PickleError> {
        match opcode {
            MARK => self.marks.push(self.stack.len()),
            POP_MARK => drop(self.since_mark()?),
            DUP => {
                let top = self.top()?;
                self.stack.push(top);
            }
            // Right above a mark, it takes the mark.
            _ if self.marks.last() == Some(&self.stack.len()) => drop(self.marks.pop()),
            _ => drop(self.pop()?),
        }
        Ok(())
    }

    /// Opcodes of the memo.
    fn remember(&mut self, opcode: u8) -> Result<(), PickleError> {
        let key = match opcode {
            BINGET | BINPUT => u32::from(self.byte()?),
            LONG_BINGET | LONG_BINPUT => u32::from_le_bytes(self.array()?),
            _ => self.memo.len() as u32,
        };
        if matches!(opcode, BINGET | LONG_BINGET) {
            let known = self.memo.get(&key).copied();
            let value = known.ok_or_else(|| self.damaged("nothing is remembered there"))?;
            self.stack.push(value);
        } else {
            let top = self.top()?;
            self.memo.insert(key, top);
        }
        Ok(())
    }

    /// Opcodes that make or fill tuples, lists, sets and dictionaries.
    fn collect(&mut self, opcode: u8) -> Result<(), PickleError> {
        match opcode {
            EMPTY_TUPLE => self.push(Node::Tuple(Vec::new())),
            EMPTY_LIST => self.push(Node::List(Vec::new())),
            EMPTY_SET => self.push(Node::Set(Vec::new())),
            EMPTY_DICT => self.push(Node::Dict(Vec::new())),
            TUPLE1 | TUPLE2 | TUPLE3 => {
                let members = self.last(1 + usize::from(opcode - TUPLE1))?;
                self.push(Node::Tuple(members))
            }
            TUPLE => self.since_mark().and_then(|members| self.push(Node::Tuple(members))),
            LIST => self.since_mark().and_then(|members| self.push(Node::List(members))),
            FROZENSET => self.since_mark().and_then(|members| self.push(Node::Set(members))),
            DICT => {
                let pairs = self.since_mark()?;
                let pairs = self.paired(&pairs)?;
                self.push(Node::Dict(pairs))
            }
            APPEND => self.last(1).and_then(|members| self.append(members)),
            APPENDS | ADDITEMS => self.since_mark().and_then(|members| self.append(members)),
            SETITEM => self.last(2).and_then(|pair| self.put(&pair)),
            SETITEMS => self.since_mark().and_then(|pairs| self.put(&pairs)),
            other => self.unsupported(UnsupportedOpcode::from_opcode(other)),
        }
    }

    /// Adds members to the list or set on top of the stack.
    fn append(&mut self, members: Vec<u32>) -> Result<(), PickleError> {
        let top = self.top()? as usize;
        match &mut self.nodes[top] {
            Node::List(list) | Node::Set(list) => list.extend(members),
            _ => return Err(self.damaged("members are added to a value that is not a list")),
        }
        Ok(())
    }

    /// Puts pairs into the dictionary or the result of a call on top of the stack.
    fn put(&mut self, pairs: &[u32]) -> Result<(), PickleError> {
        let pairs = self.paired(pairs)?;
        let top = self.top()? as usize;
        match &mut self.nodes[top] {
            Node::Dict(dict) => dict.extend(pairs),
            Node::Call(call) => call.pairs.extend(pairs),
            _ => return Err(self.damaged("pairs are put into a value that is not a dictionary")),
        }
        Ok(())
    }

    fn paired(&self, flat: &[u32]) -> Result<Vec<[u32; 2]>, PickleError> {
        match flat.as_chunks::<2>() {
            (pairs, []) => Ok(pairs.to_vec()),
            _ => Err(self.damaged("a key has no value")),
        }
    }

    /// Names a class or function; it must be an allowed one.
    fn function(&mut self, opcode: u8) -> Result<(), PickleError> {
        let (module, name) = if opcode == GLOBAL {
            (self.line()?, self.line()?)
        } else {
            let name = self.pop()?;
            let module = self.pop()?;
            match (&self.nodes[module as usize], &self.nodes[name as usize]) {
                (Node::Text(module), Node::Text(name)) => (*module, *name),
                _ => return Err(self.damaged("the name of a function is not text")),
            }
        };
        if !self.rules.functions.contains(&(module, name)) {
            let short =
                |text: &str| text.chars().filter(|c| !c.is_control()).take(60).collect::<String>();
            return Err(PickleError::Refused { module: short(module), name: short(name) });
        }
        self.push(Node::Function(module, name))
    }

    /// Notes a call, or the state that the result of one is given.
    fn call(&mut self, opcode: u8) -> Result<(), PickleError> {
        let argument = self.pop()?;
        if opcode == BUILD {
            let top = self.top()? as usize;
            return match &mut self.nodes[top] {
                Node::Call(call) if call.state.is_none() => {
                    call.state = Some(argument);
                    Ok(())
                }
                _ => Err(self.damaged("state is given to what cannot take it")),
            };
        }
        let function = self.pop()?;
        if !matches!(self.nodes[argument as usize], Node::Tuple(_)) {
            return Err(self.damaged("arguments are not a tuple"));
        }
        if !matches!(self.nodes[function as usize], Node::Function(..)) {
            return Err(self.damaged("a value that is not a function is called"));
        }
        let call = CallNode { function, arguments: argument, pairs: Vec::new(), state: None };
        self.push(Node::Call(Box::new(call)))
    }

    fn push(&mut self, node: Node<'a>) -> Result<(), PickleError> {
        let index = u32::try_from(self.nodes.len()).ok();
        let index = index.filter(|index| (*index as usize) < self.rules.values);
        self.stack.push(index.ok_or(PickleError::TooMany(self.rules.values))?);
        self.nodes.push(node);
        Ok(())
    }

    /// Height below which the stack belongs to what came before the last mark.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or_default()
    }

    fn top(&self) -> Result<u32, PickleError> {
        let top = self.stack[self.floor()..].last();
        top.copied().ok_or_else(|| self.damaged("the stack is empty"))
    }

    fn pop(&mut self) -> Result<u32, PickleError> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    /// The last `count` values, in order.
    fn last(&mut self, count: usize) -> Result<Vec<u32>, PickleError> {
        let start = self.stack.len().checked_sub(count).filter(|start| *start >= self.floor());
        let start = start.ok_or_else(|| self.damaged("the stack is empty"))?;
        Ok(self.stack.split_off(start))
    }

    /// The values above the last mark, which goes.
    fn since_mark(&mut self) -> Result<Vec<u32>, PickleError> {
        let mark = self.marks.pop().ok_or_else(|| self.damaged("a mark is missing"))?;
        Ok(self.stack.drain(mark..).collect())
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], PickleError> {
        let rest = &self.input[self.at..];
        let taken = rest.get(..length).ok_or(PickleError::Truncated)?;
        self.at += length;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, PickleError> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], PickleError> {
        let taken = self.take(N)?;
        taken.try_into().map_err(|_| PickleError::Truncated)
    }

    fn length8(&mut self) -> Result<usize, PickleError> {
        // No input is as long as what does not fit.
        usize::try_from(u64::from_le_bytes(self.array()?)).map_err(|_| PickleError::Truncated)
    }

    /// Bytes after their number, which is of 1, 4 or 8 bytes.
    fn counted(&mut self, opcode: u8) -> Result<&'a [u8], PickleError> {
        let length = match opcode {
            SHORT_BINUNICODE | SHORT_BINSTRING | SHORT_BINBYTES => usize::from(self.byte()?),
            BINUNICODE8 | BINBYTES8 | BYTEARRAY8 => self.length8()?,
            _ => u32::from_le_bytes(self.array()?) as usize,
        };
        self.take(length)
    }

    fn integer(&mut self, opcode: u8) -> Result<i128, PickleError> {
        let length = match opcode {
            BININT => return Ok(i32::from_le_bytes(self.array()?).into()),
            BININT1 => return Ok(self.byte()?.into()),
            BININT2 => return Ok(u16::from_le_bytes(self.array()?).into()),
            LONG1 => usize::from(self.byte()?),
            _ => u32::from_le_bytes(self.array()?) as usize,
        };
        let digits = self.take(length)?;
        let sign = if digits.last().is_some_and(|last| last & 0x80 != 0) { 0xFF } else { 0 };
        let mut whole = [sign; 16];
        match whole.get_mut(..length) {
            Some(low) => low.copy_from_slice(digits),
            None => return Err(self.damaged("an integer has more than 16 bytes")),
        }
        Ok(i128::from_le_bytes(whole))
    }

    /// Text up to the end of the line.
    fn line(&mut self) -> Result<&'a str, PickleError> {
        let length = self.input[self.at..].iter().position(|byte| *byte == b'\n');
        let line = self.take(length.ok_or(PickleError::Truncated)?)?;
        self.at += 1;
        self.utf8(line)
    }

    fn utf8(&self, bytes: &'a [u8]) -> Result<&'a str, PickleError> {
        str::from_utf8(bytes).map_err(|_| self.damaged("text is not UTF-8"))
    }

    fn damaged(&self, what: &'static str) -> PickleError {
        PickleError::Damaged { at: self.opcode_at, what }
    }

    fn unsupported<T>(&self, what: UnsupportedOpcode) -> Result<T, PickleError> {
        Err(PickleError::Unsupported { at: self.opcode_at, what })
    }
}
