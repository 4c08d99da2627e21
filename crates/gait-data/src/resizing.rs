//! The size of silhouettes that come aligned.

use crate::align::AlignError;
use crate::cubic::resize;
use crate::image_file::Grey;

/// How silhouettes that come aligned get the size wanted. Each data set has its own way, so that
/// published numbers carry over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resizing {
    /// Images of the size wanted are taken as they are, those of twice the size are halved by
    /// averaging; others are no part of the data set.
    Halving,
    /// Images of any size are resized with cubic interpolation.
    Cubic,
}

impl Resizing {
    /// `image` as `size` rows and columns.
    ///
    /// # Errors
    /// If it has a size that the data set does not have.
    pub fn apply(self, image: Grey, size: usize) -> Result<Vec<u8>, AlignError> {
        match (self, [image.height, image.width]) {
            (_, found) if found == [size; 2] => Ok(image.pixels),
            (Resizing::Halving, found) if found == [2 * size; 2] => Ok(halved(&image)),
            (Resizing::Cubic, [height, width]) if height > 0 && width > 0 => {
                Ok(resize(&image, size, size))
            }
            (_, [height, width]) => Err(AlignError::Size { height, width, size }),
        }
    }
}

/// Half the rows and columns, each pixel the rounded mean of four: what OpenCV's linear and area
/// resizing both do at this scale.
fn halved(image: &Grey) -> Vec<u8> {
    let pairs = image.pixels.chunks_exact(2 * image.width).map(|rows| rows.split_at(image.width));
    let mean = |(a, b): (&[u8], &[u8])| {
        ((a.iter().chain(b).map(|&p| u32::from(p)).sum::<u32>() + 2) / 4) as u8
    };
    pairs.flat_map(|(a, b)| a.chunks_exact(2).zip(b.chunks_exact(2)).map(mean)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halving_rounds_the_mean_of_four() {
        let pixels = vec![0, 1, 255, 255, 1, 0, 255, 254, 9, 9, 9, 9, 9, 9, 9, 9];
        let image = Grey { height: 4, width: 4, pixels };
        assert_eq!(Resizing::Halving.apply(image, 2).unwrap(), [1, 255, 9, 9]);
    }

    #[test]
    fn sizes_that_a_data_set_does_not_have_are_refused() {
        let image = |height, width| Grey { height, width, pixels: vec![7; height * width] };
        assert_eq!(
            Resizing::Halving.apply(image(3, 3), 2),
            Err(AlignError::Size { height: 3, width: 3, size: 2 })
        );
        assert_eq!(Resizing::Cubic.apply(image(3, 5), 2), Ok(vec![7; 4]));
        assert_eq!(
            Resizing::Cubic.apply(image(0, 0), 2),
            Err(AlignError::Size { height: 0, width: 0, size: 2 })
        );
    }
}
