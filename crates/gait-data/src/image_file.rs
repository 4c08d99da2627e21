//! Reading image files as grey silhouettes.

use std::fs::File;
use std::io::{Cursor, ErrorKind, Read};
use std::path::Path;

use image::codecs::{bmp::BmpDecoder, jpeg::JpegDecoder, png::PngDecoder};
use image::{ColorType, ImageDecoder, ImageError, ImageResult, Limits};

use gait_support::caught;

/// A grey image, row-major.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grey {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// `height * width` bytes.
    pub pixels: Vec<u8>,
}

/// The largest file and the largest decoded image: far beyond any camera's silhouette, and small enough that a
/// file that lies about its size cannot exhaust the memory.
const LARGEST_BYTES: u64 = 128 << 20;

/// More than the file of most silhouettes has.
const USUAL_BYTES: usize = 16 << 10;

/// The most decoded bytes that one byte of a file can stand for: deflate makes 1032 bytes of one,
/// and the palette of a PNG 32 of each of these; the others pack less. What claims more lies.
const MOST_DECODED: u64 = 1 << 16;

/// How three colours become one grey value: weights of red, green and blue in units of
/// 2^-`shift`, and what is added before the shift.
struct GreyWeights {
    rgb: [u32; 3],
    rounding: u32,
    shift: u32,
}

/// As libpng does it where OpenCV lets it: 0.299, 0.587, the rest, truncated at 8 bits.
const PNG_WEIGHTS: GreyWeights = GreyWeights { rgb: [9797, 19234, 3737], rounding: 0, shift: 15 };
/// As OpenCV converts what its other decoders deliver.
const OTHER_WEIGHTS: GreyWeights =
    GreyWeights { rgb: [4899, 9617, 1868], rounding: 1 << 13, shift: 14 };

impl GreyWeights {
    /// The weighted sum of a pixel's first three samples.
    fn mix(&self, pixel: &[impl Into<u32> + Copy], rounding: u32) -> u32 {
        let sum: u32 = self.rgb.iter().zip(pixel).map(|(w, &s)| w * s.into()).sum();
        (sum + rounding) >> self.shift
    }
}

/// Reads a PNG, BMP or JPEG file (told apart by content, not by name) of 1 to 16 bits as 8-bit
/// grey, with the values that OpenCV's `imread` gives for `IMREAD_GRAYSCALE`.
///
/// # Errors
/// The reason, for a report that already names the file.
pub fn read_grey(path: &Path) -> Result<Grey, String> {
    // With room from the start a silhouette is read at once, not in growing pieces.
    let mut bytes = Vec::with_capacity(USUAL_BYTES);
    let read =
        File::open(path).and_then(|file| file.take(LARGEST_BYTES + 1).read_to_end(&mut bytes));
    match read {
        Ok(size) if size as u64 > LARGEST_BYTES => Err("larger than any silhouette".into()),
        Ok(_) => decode_grey(&bytes),
        Err(e) if e.kind() == ErrorKind::NotFound => Err("not found (a broken link?)".into()),
        Err(e) => Err(e.to_string()),
    }
}

/// [`read_grey`] of bytes in memory.
///
/// # Errors
/// The reason.
pub fn decode_grey(bytes: &[u8]) -> Result<Grey, String> {
    if bytes.is_empty() {
        return Err("zero bytes".into());
    }
    checked(|| decode(bytes))
}

/// What a decoder makes of an image, or that it trips over it.
fn checked(decode: impl FnOnce() -> Result<Grey, String>) -> Result<Grey, String> {
    let damaged = || Err("damaged: its decoder cannot make sense of it".into());
    caught(decode).unwrap_or_else(damaged)
}

fn decode(bytes: &[u8]) -> Result<Grey, String> {
    let most = (bytes.len() as u64).saturating_mul(MOST_DECODED).min(LARGEST_BYTES);
    let grey = match bytes {
        [0x89, b'P', b'N', b'G', ..] => PngDecoder::with_limits(Cursor::new(bytes), limits(most))
            .and_then(|d| grey_of(d, &PNG_WEIGHTS, most)),
        [b'B', b'M', ..] => {
            BmpDecoder::new(Cursor::new(bytes)).and_then(|d| grey_of(d, &OTHER_WEIGHTS, most))
        }
        [0xFF, 0xD8, ..] => {
            if !ends_as_jpeg(bytes) {
                return Err("truncated".into());
            }
            JpegDecoder::new(Cursor::new(bytes)).and_then(|d| grey_of(d, &OTHER_WEIGHTS, most))
        }
        _ => return Err("neither PNG nor BMP nor JPEG inside".into()),
    };
    grey.map_err(|error| reason(&error))
}

/// JPEG decoders fill up what is missing, so a truncated file shows only in its missing end
/// marker; some cameras write a little after it.
fn ends_as_jpeg(bytes: &[u8]) -> bool {
    let end = &bytes[bytes.len().saturating_sub(256)..];
    end.windows(2).any(|pair| pair == [0xFF, 0xD9])
}

fn reason(error: &ImageError) -> String {
    let truncated = matches!(error, ImageError::IoError(e) if e.kind() == ErrorKind::UnexpectedEof);
    let text = error.to_string();
    if truncated || text.contains("end of file") || text.contains("EOF") {
        return "truncated".into();
    }
    text.lines().next().unwrap_or("unreadable").to_string()
}

/// Room for `most` decoded bytes, and for the tables of a decoder.
fn limits(most: u64) -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(most + (1 << 20));
    limits
}

