//! Thrift's compact protocol, in which Parquet describes itself: enough of it to find numbers in
//! structures. `None` means damage.

use bytes::{Buf, Bytes};

// The types of values.
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const BYTE: u8 = 3;
const SHORT: u8 = 4;
pub const NUMBER: u8 = 5;
const LONG: u8 = 6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
pub const LIST: u8 = 9;
const SET: u8 = 10;
pub const STRUCT: u8 = 12;

/// How deep skipped values may nest.
const DEEPEST: usize = 16;

/// Visits the fields of a structure: number, type, and the bytes from its value on, which the
/// visitor takes.
pub fn fields(
    bytes: &mut Bytes,
    mut visit: impl FnMut(i64, u8, &mut Bytes) -> Option<()>,
) -> Option<()> {
    let mut id = 0i64;
    loop {
        let head = bytes.try_get_u8().ok()?;
        let step = head >> 4;
        let kind = head & 0x0F;
        if kind == 0 {
            return Some(());
        }
        id = if step == 0 { number(bytes)? } else { id.checked_add(step.into())? };
        visit(id, kind, bytes)?;
    }
}

/// The length of a list and the type of its members, which follow.
pub fn list(bytes: &mut Bytes) -> Option<(u64, u8)> {
    let head = bytes.try_get_u8().ok()?;
    let length = if head >> 4 == 15 { varint(bytes)? } else { (head >> 4).into() };
    Some((length, head & 0x0F))
}

/// A whole number.
pub fn number(bytes: &mut Bytes) -> Option<i64> {
    varint(bytes).map(|number| (number >> 1).cast_signed() ^ -((number & 1).cast_signed()))
}

/// A whole number that counts something.
pub fn count(bytes: &mut Bytes) -> Option<u64> {
    u64::try_from(number(bytes)?).ok()
}

/// Skips a value.
pub fn skip(bytes: &mut Bytes, kind: u8) -> Option<()> {
    skip_nested(bytes, kind, DEEPEST)
}

fn skip_nested(bytes: &mut Bytes, kind: u8, depth: usize) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    match kind {
        TRUE | FALSE => {}
        BYTE => advance(bytes, 1)?,
        SHORT | NUMBER | LONG => drop(varint(bytes)?),
        DOUBLE => advance(bytes, 8)?,
        BINARY => {
            let length = varint(bytes)?;
            advance(bytes, length)?;
        }
        LIST | SET => {
            let (length, kind) = list(bytes)?;
            for _ in 0..length {
                // In a list a truth value has a byte.
                let kind = if matches!(kind, TRUE | FALSE) { BYTE } else { kind };
                skip_nested(bytes, kind, depth)?;
            }
        }
        STRUCT => fields(bytes, |_, kind, bytes| skip_nested(bytes, kind, depth))?,
        _ => return None,
    }
    Some(())
}

fn advance(bytes: &mut Bytes, length: u64) -> Option<()> {
    let length = usize::try_from(length).ok().filter(|length| *length <= bytes.len())?;
    bytes.advance(length);
    Some(())
}

fn varint(bytes: &mut Bytes) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = bytes.try_get_u8().ok()?;
        number |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_are_written() {
        let read = |bytes: &[u8]| number(&mut Bytes::copy_from_slice(bytes));
        assert_eq!([read(&[0]), read(&[1]), read(&[2])], [Some(0), Some(-1), Some(1)]);
        assert_eq!(read(&[0xC8, 0x01]), Some(100));
        assert_eq!(read(&[0xFF; 9]), None);
        assert_eq!(count(&mut Bytes::from_static(&[1])), None);
    }

    #[test]
    fn what_is_skipped_is_skipped_whole() {
        // A list of two texts, and a structure of a number and a truth value.
        let mut bytes = Bytes::from_static(b"\x28\x01a\x02bc\x15\x02\x11\x00rest");
        skip(&mut bytes, LIST).unwrap();
        skip(&mut bytes, STRUCT).unwrap();
        assert_eq!(&bytes[..], b"rest");
    }

    #[test]
    fn endless_values_are_refused() {
        let skipped = |bytes: &[u8], kind| skip(&mut Bytes::copy_from_slice(bytes), kind);
        assert!(skipped(&[0x1C; 1000], STRUCT).is_none(), "nested");
        assert!(skipped(&[0xFC, 0xFF, 0xFF, 0xFF, 0x0F], LIST).is_none(), "a long list");
        assert!(skipped(&[0xFF, 0xFF, 0xFF, 0xFF, 0x0F, b'a'], BINARY).is_none(), "a long text");
    }
}
