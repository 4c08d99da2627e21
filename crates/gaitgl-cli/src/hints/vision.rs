//! Hints for videos and the networks that find people in them.

use gait_vision::{ModelError, VideoError};

use super::{TOO_FEW_THREADS, file, system};

pub(super) fn video(error: &VideoError) -> Option<String> {
    let hint = match error {
        VideoError::File(error) => return file(error),
        VideoError::NoFfmpeg { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            "install ffmpeg (Debian, Ubuntu: apt install ffmpeg; macOS: brew install ffmpeg; \
             Windows: winget install ffmpeg), or name it with --ffmpeg or GAITGL_FFMPEG"
        }
        VideoError::NoFfmpeg { .. } => "name another one with --ffmpeg or GAITGL_FFMPEG",
        VideoError::Camera { .. } => "give a number, for example camera:0",
        VideoError::Failed { .. } => "check whether a video player can open it",
        VideoError::NoVideo { .. } => "give a file that shows people",
        VideoError::Empty { .. } => "the recording may be incomplete; give another one",
        VideoError::TooLarge { .. } => "reduce it first: ffmpeg -i IN -vf scale=1280:-2 OUT",
        VideoError::Silent { .. } => "check the address and whether the camera is on",
        VideoError::NoImages { .. } => "give a folder of .png, .jpg or .bmp images",
        VideoError::Image { source: None, .. } => "the image is damaged; remove or replace it",
        VideoError::Image { .. } => "remove or replace it",
        VideoError::ImageSize { .. } => "give a folder of images of one size",
        VideoError::Thread(error) => return system(error).or(Some(TOO_FEW_THREADS.to_owned())),
        VideoError::NotWritten { .. } => "choose a name that ends in .mp4, .mkv or .avi",
        VideoError::Unreadable { .. } => "name the program ffmpeg with --ffmpeg or GAITGL_FFMPEG",
    };
    Some(hint.to_owned())
}

pub(super) fn vision_model(error: &ModelError) -> Option<String> {
    let hint = match error {
        ModelError::File(error) => return file(error),
        ModelError::Description { .. }
        | ModelError::Range { .. }
        | ModelError::NoOutput { .. }
        | ModelError::Input { .. }
        | ModelError::OutputShape { .. } => {
            "correct the description; docs/video.md says what it holds"
        }
        ModelError::Load { .. } => {
            "give a network as an ONNX file, exported with opset 11 or newer"
        }
        ModelError::Run { .. } => "use another network, or the one that ships",
    };
    Some(hint.to_owned())
}
