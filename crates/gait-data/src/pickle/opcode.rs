//! The opcodes of pickle protocols 2 to 5, named as in Python's `pickletools`, which describes them.

pub(super) const MARK: u8 = b'(';
pub(super) const STOP: u8 = b'.';
pub(super) const POP: u8 = b'0';
pub(super) const POP_MARK: u8 = b'1';
pub(super) const DUP: u8 = b'2';
pub(super) const NONE: u8 = b'N';
pub(super) const NEWTRUE: u8 = 0x88;
pub(super) const NEWFALSE: u8 = 0x89;
pub(super) const BININT: u8 = b'J';
pub(super) const BININT1: u8 = b'K';
pub(super) const BININT2: u8 = b'M';
pub(super) const LONG1: u8 = 0x8a;
pub(super) const LONG4: u8 = 0x8b;
pub(super) const BINFLOAT: u8 = b'G';
pub(super) const BINUNICODE: u8 = b'X';
pub(super) const SHORT_BINUNICODE: u8 = 0x8c;
pub(super) const BINUNICODE8: u8 = 0x8d;
pub(super) const BINSTRING: u8 = b'T';
pub(super) const SHORT_BINSTRING: u8 = b'U';
pub(super) const BINBYTES: u8 = b'B';
pub(super) const SHORT_BINBYTES: u8 = b'C';
pub(super) const BINBYTES8: u8 = 0x8e;
pub(super) const BYTEARRAY8: u8 = 0x96;
pub(super) const READONLY_BUFFER: u8 = 0x98;
pub(super) const EMPTY_TUPLE: u8 = b')';
pub(super) const TUPLE: u8 = b't';
pub(super) const TUPLE1: u8 = 0x85;
pub(super) const TUPLE2: u8 = 0x86;
pub(super) const TUPLE3: u8 = 0x87;
pub(super) const EMPTY_LIST: u8 = b']';
pub(super) const LIST: u8 = b'l';
pub(super) const APPEND: u8 = b'a';
pub(super) const APPENDS: u8 = b'e';
pub(super) const EMPTY_DICT: u8 = b'}';
pub(super) const DICT: u8 = b'd';
pub(super) const SETITEM: u8 = b's';
pub(super) const SETITEMS: u8 = b'u';
pub(super) const EMPTY_SET: u8 = 0x8f;
pub(super) const ADDITEMS: u8 = 0x90;
pub(super) const FROZENSET: u8 = 0x91;
pub(super) const BINGET: u8 = b'h';
pub(super) const LONG_BINGET: u8 = b'j';
pub(super) const BINPUT: u8 = b'q';
pub(super) const LONG_BINPUT: u8 = b'r';
pub(super) const MEMOIZE: u8 = 0x94;
pub(super) const GLOBAL: u8 = b'c';
pub(super) const STACK_GLOBAL: u8 = 0x93;
pub(super) const REDUCE: u8 = b'R';
pub(super) const NEWOBJ: u8 = 0x81;
pub(super) const BUILD: u8 = b'b';
pub(super) const BINPERSID: u8 = b'Q';
pub(super) const PROTO: u8 = 0x80;
pub(super) const FRAME: u8 = 0x95;

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
