//! A gallery for another network: all templates made anew from the silhouettes that were kept.

use crate::changes::check_values;
use crate::ledger::TemplateDetails;
use crate::store::Store;
use crate::{By, Cause, Event, Gallery, GalleryError, Network};

/// Turns silhouettes, as they were enrolled, into an embedding `[c, p]`.
pub type Embed<'a> = &'a mut dyn FnMut(&[u8]) -> Result<Vec<f32>, Cause>;

impl<S: Store> Gallery<S> {
    /// Makes every template anew with `embed`, by `network`. Nobody else can write meanwhile. A rule for decisions that was
    /// set for the former network no longer holds. Returns the number of templates.
    ///
    /// # Errors
    /// [`GalleryError::NoSilhouettes`] if those of a template were not kept, [`GalleryError::Embed`] if
    /// `embed` fails, embeddings of a wrong size, or a store that fails. Nothing is changed then.
    pub fn rebuild(
        &mut self,
        network: &Network,
        embed: Embed,
        by: &By,
    ) -> Result<usize, GalleryError> {
        self.write(|ledger| {
            let subjects = ledger.subjects()?;
            let mut old = Vec::new();
            ledger.templates(
                None,
                |_| true,
                |template| {
                    old.push((template.id(), template.subject(), template.details()?.origin));
                    Ok(())
                },
            )?;
            for (id, subject, origin) in &old {
                let name = || subjects.get(subject).map(|s| s.name.clone()).unwrap_or_default();
                let templates = ledger.templates_of(*subject)?;
                let silhouettes = templates.silhouettes(*id)?;
                let silhouettes =
                    silhouettes.ok_or_else(|| GalleryError::NoSilhouettes { name: name() })?;
                let values = embed(&silhouettes).map_err(GalleryError::Embed)?;
                check_values(&name(), network, origin, &values)?;
                let fingerprint = network.fingerprint.clone();
                let details = TemplateDetails { network: fingerprint, origin: origin.clone() };
                templates.replace(*id, &details, &values)?;
            }
            ledger.set_setting("network", network)?;
            let templates = old.len();
            let network = network.fingerprint.clone();
            ledger.changed(by, &Event::Rebuilt { network, templates })?;
            Ok(templates)
        })
    }
}
