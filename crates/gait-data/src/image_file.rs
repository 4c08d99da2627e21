//! Reading image files as grey silhouettes.

use std::error::Error;
use std::fs::File;
use std::io::{self, Cursor, ErrorKind, Read};
use std::path::Path;

use image::codecs::{bmp::BmpDecoder, jpeg::JpegDecoder, png::PngDecoder};
use image::{ColorType, ImageDecoder, ImageError, Limits};

use crate::exif::Orientation;
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

/// The largest file and the largest decoded image: far beyond any camera's silhouette, and small
/// enough that a file that lies about its size cannot exhaust the memory.
const LARGEST_BYTES: u64 = 128 << 20;

/// More than the file of most silhouettes has.
const USUAL_BYTES: usize = 16 << 10;

/// The most decoded bytes that one byte of a file can stand for: deflate makes 1032 bytes of one,
/// and the palette of a PNG 32 of each of these; the others pack less. No valid file claims more.
const MOST_DECODED: u64 = 1 << 16;

/// How three colours become one grey value: weights of red, green and blue in units of
/// 2^-`shift`, and what is added before the shift.
struct GreyWeights {
    rgb: [u32; 3],
    rounding: u32,
    shift: u32,
}

/// As libpng converts, which OpenCV calls for PNG: 0.299, 0.587, the rest, truncated at 8 bits.
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

/// Why an image file gives no silhouette. Its `Display` follows the name of the file.
#[derive(Debug, thiserror::Error)]
pub enum ImageFileError {
    /// The file is not there; in a folder that lists it, a link to a missing file.
    #[error("not found (a broken link?)")]
    NotFound,
    /// The system cannot read the file.
    #[error("it cannot be read")]
    Io(#[source] io::Error),
    /// The file has no bytes.
    #[error("zero bytes")]
    Empty,
    /// The file has more than 128 MiB.
    #[error("larger than any silhouette")]
    TooLarge,
    /// The file ends early.
    #[error("truncated")]
    Truncated,
    /// Neither PNG nor BMP nor JPEG.
    #[error("neither PNG nor BMP nor JPEG inside{}", but_is(*.0))]
    OtherFormat(Option<&'static str>),
    /// Git LFS stores the image elsewhere and left a pointer of a few lines.
    #[error("a Git LFS pointer, not the image itself (it was not downloaded)")]
    GitLfsPointer,
    /// The decoder stopped at a state that it did not expect.
    #[error("damaged: its decoder cannot make sense of it")]
    Damaged,
    /// The header claims more pixels than such a file can hold.
    #[error("claims more pixels than a file of its size can hold")]
    ClaimsTooMuch,
    /// The decoder refuses the file.
    #[error("{}", first_line(.0.as_ref()))]
    Decoder(Box<dyn Error + Send + Sync>),
    /// A kind of pixels that no silhouette has.
    #[error("its kind of pixels is not supported")]
    Pixels,
    /// The colours are the same everywhere and only the transparency varies.
    #[error(
        "its colour is the same everywhere; the silhouette is in its transparency, which is not read"
    )]
    MaskInAlpha,
    /// All 16-bit values are below 256, which is black in 8 bits.
    #[error("its 16-bit values are all below 256, which is black; white is 65535")]
    Dark16Bit,
}

fn but_is(format: Option<&'static str>) -> String {
    format.map_or_else(String::new, |format| format!(", but {format}"))
}

fn first_line(error: &(dyn Error + Send + Sync)) -> String {
    error.to_string().lines().next().unwrap_or("unreadable").to_owned()
}

/// Reads a PNG, BMP or JPEG file (recognised by content, not by name) of 1 to 16 bits as 8-bit
/// grey, with the values that OpenCV's `imread` gives for `IMREAD_GRAYSCALE`, turned as its EXIF
/// orientation says.
///
/// # Errors
/// A file that cannot be read or decoded, or whose pixels cannot be a silhouette.
pub fn read_grey(path: &Path) -> Result<Grey, ImageFileError> {
    // With room from the start a silhouette is read at once, not in growing pieces.
    let mut bytes = Vec::with_capacity(USUAL_BYTES);
    let read =
        File::open(path).and_then(|file| file.take(LARGEST_BYTES + 1).read_to_end(&mut bytes));
    match read {
        Ok(size) if size as u64 > LARGEST_BYTES => Err(ImageFileError::TooLarge),
        Ok(_) => decode_grey(&bytes),
        Err(e) if e.kind() == ErrorKind::NotFound => Err(ImageFileError::NotFound),
        Err(e) => Err(ImageFileError::Io(e)),
    }
}

/// [`read_grey`] of bytes in memory.
///
/// # Errors
/// As [`read_grey`].
pub fn decode_grey(bytes: &[u8]) -> Result<Grey, ImageFileError> {
    if bytes.is_empty() {
        return Err(ImageFileError::Empty);
    }
    checked(|| decode(bytes))
}

