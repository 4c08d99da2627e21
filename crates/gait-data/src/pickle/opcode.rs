//! The opcodes of pickle protocols 2 to 5, named as in Python's `pickletools`, which describes them.

#![allow(missing_docs, reason = "the names are Python's")]

pub const MARK: u8 = b'(';
pub const STOP: u8 = b'.';
pub const POP: u8 = b'0';
pub const POP_MARK: u8 = b'1';
pub const DUP: u8 = b'2';
pub const NONE: u8 = b'N';
pub const NEWTRUE: u8 = 0x88;
pub const NEWFALSE: u8 = 0x89;
pub const BININT: u8 = b'J';
pub const BININT1: u8 = b'K';
pub const BININT2: u8 = b'M';
pub const LONG1: u8 = 0x8a;
pub const LONG4: u8 = 0x8b;
pub const BINFLOAT: u8 = b'G';
pub const BINUNICODE: u8 = b'X';
pub const SHORT_BINUNICODE: u8 = 0x8c;
pub const BINUNICODE8: u8 = 0x8d;
pub const BINSTRING: u8 = b'T';
pub const SHORT_BINSTRING: u8 = b'U';
pub const BINBYTES: u8 = b'B';
pub const SHORT_BINBYTES: u8 = b'C';
pub const BINBYTES8: u8 = 0x8e;
pub const BYTEARRAY8: u8 = 0x96;
pub const READONLY_BUFFER: u8 = 0x98;
pub const EMPTY_TUPLE: u8 = b')';
pub const TUPLE: u8 = b't';
pub const TUPLE1: u8 = 0x85;
pub const TUPLE2: u8 = 0x86;
pub const TUPLE3: u8 = 0x87;
pub const EMPTY_LIST: u8 = b']';
pub const LIST: u8 = b'l';
pub const APPEND: u8 = b'a';
pub const APPENDS: u8 = b'e';
pub const EMPTY_DICT: u8 = b'}';
pub const DICT: u8 = b'd';
pub const SETITEM: u8 = b's';
pub const SETITEMS: u8 = b'u';
pub const EMPTY_SET: u8 = 0x8f;
pub const ADDITEMS: u8 = 0x90;
pub const FROZENSET: u8 = 0x91;
pub const BINGET: u8 = b'h';
pub const LONG_BINGET: u8 = b'j';
pub const BINPUT: u8 = b'q';
pub const LONG_BINPUT: u8 = b'r';
pub const MEMOIZE: u8 = 0x94;
pub const GLOBAL: u8 = b'c';
pub const STACK_GLOBAL: u8 = 0x93;
pub const REDUCE: u8 = b'R';
pub const NEWOBJ: u8 = 0x81;
pub const BUILD: u8 = b'b';
pub const BINPERSID: u8 = b'Q';
pub const PROTO: u8 = 0x80;
pub const FRAME: u8 = 0x95;

/// What this reader does not take, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnsupportedOpcode {
    /// The first byte of something else.
    #[error("not the start of a pickle of protocols 2 to 5")]
    NoPickle,
    /// A newer or older protocol.
    #[error("protocol {0}; 2 to 5 are read")]
    Protocol(u8),
    /// Protocols 0 and 1 write values as text.
    #[error("an opcode of protocol 0 or 1; expected protocol 2 to 5")]
    TextProtocol,
    /// A class by its number in a registry of the writing process.
    #[error("a class by its extension number, which is refused")]
    Extension,
    /// A call with named arguments.
    #[error("a call with named arguments, which is refused")]
    NamedArguments,
    /// A buffer that the writer kept outside the file (`buffer_callback`).
    #[error("a buffer outside the file (written with buffer_callback)")]
    OutsideBuffer,
    /// A byte that starts no opcode.
    #[error("no opcode of a pickle ({0:#04x})")]
    Unknown(u8),
}

impl UnsupportedOpcode {
    pub(super) fn from_opcode(opcode: u8) -> Self {
        match opcode {
            b'F' | b'I' | b'L' | b'S' | b'V' | b'g' | b'p' | b'i' | b'o' | b'P' => {
                UnsupportedOpcode::TextProtocol
            }
            0x82..=0x84 => UnsupportedOpcode::Extension,
            0x92 => UnsupportedOpcode::NamedArguments,
            0x97 => UnsupportedOpcode::OutsideBuffer,
            other => UnsupportedOpcode::Unknown(other),
        }
    }
}
