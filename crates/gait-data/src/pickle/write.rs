//! Writing numpy arrays as pickles that every numpy reads.

/// The bytes around `pixels` that make them the pickle of a uint8 array of `shape` (each length
/// less than 2^31): what comes before and what comes after.
///
/// Protocol 4, with the module names of numpy 1, which numpy 2 still knows.
pub(crate) fn around_uint8(shape: [u32; 3], length: u64) -> (Vec<u8>, &'static [u8]) {
    let mut head = b"\x80\x04".to_vec();
    head.extend_from_slice(b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n");
    // (0,), b"b": the array is made empty, then given its state.
    head.extend_from_slice(b"K\x00\x85C\x01b\x87R(K\x01");
    for length in shape {
        head.push(b'J');
        head.extend_from_slice(&length.to_le_bytes());
    }
    // The dtype and its state (3, "|", None, None, None, -1, -1, 0).
    head.extend_from_slice(b"\x87cnumpy\ndtype\n\x8c\x02u1\x89\x88\x87R(K\x03\x8c\x01|NNN");
    head.extend_from_slice(b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb");
    // Not in Fortran order; the bytes.
    head.extend_from_slice(b"\x89\x8e");
    head.extend_from_slice(&length.to_le_bytes());
    (head, b"tb.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pickle::{Array, NUMPY_RULES, Pickle};

    #[test]
    fn what_is_written_is_read() {
        let pixels: Vec<u8> = (0..60).collect();
        let (head, tail) = around_uint8([3, 5, 4], 60);
        let bytes = [&head, pixels.as_slice(), tail].concat();
        let pickle = Pickle::read(&bytes, &NUMPY_RULES).unwrap();
        let array = Array::of(pickle.root()).unwrap();
        assert_eq!(array.describe(), "uint8 [3, 5, 4]");
        assert_eq!(array.into_uint8().unwrap(), pixels);
    }
}
