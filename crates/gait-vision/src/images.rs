//! Frames that are the images of a folder.

use std::path::{Path, PathBuf};

use gait_support::{FileError, NaturalOrder, caught};
use image::{DynamicImage, ImageDecoder, ImageError, ImageReader, Limits};

use crate::{Frame, Rate, ReadOptions, VideoError};

/// The images of a folder in natural order, from the first one that was not taken.
pub(crate) struct Images {
    paths: std::vec::IntoIter<PathBuf>,
    /// Of all images.
    size: [usize; 2],
    options: ReadOptions,
    ended: bool,
}

/// How the names of images end.
const EXTENSIONS: [&str; 4] = ["png", "jpg", "jpeg", "bmp"];

/// Frames per second, unless the caller knows better.
const RATE: u32 = 25;

impl Images {
    /// Finds the images of a folder and reads the size of the first.
    pub(crate) fn open(folder: &Path, options: &ReadOptions) -> Result<Self, VideoError> {
        let paths = image_paths(folder).map_err(|e| FileError::io("read", folder, e))?;
        let Some(first) = paths.first() else {
            return Err(VideoError::NoImages { folder: folder.into() });
        };
        let first = read(first)?;
        let size = [first.width(), first.height()];
        Ok(Self { paths: paths.into_iter(), size, options: options.clone(), ended: false })
    }

    /// How many are left.
    pub(crate) fn left(&self) -> u64 {
        self.paths.len() as u64
    }

    pub(crate) fn size(&self) -> [usize; 2] {
        self.size
    }

    pub(crate) fn rate(&self) -> Rate {
        Rate { frames: self.options.image_rate.unwrap_or(RATE) as usize, seconds: 1 }
    }

    fn read_next(&mut self) -> Option<Result<Frame, VideoError>> {
        let path = self.paths.next()?;
        let frame = read(&path).and_then(|frame| {
            let found = [frame.width(), frame.height()];
            let fits = found == self.size;
            let expected = self.size;
            if fits { Ok(frame) } else { Err(VideoError::ImageSize { path, found, expected }) }
        });
        Some(frame)
    }
}

impl Iterator for Images {
    type Item = Result<Frame, VideoError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended || self.options.stopped() {
            return None;
        }
        let frame = self.read_next();
        self.ended = !matches!(frame, Some(Ok(_)));
        frame
    }
}

fn image_paths(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = vec![];
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        // macOS leaves hidden files of these names beside images.
        let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes()[0] == b'.');
        if EXTENSIONS.contains(&&*extension) && !is_hidden {
            paths.push(path);
        }
    }
    paths.sort_by_cached_key(|path| NaturalOrder(path.to_string_lossy().into_owned()));
    Ok(paths)
}

/// Reads an image, turned as its EXIF orientation says.
fn read(path: &Path) -> Result<Frame, VideoError> {
    let bytes = std::fs::read(path).map_err(|e| FileError::io("read", path, e))?;
    let failed = |source| VideoError::Image { path: path.into(), source };
    let decoded = caught(|| decode(&bytes)).ok_or_else(|| failed(None))?;
    let image = decoded.map_err(|reason| failed(Some(Box::new(reason))))?.into_rgb8();
    let [width, height] = [image.width(), image.height()].map(|side| side as usize);
    Frame::new(width, height, image.into_raw())
        .map_err(|_| VideoError::TooLarge { video: path.display().to_string() })
}

fn decode(bytes: &[u8]) -> Result<DynamicImage, ImageError> {
    let mut reader = ImageReader::new(std::io::Cursor::new(bytes)).with_guessed_format()?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(Frame::LONGEST_SIDE as u32);
    limits.max_image_height = Some(Frame::LONGEST_SIDE as u32);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    let orientation = decoder.orientation()?;
    let mut image = DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    Ok(image)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gait_support::full_message;
    use image::RgbImage;

    /// A folder of images with these names and sizes; the pixels of each tell its place in the list.
    fn folder(images: &[(&str, [u32; 2])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (place, (name, [width, height])) in images.iter().enumerate() {
            let image = RgbImage::from_pixel(*width, *height, image::Rgb([place as u8, 100, 200]));
            image.save(folder.path().join(name)).unwrap();
        }
        folder
    }

    fn message(folder: &Path, error: &VideoError) -> String {
        full_message(error).replace(folder.to_str().unwrap(), "")
    }

    #[test]
    fn images_come_in_natural_order_with_their_colours() {
        let size = [4, 3];
        let folder = folder(&[("10.png", size), ("9.bmp", size), ("._9.png", size)]);
        std::fs::write(folder.path().join("notes.txt"), "").unwrap();
        let images = Images::open(folder.path(), &ReadOptions::default()).unwrap();
        assert_eq!(images.size(), [4, 3]);
        assert_eq!(images.rate(), Rate { frames: 25, seconds: 1 });
        assert_eq!(images.left(), 2);
        let pixels: Vec<Vec<u8>> =
            images.map(|frame| frame.unwrap().pixels()[..3].to_vec()).collect();
        assert_eq!(pixels, [[1, 100, 200], [0, 100, 200]]);
    }

    #[test]
    fn images_of_another_size_and_damaged_ones_are_named() {
        let pictures = folder(&[("1.png", [4, 3]), ("2.png", [3, 4]), ("3.png", [4, 3])]);
        let mut images = Images::open(pictures.path(), &ReadOptions::default()).unwrap();
        assert!(images.next().unwrap().is_ok());
        let error = images.next().unwrap().unwrap_err();
        let expected = "/2.png is 3 x 4 pixels large, the images before it 4 x 3";
        assert_eq!(message(pictures.path(), &error), expected);
        assert!(images.next().is_none());
        std::fs::write(pictures.path().join("1.png"), "no image").unwrap();
        let error = Images::open(pictures.path(), &ReadOptions::default()).err().unwrap();
        assert!(message(pictures.path(), &error).starts_with("cannot read /1.png: "), "{error}");
        let empty = folder(&[]);
        let error = Images::open(empty.path(), &ReadOptions::default()).err().unwrap();
        assert_eq!(message(empty.path(), &error), " holds no images");
    }

    #[test]
    fn orientation_is_honoured() {
        // A PNG of 2 x 1 pixels, red and blue, with an eXIf chunk: turned by 90 degrees clockwise.
        let image = RgbImage::from_raw(2, 1, vec![255, 0, 0, 0, 0, 255]).unwrap();
        let mut png = std::io::Cursor::new(vec![]);
        let mut encoder = image::codecs::png::PngEncoder::new(&mut png);
        let exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0".to_vec();
        image::ImageEncoder::set_exif_metadata(&mut encoder, exif).unwrap();
        image.write_with_encoder(encoder).unwrap();
        let turned = decode(png.get_ref()).unwrap().into_rgb8();
        assert_eq!(turned.dimensions(), (1, 2));
        assert_eq!(turned.into_raw(), [255, 0, 0, 0, 0, 255]);
    }

    #[test]
    fn a_flag_ends_them() {
        static STOP: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
        let pictures = folder(&[("1.png", [4, 3]), ("2.png", [4, 3])]);
        let options = ReadOptions { stop: Some(&STOP), ..ReadOptions::default() };
        let mut images = Images::open(pictures.path(), &options).unwrap();
        assert!(images.next().unwrap().is_ok());
        STOP.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(images.next().is_none());
    }
}