/// The result of a decoder; one that panics has met a damaged image.
fn checked(decode: impl FnOnce() -> Result<Grey, ImageFileError>) -> Result<Grey, ImageFileError> {
    caught(decode).unwrap_or(Err(ImageFileError::Damaged))
}

fn decode(bytes: &[u8]) -> Result<Grey, ImageFileError> {
    let most = (bytes.len() as u64).saturating_mul(MOST_DECODED).min(LARGEST_BYTES);
    let stream = Cursor::new(bytes);
    let (grey, orientation) = match bytes {
        [0x89, b'P', b'N', b'G', ..] => {
            let decoder = PngDecoder::with_limits(stream, limits(most))?;
            (grey_of(decoder, &PNG_WEIGHTS, most)?, Orientation::from_png(bytes))
        }
        [b'B', b'M', ..] => (grey_of(BmpDecoder::new(stream)?, &OTHER_WEIGHTS, most)?, None),
        [0xFF, 0xD8, ..] if !ends_as_jpeg(bytes) => return Err(ImageFileError::Truncated),
        [0xFF, 0xD8, ..] => {
            let decoder = JpegDecoder::new(stream)?;
            (grey_of(decoder, &OTHER_WEIGHTS, most)?, Orientation::from_jpeg(bytes))
        }
        _ if bytes.starts_with(GIT_LFS) => return Err(ImageFileError::GitLfsPointer),
        _ => return Err(ImageFileError::OtherFormat(other_format(bytes))),
    };
    Ok(match orientation {
        Some(orientation) => orientation.apply(&grey),
        None => grey,
    })
}

/// How a pointer of Git LFS begins.
pub(crate) const GIT_LFS: &[u8] = b"version https://git-lfs";

/// The format of a file that is often named as if it were one of ours.
fn other_format(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("WebP"),
        [b'G', b'I', b'F', b'8', ..] => Some("GIF"),
        [b'I', b'I', b'*', 0, ..] | [b'M', b'M', 0, b'*', ..] => Some("TIFF"),
        [b'P', b'1'..=b'6', b'\n' | b' ', ..] => Some("a portable anymap (PBM, PGM or PPM)"),
        [0xFF, 0x0A, ..] | [0, 0, 0, 0x0C, b'J', b'X', b'L', ..] => Some("JPEG XL"),
        [0, 0, 0, 0x0C, b'j', b'P', ..] => Some("JPEG 2000"),
        [_, _, _, _, b'f', b't', b'y', b'p', b'a', b'v', b'i', b'f', ..] => Some("AVIF"),
        [_, _, _, _, b'f', b't', b'y', b'p', b'h' | b'm', ..] => Some("HEIF"),
        [b'<', b'!' | b'h' | b'H', ..] => Some("a web page"),
        _ => None,
    }
}

/// JPEG decoders fill up what is missing, so a truncated file shows only in its missing end
/// marker; some cameras write a little after it.
fn ends_as_jpeg(bytes: &[u8]) -> bool {
    let end = &bytes[bytes.len().saturating_sub(256)..];
    end.windows(2).any(|pair| pair == [0xFF, 0xD9])
}

impl From<ImageError> for ImageFileError {
    fn from(error: ImageError) -> Self {
        let ends_early =
            matches!(&error, ImageError::IoError(e) if e.kind() == ErrorKind::UnexpectedEof);
        let text = error.to_string();
        if ends_early || text.contains("end of file") || text.contains("EOF") {
            return ImageFileError::Truncated;
        }
        ImageFileError::Decoder(Box::new(error))
    }
}

/// Room for `most` decoded bytes, and for the tables of a decoder.
fn limits(most: u64) -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(most + (1 << 20));
    limits
}

fn grey_of(
    mut decoder: impl ImageDecoder,
    weights: &GreyWeights,
    most: u64,
) -> Result<Grey, ImageFileError> {
    if decoder.total_bytes() > most {
        return Err(ImageFileError::ClaimsTooMuch);
    }
    decoder.set_limits(limits(most))?;
    let (width, height) = decoder.dimensions();
    let color = decoder.color_type();
    // `total_bytes` is within the limit, so it fits.
    let mut samples = vec![0; usize::try_from(decoder.total_bytes()).unwrap_or_default()];
    decoder.read_image(&mut samples)?;
    let is_16_bit = color.bytes_per_pixel() / color.channel_count() == 2;
    if color.has_alpha() && is_mask_in_alpha(&samples, color.bytes_per_pixel().into(), is_16_bit) {
        return Err(ImageFileError::MaskInAlpha);
    }
    // The samples of an 8-bit grey image are its pixels.
    if color == ColorType::L8 {
        return Ok(Grey { height: height as usize, width: width as usize, pixels: samples });
    }
    let pixels: Vec<u8> = match color {
        ColorType::La8 => samples.chunks_exact(2).map(|p| p[0]).collect(),
        ColorType::Rgb8 => mix_8(&samples, 3, weights),
        ColorType::Rgba8 => mix_8(&samples, 4, weights),
        ColorType::L16 => high_bytes(&samples, 1),
        ColorType::La16 => high_bytes(&samples, 2),
        ColorType::Rgb16 => mix_16(&samples, 3, weights),
        ColorType::Rgba16 => mix_16(&samples, 4, weights),
        _ => return Err(ImageFileError::Pixels),
    };
    let is_dark = || pixels.iter().all(|p| *p == 0);
    if is_16_bit && !color.has_alpha() && is_dark() && samples.iter().any(|s| *s != 0) {
        return Err(ImageFileError::Dark16Bit);
    }
    Ok(Grey { height: height as usize, width: width as usize, pixels })
}

