//! The orientation that a camera writes into an image, as OpenCV's `imread` honours it.
//!
//! The values and the handling of damaged entries were compared with OpenCV 5.0.

use crate::image_file::Grey;

/// The tag of the orientation, and those of text that precede it in a sound file.
const ORIENTATION: u16 = 0x0112;
const TEXTS: [u16; 3] = [0x010E, 0x010F, 0x0110];

/// How a stored image must be turned, by the numbers 1 to 8 of EXIF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Orientation {
    transpose: bool,
    flip_columns: bool,
    flip_rows: bool,
}

impl Orientation {
    /// The orientation of a PNG: the first `eXIf` chunk, before or after the pixels. A damaged one
    /// has none.
    pub fn from_png(bytes: &[u8]) -> Option<Self> {
        const SIGNATURE: usize = 8;
        let mut rest = bytes.get(SIGNATURE..)?;
        while let Some((head, body)) = rest.split_first_chunk::<8>() {
            let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
            // Data and checksum; the decoder needs IEND, so a truncated chunk is its business.
            let end = length.checked_add(4).filter(|end| *end <= body.len())?;
            if &head[4..] == b"eXIf" {
                let checksum = &body[length..end];
                let sound = crc32(&rest[4..8 + length]).to_be_bytes() == checksum;
                return if sound { from_tiff(&body[..length]) } else { None };
            }
            rest = &body[end..];
        }
        None
    }

    /// The orientation of a JPEG: the first segment APP1 that holds EXIF.
    pub fn from_jpeg(bytes: &[u8]) -> Option<Self> {
        const APP1: u8 = 0xE1;
        const START_OF_SCAN: u8 = 0xDA;
        let mut rest = bytes.get(2..)?;
        while let [0xFF, marker, high, low, ..] = *rest {
            // Any number of fill bytes may precede a marker.
            if marker == 0xFF {
                rest = &rest[1..];
                continue;
            }
            let length = usize::from(u16::from_be_bytes([high, low]));
            let segment = rest.get(4..2 + length)?;
            match segment.strip_prefix(b"Exif\0\0") {
                Some(tiff) if marker == APP1 => return from_tiff(tiff),
                _ if marker == START_OF_SCAN => return None,
                _ => rest = &rest[2 + length..],
            }
        }
        None
    }

    fn from_number(number: u16) -> Option<Self> {
        let number = (2..=8).contains(&number).then_some(number)?;
        Some(Orientation {
            transpose: number >= 5,
            flip_columns: matches!(number, 2 | 3 | 6 | 7),
            flip_rows: matches!(number, 3 | 4 | 7 | 8),
        })
    }

    /// `image` as it was seen.
    pub fn apply(self, image: &Grey) -> Grey {
        let Grey { height, width, .. } = *image;
        let [rows, columns] = if self.transpose { [width, height] } else { [height, width] };
        let mut pixels = Vec::with_capacity(image.pixels.len());
        for row in 0..rows {
            let row = if self.flip_rows { rows - 1 - row } else { row };
            for column in 0..columns {
                let column = if self.flip_columns { columns - 1 - column } else { column };
                let at = if self.transpose { column * width + row } else { row * width + column };
                pixels.push(image.pixels[at]);
            }
        }
        Grey { height: rows, width: columns, pixels }
    }
}

