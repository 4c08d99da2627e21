//! `gaitgl gallery rebuild`.

use clap::Args;
use gait_gallery::Cause;

use super::templates;
use crate::commands::print_line;
use crate::gallery_file::GalleryFile;
use crate::progress;
use crate::recognizer::WithNetwork;
use crate::source::kept;

/// Make all templates anew with another network
///
/// Needs the silhouettes of everybody, which are kept if people are enrolled with --keep-silhouettes.
/// The threshold of the former network no longer holds; calibrate the gallery again.
#[derive(Args)]
#[command(arg_required_else_help = true)]
pub struct Rebuild {
    #[command(flatten)]
    file: GalleryFile,
    #[command(flatten)]
    network: WithNetwork,
}

impl Rebuild {
    pub fn run(self) -> anyhow::Result<()> {
        let (mut gallery, by) = self.file.open()?;
        let recognizer = self.network.load()?;
        let all: u64 = gallery.subjects()?.iter().map(|subject| subject.templates).sum();
        let count = progress::watched("Embedding", "templates", |progress, stop| {
            let mut done = 0;
            let mut embed = |frames: &[u8]| -> Result<Vec<f32>, Cause> {
                if stop.load(std::sync::atomic::Ordering::Relaxed) {
                    return Err("interrupted".into());
                }
                done += 1;
                progress(done, all);
                Ok(kept::decode(frames).and_then(|clip| recognizer.embed_clip(&clip))?)
            };
            gallery.rebuild(&recognizer.network, &mut embed, &by)
        })?;
        print_line(format!(
            "{} made anew by the network {}; `gaitgl calibrate` sets the threshold",
            templates(count),
            recognizer.name
        ));
        Ok(())
    }
}