fn grey_of(mut decoder: impl ImageDecoder, weights: &GreyWeights, most: u64) -> ImageResult<Grey> {
    if decoder.total_bytes() > most {
        let what = std::io::Error::other("claims more pixels than a file of its size can hold");
        return Err(ImageError::IoError(what));
    }
    decoder.set_limits(limits(most))?;
    let (width, height) = decoder.dimensions();
    let color = decoder.color_type();
    // `total_bytes` is within the limit, so it fits.
    let mut samples = vec![0; usize::try_from(decoder.total_bytes()).unwrap_or_default()];
    decoder.read_image(&mut samples)?;
    let pixels = match color {
        ColorType::L8 => samples,
        ColorType::La8 => samples.chunks_exact(2).map(|p| p[0]).collect(),
        ColorType::Rgb8 => mix_8(&samples, 3, weights),
        ColorType::Rgba8 => mix_8(&samples, 4, weights),
        ColorType::L16 => high_bytes(&samples, 1),
        ColorType::La16 => high_bytes(&samples, 2),
        ColorType::Rgb16 => mix_16(&samples, 3, weights),
        ColorType::Rgba16 => mix_16(&samples, 4, weights),
        other => {
            let what = image::error::ImageFormatHint::Name(format!("{other:?} pixels"));
            return Err(ImageError::Unsupported(what.into()));
        }
    };
    Ok(Grey { height: height as usize, width: width as usize, pixels })
}

fn mix_8(samples: &[u8], channels: usize, weights: &GreyWeights) -> Vec<u8> {
    let pixels = samples.chunks_exact(channels);
    pixels.map(|pixel| weights.mix(pixel, weights.rounding) as u8).collect()
}

/// Sixteen bits become eight by their high byte.
fn high_bytes(samples: &[u8], channels: usize) -> Vec<u8> {
    let pixels = samples.chunks_exact(2 * channels);
    pixels.map(|p| (u16::from_ne_bytes([p[0], p[1]]) >> 8) as u8).collect()
}

/// libpng rounds at sixteen bits, before the high byte is taken.
fn mix_16(samples: &[u8], channels: usize, weights: &GreyWeights) -> Vec<u8> {
    let sample = |pair: &[u8]| u16::from_ne_bytes([pair[0], pair[1]]);
    let pixels = samples.chunks_exact(2 * channels);
    pixels
        .map(|p| {
            let rgb = [sample(&p[0..2]), sample(&p[2..4]), sample(&p[4..6])];
            (weights.mix(&rgb, 1 << (weights.shift - 1)) >> 8) as u8
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{DynamicImage, GrayImage, ImageFormat};

    fn encoded(format: ImageFormat) -> Vec<u8> {
        let image = GrayImage::from_fn(40, 30, |x, y| image::Luma([(x * 5 + y) as u8]));
        let mut bytes = Cursor::new(Vec::new());
        DynamicImage::from(image).write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn every_format_reads() {
        for format in [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Jpeg] {
            let grey = decode_grey(&encoded(format)).unwrap();
            assert_eq!((grey.height, grey.width, grey.pixels.len()), (30, 40, 1200));
            assert!((i32::from(grey.pixels[41]) - 6).abs() <= 3, "{format:?}");
        }
    }

    #[test]
    fn a_panic_of_a_decoder_is_a_damaged_image() {
        let reason = checked(|| panic!("index out of bounds")).unwrap_err();
        assert!(reason.contains("damaged"), "{reason}");
    }

    #[test]
    fn a_jpeg_at_which_the_decoder_panics_is_no_panic_of_ours() {
        // Found by fuzzing. Whether the decoder panics depends on the processor.
        let bytes = include_bytes!("../tests/fixtures/decoder-panics.jpg");
        if let Err(reason) = decode_grey(bytes) {
            assert!(reason.contains("damaged"), "{reason}");
        }
    }

    #[test]
    fn truncated_and_foreign_files_are_refused() {
        for format in [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Jpeg] {
            let bytes = encoded(format);
            // The last 12 bytes of a PNG hold no pixels.
            for length in [1, 2, 10, bytes.len() / 2, bytes.len() - 20] {
                let error = decode_grey(&bytes[..length]).map(|grey| grey.width).unwrap_err();
                assert!(!error.contains('\n'), "{error}");
            }
        }
        assert_eq!(decode_grey(&[]).unwrap_err(), "zero bytes");
        assert!(decode_grey(b"GIF89a").unwrap_err().contains("neither"));
    }

    #[test]
    fn more_pixels_than_the_file_can_hold_are_refused_before_they_cost_memory() {
        // 10000 x 10000 bytes are within the absolute limit.
        let mut png = encoded(ImageFormat::Png);
        png[16..24].copy_from_slice(&[0, 0, 0x27, 0x10, 0, 0, 0x27, 0x10]);
        let crc = crc32(&png[12..29]);
        png[29..33].copy_from_slice(&crc.to_be_bytes());
        png.truncate(1000);
        assert!(decode_grey(&png).unwrap_err().contains("than a file of its size can hold"));
        // A black image packs best, and is read.
        let mut bytes = Cursor::new(Vec::new());
        let black = GrayImage::new(4000, 4000);
        DynamicImage::from(black).write_to(&mut bytes, ImageFormat::Png).unwrap();
        assert_eq!(decode_grey(&bytes.into_inner()).unwrap().width, 4000);
    }

    /// The checksum of a PNG's chunk.
    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0, |sum, &byte| {
            let shift = |sum: u32, _| (sum >> 1) ^ (0xEDB8_8320 * (sum & 1));
            (0..8).fold(sum ^ u32::from(byte), shift)
        })
    }

    #[test]
    fn a_png_that_lies_about_its_size_costs_no_memory() {
        let mut bytes = encoded(ImageFormat::Png);
        bytes[16..24].copy_from_slice(&[0, 0, 0xFF, 0xFF, 0, 0, 0xFF, 0xFF]);
        assert!(decode_grey(&bytes).is_err());
    }
}
