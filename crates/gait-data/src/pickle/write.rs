//! Writing pickles: any value in parts, and numpy arrays that every numpy reads.

use super::opcode::{
    BINBYTES8, BININT, BININT1, BINPERSID, BINUNICODE, BUILD, EMPTY_DICT, EMPTY_TUPLE, GLOBAL,
    LONG1, MARK, NEWFALSE, NEWTRUE, NONE, PROTO, REDUCE, SETITEMS, SHORT_BINBYTES,
    SHORT_BINUNICODE, STOP, TUPLE, TUPLE1, TUPLE3,
};

/// Writes a pickle of protocol 2. As on the stack of its reader, the parts of a value come before
/// what makes them a value.
#[derive(Debug)]
pub struct PickleWriter(Vec<u8>);

impl Default for PickleWriter {
    fn default() -> Self {
        Self(vec![PROTO, 2])
    }
}

impl PickleWriter {
    /// A text of less than 4 GiB.
    pub fn text(&mut self, text: &str) {
        self.0.push(BINUNICODE);
        self.0.extend((text.len() as u32).to_le_bytes());
        self.0.extend(text.as_bytes());
    }

    /// An integer. It takes nine bytes, so that the sign bit is never set.
    pub fn integer(&mut self, value: u64) {
        self.0.extend([LONG1, 9]);
        self.0.extend(value.to_le_bytes());
        self.0.push(0);
    }

    /// A truth value.
    pub fn boolean(&mut self, value: bool) {
        self.0.push(if value { NEWTRUE } else { NEWFALSE });
    }

    /// A class or function by its module and name.
    pub fn global(&mut self, module: &str, name: &str) {
        global(&mut self.0, module, name);
    }

    /// Marks where the parts of a tuple or the items of a dictionary begin.
    pub fn mark(&mut self) {
        self.0.push(MARK);
    }

    /// The tuple of the values since the last mark.
    pub fn tuple(&mut self) {
        self.0.push(TUPLE);
    }

    /// The empty tuple.
    pub fn empty_tuple(&mut self) {
        self.0.push(EMPTY_TUPLE);
    }

    /// An empty dictionary.
    pub fn empty_dict(&mut self) {
        self.0.push(EMPTY_DICT);
    }

    /// Puts the keys and values since the last mark into the dictionary before it.
    pub fn set_items(&mut self) {
        self.0.push(SETITEMS);
    }

    /// The call of a function that was written first, with a tuple of arguments.
    pub fn call(&mut self) {
        self.0.push(REDUCE);
    }

    /// An object that is kept outside the pickle under the identifier written last.
    pub fn persistent(&mut self) {
        self.0.push(BINPERSID);
    }

    /// The bytes of the pickle, whose value is the one written last.
    pub fn finish(mut self) -> Vec<u8> {
        self.0.push(STOP);
        self.0
    }
}

/// The bytes around `pixels` that make them the pickle of a uint8 array of `shape` (each length
/// less than 2^31): what comes before and what comes after.
///
/// Protocol 4, with the module names of numpy 1, which numpy 2 still knows.
pub(crate) fn around_uint8(shape: [u32; 3], length: u64) -> (Vec<u8>, [u8; 3]) {
    let mut head = vec![PROTO, 4];
    global(&mut head, "numpy.core.multiarray", "_reconstruct");
    // ndarray, (0,), b"b": the array is made empty, then given its state.
    global(&mut head, "numpy", "ndarray");
    head.extend([BININT1, 0, TUPLE1, SHORT_BINBYTES, 1, b'b', TUPLE3, REDUCE]);
    // The state: its version, the shape, ...
    head.extend([MARK, BININT1, 1]);
    for length in shape {
        head.push(BININT);
        head.extend_from_slice(&length.to_le_bytes());
    }
    head.push(TUPLE3);
    // ... the type dtype("u1", False, True) with its own state (3, "|", None, None, None, -1, -1, 0),
    global(&mut head, "numpy", "dtype");
    head.extend([SHORT_BINUNICODE, 2, b'u', b'1', NEWFALSE, NEWTRUE, TUPLE3, REDUCE]);
    head.extend([MARK, BININT1, 3, SHORT_BINUNICODE, 1, b'|', NONE, NONE, NONE]);
    for minus_one in [-1_i32, -1] {
        head.push(BININT);
        head.extend_from_slice(&minus_one.to_le_bytes());
    }
    head.extend([BININT1, 0, TUPLE, BUILD]);
    // ... whether it is in Fortran's order, and the bytes.
    head.extend([NEWFALSE, BINBYTES8]);
    head.extend_from_slice(&length.to_le_bytes());
    (head, [TUPLE, BUILD, STOP])
}

/// Names a class or function.
fn global(program: &mut Vec<u8>, module: &str, name: &str) {
    program.push(GLOBAL);
    program.extend_from_slice(format!("{module}\n{name}\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pickle::{NUMPY_RULES, NumpyArray, Pickle};

    #[test]
    fn the_bytes_are_those_of_earlier_versions() {
        let (head, tail) = around_uint8([3, 5, 4], 60);
        let expected = [
            &b"\x80\x04cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n"[..],
            b"K\x00\x85C\x01b\x87R(K\x01J\x03\0\0\0J\x05\0\0\0J\x04\0\0\0",
            b"\x87cnumpy\ndtype\n\x8c\x02u1\x89\x88\x87R(K\x03\x8c\x01|NNN",
            b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89\x8e\x3c\0\0\0\0\0\0\0",
        ];
        assert_eq!(head, expected.concat());
        assert_eq!(&tail, b"tb.");
    }

    #[test]
    fn what_is_written_is_read() {
        let pixels: Vec<u8> = (0..60).collect();
        let (head, tail) = around_uint8([3, 5, 4], 60);
        let bytes = [&head, pixels.as_slice(), &tail].concat();
        let pickle = Pickle::read(&bytes, &NUMPY_RULES).unwrap();
        let array = NumpyArray::from_value(pickle.root()).unwrap();
        assert_eq!(array.describe(), "uint8 [3, 5, 4]");
        assert_eq!(array.into_uint8().unwrap(), pixels);
    }
}