/// The orientation in a TIFF directory, which is what EXIF data are. As in OpenCV, the type of the
/// entry is not looked at, and a text entry that points outside ends the search.
fn from_tiff(tiff: &[u8]) -> Option<Orientation> {
    let little = match tiff.get(..4)? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    let short = |at: usize| {
        let bytes = [*tiff.get(at)?, *tiff.get(at.checked_add(1)?)?];
        Some(if little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    };
    let long = |at: usize| {
        let halves = [short(at)?, short(at.checked_add(2)?)?].map(usize::from);
        Some(if little { halves[1] << 16 | halves[0] } else { halves[0] << 16 | halves[1] })
    };
    let directory = long(4)?;
    let entries = short(directory)?;
    for number in 0..usize::from(entries) {
        let entry = directory.checked_add(2 + 12 * number)?;
        let tag = short(entry)?;
        if tag == ORIENTATION {
            return Orientation::from_number(short(entry.checked_add(8)?)?);
        }
        let length = long(entry.checked_add(4)?)?;
        if TEXTS.contains(&tag) && length > 4 {
            let end = long(entry.checked_add(8)?)?.checked_add(length)?;
            tiff.get(..end)?;
        }
    }
    None
}

/// The checksum of a PNG's chunk.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, &byte| {
        let shift = |sum: u32, _| (sum >> 1) ^ (0xEDB8_8320 * (sum & 1));
        (0..8).fold(sum ^ u32::from(byte), shift)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode_grey;
    use image::{DynamicImage, GrayImage, ImageFormat, Luma};
    use std::io::Cursor;

    /// A TIFF directory with the orientation as its only entry.
    fn tiff(orientation: u16, little: bool) -> Vec<u8> {
        let short = |n: u16| if little { n.to_le_bytes() } else { n.to_be_bytes() };
        let long = |n: u32| if little { n.to_le_bytes() } else { n.to_be_bytes() };
        let mut bytes = if little { b"II*\0".to_vec() } else { b"MM\0*".to_vec() };
        bytes.extend(long(8));
        for part in [short(1), short(ORIENTATION), short(3)] {
            bytes.extend(part);
        }
        bytes.extend(long(1));
        bytes.extend([short(orientation), short(0)].concat());
        bytes.extend(long(0));
        bytes
    }

    /// Two rows of three grey squares, each `side` pixels wide, brighter from left to right and
    /// from top to bottom.
    fn squares(side: u32, format: ImageFormat) -> Vec<u8> {
        let image = GrayImage::from_fn(3 * side, 2 * side, |x, y| {
            Luma([(10 + 40 * (x / side) + 120 * (y / side)) as u8])
        });
        let mut bytes = Cursor::new(Vec::new());
        DynamicImage::from(image).write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
        let named = [kind, data].concat();
        let length = (data.len() as u32).to_be_bytes();
        [&length[..], &named, &crc32(&named).to_be_bytes()].concat()
    }

    fn png_with(exif: &[u8], after_pixels: bool) -> Vec<u8> {
        let mut bytes = squares(1, ImageFormat::Png);
        // Behind the header, or before the end.
        let at = if after_pixels { bytes.len() - 12 } else { 33 };
        bytes.splice(at..at, chunk(b"eXIf", exif));
        bytes
    }

    fn jpeg_with(segments: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = squares(16, ImageFormat::Jpeg);
        for segment in segments.iter().rev() {
            let length = (segment.len() as u16 + 2).to_be_bytes();
            bytes.splice(2..2, [&[0xFF, 0xE1], &length[..], segment].concat());
        }
        bytes
    }

    fn exif(orientation: u16) -> Vec<u8> {
        [b"Exif\0\0", &tiff(orientation, true)[..]].concat()
    }

    /// Columns, and the pixel in the middle of each square.
    fn seen(bytes: &[u8], side: usize) -> (usize, Vec<u8>) {
        let grey = decode_grey(bytes).unwrap();
        let rows = (side / 2..grey.height).step_by(side);
        let at = |row: usize| (side / 2..grey.width).step_by(side).map(move |x| (row, x));
        let pixels = rows.flat_map(at).map(|(y, x)| grey.pixels[y * grey.width + x]);
        (grey.width / side, pixels.collect())
    }

    /// What OpenCV reads for the orientations 1 to 8.
    const EXPECTED: [(usize, [u8; 6]); 8] = [
        (3, [10, 50, 90, 130, 170, 210]),
        (3, [90, 50, 10, 210, 170, 130]),
        (3, [210, 170, 130, 90, 50, 10]),
        (3, [130, 170, 210, 10, 50, 90]),
        (2, [10, 130, 50, 170, 90, 210]),
        (2, [130, 10, 170, 50, 210, 90]),
        (2, [210, 90, 170, 50, 130, 10]),
        (2, [90, 210, 50, 170, 10, 130]),
    ];

    fn check_png(exif: &[u8], orientation: usize) {
        let (width, pixels) = &EXPECTED[orientation - 1];
        assert_eq!(seen(&png_with(exif, false), 1), (*width, pixels.to_vec()), "{exif:?}");
    }

    #[test]
    fn every_orientation_is_honoured_as_opencv_does() {
        for (orientation, (width, pixels)) in (1..=8).zip(EXPECTED) {
            for little in [true, false] {
                let tiff = tiff(orientation, little);
                let jpeg = jpeg_with(&[[b"Exif\0\0", &tiff[..]].concat()]);
                for bytes in [png_with(&tiff, false), png_with(&tiff, true)] {
                    assert_eq!(seen(&bytes, 1), (width, pixels.to_vec()), "{orientation}");
                }
                let (columns, found) = seen(&jpeg, 16);
                assert_eq!(columns, width, "{orientation}");
                let near = |(a, b): (&u8, u8)| a.abs_diff(b) <= 3;
                assert!(found.iter().zip(pixels).all(near), "{orientation}: {found:?}");
            }
        }
    }

    #[test]
    fn damaged_exif_is_ignored() {
        let whole = tiff(6, true);
        for damaged in [&tiff(0, true)[..], &tiff(9, true), &whole[..18], b"", b"junk"] {
            check_png(damaged, 1);
        }
        // The value itself is there.
        check_png(&whole[..20], 6);
        // A directory far outside.
        check_png(b"II*\0\xff\xff\xff\xff", 1);
        let mut wrong_checksum = png_with(&whole, false);
        wrong_checksum[33 + 8 + whole.len()] ^= 1;
        assert_eq!(Orientation::from_png(&wrong_checksum), None);
    }

    #[test]
    fn only_the_first_exif_segment_of_a_jpeg_counts() {
        let xmp = b"http://ns.adobe.com/xap/1.0/\0<x/>".to_vec();
        let turned = Orientation::from_number(6);
        assert_eq!(Orientation::from_jpeg(&jpeg_with(&[xmp.clone(), exif(6)])), turned);
        assert_eq!(Orientation::from_jpeg(&jpeg_with(&[exif(1), exif(6)])), None);
        assert_eq!(Orientation::from_jpeg(&jpeg_with(&[xmp])), None);
    }
}
