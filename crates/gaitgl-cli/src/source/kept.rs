//! Silhouettes as a gallery keeps them: the rows of a frame as 32 bits, little-endian, then a PNG of all
//! frames below one another.

use std::io::Cursor;

use anyhow::Context;
use gait_data::Clip;
use image::{ExtendedColorType, ImageEncoder, ImageFormat, codecs::png::PngEncoder};

/// The bytes of a clip.
pub fn encode(clip: &Clip) -> anyhow::Result<Vec<u8>> {
    let side = |pixels: usize| u32::try_from(pixels).context("the walk is too long to be kept");
    let mut bytes = side(clip.height)?.to_le_bytes().to_vec();
    let rows = side(clip.frames * clip.height)?;
    let encoder = PngEncoder::new(&mut bytes);
    encoder.write_image(&clip.pixels, side(clip.width)?, rows, ExtendedColorType::L8)?;
    Ok(bytes)
}

/// The clip of such bytes.
pub fn decode(bytes: &[u8]) -> anyhow::Result<Clip> {
    let (height, png) = bytes.split_first_chunk::<4>().context("the silhouettes are damaged")?;
    let height = u32::from_le_bytes(*height) as usize;
    let picture = image::load(Cursor::new(png), ImageFormat::Png)?.into_luma8();
    let width = picture.width() as usize;
    let rows = picture.height() as usize;
    let frames = rows.checked_div(height).filter(|frames| frames * height == rows);
    let frames = frames.context("the silhouettes are damaged")?;
    Ok(Clip { frames, height, width, pixels: picture.into_raw() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        let pixels = (0..5 * 4 * 3).map(|value| value as u8).collect();
        let clip = Clip { frames: 5, height: 4, width: 3, pixels };
        let bytes = encode(&clip).unwrap();
        assert_eq!(decode(&bytes).unwrap(), clip);
        for length in [0, 3, 10, bytes.len() / 2] {
            assert!(decode(&bytes[..length]).is_err());
        }
        let wrong = [&7_u32.to_le_bytes()[..], &bytes[4..]].concat();
        assert!(decode(&wrong).is_err());
    }
}
