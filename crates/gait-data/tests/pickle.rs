//! Pickles as numpy writes them, and as somebody who means harm does.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::PathBuf;

use gait_data::pickle::{NUMPY_RULES, NumpyArray, Pickle, PickleError, Rules};
use proptest::prelude::*;

fn fixtures() -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pickles");
    let mut files: Vec<(String, Vec<u8>)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|e| (e.file_name().into_string().unwrap(), fs::read(e.path()).unwrap()))
        .collect();
    files.sort();
    assert_eq!(files.len(), 11 * 4 * 2);
    files
}

/// The elements and shape of the uint8 array in `bytes`.
fn elements(bytes: &[u8]) -> Result<(Vec<usize>, Vec<u8>), PickleError> {
    let pickle = Pickle::read(bytes, &NUMPY_RULES)?;
    let array = NumpyArray::from_value(pickle.root())?;
    let shape = array.shape().to_vec();
    Ok((shape, array.into_uint8()?.into_owned()))
}

fn expected() -> Vec<u8> {
    let at = |i: usize| i / 20 * 101 + i / 4 % 5 * 17 + i % 4 * 5 + 3;
    (0..60).map(|i| (at(i) % 256) as u8).collect()
}

#[test]
fn arrays_of_every_protocol_order_and_numpy_are_read() {
    let kinds = ["plain", "fortran", "transposed", "sliced", "read-only"];
    let mut read = 0;
    for (name, bytes) in fixtures() {
        if kinds.iter().any(|kind| name.starts_with(kind)) {
            assert_eq!(elements(&bytes), Ok((vec![3, 5, 4], expected())), "{name}");
            read += 1;
        }
        if name.starts_with("empty") {
            assert_eq!(elements(&bytes), Ok((vec![0, 5, 4], vec![])), "{name}");
        }
    }
    assert_eq!(read, kinds.len() * 8);
}

#[test]
fn lists_of_arrays_are_read() {
    for (name, bytes) in fixtures().into_iter().filter(|(name, _)| name.starts_with("list")) {
        let pickle = Pickle::read(&bytes, &NUMPY_RULES).unwrap();
        assert_eq!(pickle.length(), bytes.len());
        let frames: Vec<NumpyArray> = pickle
            .root()
            .list()
            .unwrap()
            .map(|frame| NumpyArray::from_value(frame).unwrap())
            .collect();
        let pixels: Vec<u8> =
            frames.into_iter().flat_map(|f| f.into_uint8().unwrap().into_owned()).collect();
        assert_eq!(pixels, expected(), "{name}");
    }
}

#[test]
fn other_contents_are_named() {
    for (name, bytes) in fixtures() {
        let wanted = match name.split('.').next().unwrap() {
            "float" => {
                "it holds float32 [3, 5, 4], not uint8; expected uint8 from 0 (black) to 255 (white)"
            }
            "boolean" => {
                "it holds bool [3, 5, 4], not uint8; expected uint8 from 0 (black) to 255 (white)"
            }
            "object" => {
                "it holds object [2], not uint8; expected uint8 from 0 (black) to 255 (white)"
            }
            "text" => "it holds text, not a numpy array",
            "list" => "it holds a list of 3, not a numpy array",
            _ => continue,
        };
        assert_eq!(elements(&bytes).unwrap_err().to_string(), wanted, "{name}");
    }
}

#[test]
fn truncated_at_any_byte_is_refused() {
    for (name, bytes) in fixtures() {
        for length in 0..bytes.len() {
            let error = Pickle::read(&bytes[..length], &NUMPY_RULES).unwrap_err();
            assert_eq!(error, PickleError::Truncated, "{name} cut to {length}");
        }
    }
}

fn check_refused(bytes: &[u8], part: &str) {
    let error = elements(bytes).unwrap_err().to_string();
    assert!(error.contains(part) && !error.contains('\n'), "{error}");
}