/// Whether all pixels of `size` bytes, the last sample of which is alpha, have the same colour
/// while alpha varies: a mask stored as transparency.
fn is_mask_in_alpha(samples: &[u8], size: usize, is_16_bit: bool) -> bool {
    let colour = size - if is_16_bit { 2 } else { 1 };
    let Some(first) = samples.get(..size) else { return false };
    let mut pixels = samples.chunks_exact(size);
    pixels.clone().all(|pixel| pixel[..colour] == first[..colour])
        && pixels.any(|pixel| pixel[colour..] != first[colour..])
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
        let reason = checked(|| panic!("index out of bounds")).unwrap_err().to_string();
        assert!(reason.contains("damaged"), "{reason}");
    }

    #[test]
    fn a_jpeg_at_which_the_decoder_panics_is_no_panic_of_ours() {
        // Found by fuzzing. Whether the decoder panics depends on the processor.
        let bytes = include_bytes!("../tests/fixtures/decoder-panics.jpg");
        if let Err(reason) = decode_grey(bytes).map_err(|e| e.to_string()) {
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
                let error = error.to_string();
                assert!(!error.contains('\n'), "{error}");
            }
        }
        let reason = |bytes: &[u8]| decode_grey(bytes).unwrap_err().to_string();
        assert_eq!(reason(&[]), "zero bytes");
        assert_eq!(reason(b"GIF89a"), "neither PNG nor BMP nor JPEG inside, but GIF");
        assert!(reason(b"RIFF\x10\0\0\0WEBPVP8L").ends_with("but WebP"));
        assert!(reason(b"version https://git-lfs.github.com/spec/v1\n").contains("Git LFS"));
    }

    fn png(image: impl Into<DynamicImage>) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.into().write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn a_mask_in_the_transparency_is_refused_and_other_transparency_is_ignored() {
        use image::{GrayAlphaImage, LumaA, Rgba, RgbaImage};
        let mask = |x: u32| if (10..20).contains(&x) { 255 } else { 0 };
        for grey in [0, 128, 255] {
            let rgba = RgbaImage::from_fn(30, 40, |x, _| Rgba([grey, grey, grey, mask(x)]));
            let grey_alpha = GrayAlphaImage::from_fn(30, 40, |x, _| LumaA([grey, mask(x)]));
            let deep = DynamicImage::from(rgba.clone()).into_rgba16();
            for bytes in [png(rgba), png(grey_alpha), png(deep)] {
                assert!(matches!(decode_grey(&bytes), Err(ImageFileError::MaskInAlpha)));
            }
        }
        // White where it is opaque, black where it is not: the colours hold the silhouette.
        let both = RgbaImage::from_fn(30, 40, |x, _| Rgba([mask(x); 4]));
        assert_eq!(decode_grey(&png(both)).unwrap().pixels[9..11], [0, 255]);
        let opaque = RgbaImage::from_pixel(30, 40, Rgba([255; 4]));
        assert_eq!(decode_grey(&png(opaque)).unwrap().pixels[0], 255);
    }

    #[test]
    fn sixteen_bits_with_eight_used_are_refused() {
        let deep = |value: u16| {
            let pixel = move |x, _| image::Luma([if x > 9 { value } else { 0 }]);
            png(image::ImageBuffer::<image::Luma<u16>, Vec<u16>>::from_fn(30, 40, pixel))
        };
        for value in [1, 255] {
            assert!(matches!(decode_grey(&deep(value)), Err(ImageFileError::Dark16Bit)));
        }
        assert_eq!(decode_grey(&deep(65535)).unwrap().pixels[10], 255);
        assert!(decode_grey(&deep(0)).unwrap().pixels.iter().all(|p| *p == 0));
    }

    #[test]
    fn more_pixels_than_the_file_can_hold_are_refused_before_they_cost_memory() {
        // 10000 x 10000 bytes are within the absolute limit.
        let mut png = encoded(ImageFormat::Png);
        png[16..24].copy_from_slice(&[0, 0, 0x27, 0x10, 0, 0, 0x27, 0x10]);
        let crc = crc32(&png[12..29]);
        png[29..33].copy_from_slice(&crc.to_be_bytes());
        png.truncate(1000);
        assert!(
            decode_grey(&png).unwrap_err().to_string().contains("than a file of its size can hold")
        );
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
