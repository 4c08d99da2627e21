//! Writing numpy arrays as pickles that every numpy reads.

use super::opcode::{
    BINBYTES8, BININT, BININT1, BUILD, GLOBAL, MARK, NEWFALSE, NEWTRUE, NONE, PROTO, REDUCE,
    SHORT_BINBYTES, SHORT_BINUNICODE, STOP, TUPLE, TUPLE1, TUPLE3,
};

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