#[test]
fn calls_of_anything_else_are_refused_by_name() {
    check_refused(
        b"\x80\x02cos\nsystem\n(X\x02\0\0\0lstR.",
        "it calls os.system, which is refused",
    );
    check_refused(b"\x80\x04\x8c\x05posix\x8c\x06system\x93.", "it calls posix.system");
    check_refused(b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.", "it calls builtins.eval");
    // Named by what stands in the memo.
    check_refused(b"\x80\x04\x8c\x02os\x94\x8c\x06system\x940h\0h\x01\x93.", "it calls os.system");
    check_refused(b"\x80\x02cnumpy\nload\n.", "it calls numpy.load");
    check_refused(b"\x80\x02c\x1b[2J\nx\n.", "it calls [2J.x");
    check_refused(b"\x80\x02\x82\x07.", "extension number");
    check_refused(b"\x80\x04\x8c\x01aN}\x92.", "named arguments");
    check_refused(b"\x80\x05\x97.", "outside the file");
    check_refused(b"(ios\nsystem\n.", "not the start of a pickle");
    check_refused(b"\x80\x02(ios\nsystem\n.", "protocol 0 or 1");
    check_refused(b"\x80\x06.", "protocol 6");
}

#[test]
fn sizes_beyond_the_file_are_refused() {
    check_refused(b"\x80\x04B\xff\xff\xff\xff....", "truncated");
    check_refused(b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\xff....", "truncated");
    check_refused(b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f.", "truncated");
    check_refused(b"\x80\x04\x8b\xff\xff\xff\x7f\x01.", "truncated");
    check_refused(b"\x80\x04\x8a\x20................................", "more than 16 bytes");
    let (_, mut bytes) = fixtures().into_iter().find(|(n, _)| n == "plain.p3.np2.pkl").unwrap();
    let shape = bytes.windows(7).position(|w| w == b"K\x03K\x05K\x04\x87").unwrap();
    bytes[shape + 1] = 200;
    check_refused(&bytes, "it claims uint8 [200, 5, 4] and holds 60 bytes");
    // 2^31-1 to the third power.
    let huge = [b"J\xff\xff\xff\x7f".repeat(3), b"\x87".to_vec()].concat();
    bytes.splice(shape..shape + 7, huge);
    check_refused(&bytes, "no sound shape");
}

#[test]
fn values_are_counted_and_nesting_costs_nothing() {
    let deep = [b"\x80\x02".to_vec(), b"]".repeat(400_000), b"a".repeat(399_999), b".".to_vec()];
    let deep = deep.concat();
    check_refused(&deep, "a list of 1, not a numpy array");
    let rules = Rules { values: 1000, ..NUMPY_RULES };
    assert_eq!(Pickle::read(&deep, &rules).unwrap_err(), PickleError::TooMany(1000));
    // A list that holds itself.
    check_refused(b"\x80\x02]q\0h\0a.", "a list of 1");
    let bomb = [b"\x80\x04]\x94".to_vec(), b"(h\0h\0h\0e".repeat(1000), b".".to_vec()].concat();
    check_refused(&bomb, "a list of 3000");
}

#[test]
fn opcodes_that_do_not_fit_together_are_refused() {
    for bytes in [
        &b"\x80\x02."[..],
        b"\x80\x02(.",
        b"\x80\x020.",
        b"\x80\x02h\0.",
        b"\x80\x02t.",
        b"\x80\x02N\x86.",
        b"\x80\x02(N\x86.",
        b"\x80\x02N(Ne.",
        b"\x80\x02}(Nu.",
        b"\x80\x02]Ns.",
        b"\x80\x02NNb.",
        b"\x80\x02NN\x93.",
        b"\x80\x02N)R.",
        b"\x80\x02cnumpy\ndtype\nNR.",
        b"\x80\x02X\x01\0\0\0\xff.",
    ] {
        check_refused(bytes, "damaged at byte");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = elements(&bytes);
        let _ = elements(&[b"\x80\x04", bytes.as_slice()].concat());
    }

    #[test]
    fn changed_pickles_are_read_or_refused(
        which in 0_usize..88,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(), doubled in any::<bool>(),
    ) {
        let mut bytes = fixtures().swap_remove(which).1;
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if doubled {
            let at = cut.index(bytes.len());
            let tail = bytes[at..].to_vec();
            bytes.extend(tail);
        }
        if let Ok((shape, pixels)) = elements(&bytes) {
            prop_assert_eq!(shape.iter().product::<usize>(), pixels.len());
            prop_assert!(pixels.len() <= bytes.len());
        }
    }
}
