//! Where people walk, and what varies there: everything beyond CASIA-B's laboratory, as settings.

mod limits;
mod sections;

use std::path::Path;

use gait_support::{FileError, nearest};
use serde::{Deserialize, Serialize};

use super::error::SynthError;
pub use sections::{Cameras, Clothes, Loads, Masks, People, Walks};

/// The smallest and the largest value of a factor; every value between them is equally likely.
pub type Range = [f32; 2];

/// Where people walk, and what varies there. Each section draws its factors per person, per walk,
/// per clip or per frame; what stays is a person's body and gait.
///
/// A section that is absent is as in CASIA-B's laboratory, so [`World::default`] is that laboratory,
/// and without a section its factors are off. What a section leaves out has the value of
/// [`World::street`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct World {
    /// How much people differ.
    pub people: Option<People>,
    /// How a person's walks differ.
    pub walks: Option<Walks>,
    /// What people wear.
    pub clothes: Option<Clothes>,
    /// What people carry.
    pub loads: Option<Loads>,
    /// Where the cameras stand.
    pub cameras: Option<Cameras>,
    /// How people are cut out of the pictures.
    pub masks: Option<Masks>,
}

/// The names of the built-in worlds.
const BUILTINS: [&str; 2] = ["casia-b", "street"];

impl World {
    /// People of all ages in everyday and other clothes, in front of any camera: the world to learn
    /// from for real people.
    pub fn street() -> World {
        World {
            people: Some(People::default()),
            walks: Some(Walks::default()),
            clothes: Some(Clothes::default()),
            loads: Some(Loads::default()),
            cameras: Some(Cameras::default()),
            masks: Some(Masks::default()),
        }
    }

    /// A built-in world by its name (`casia-b`, `street`), or one from a TOML file.
    ///
    /// # Errors
    /// An unknown name, a file that cannot be read, text that [`World::from_toml`] refuses.
    pub fn open(name: &Path) -> Result<World, SynthError> {
        let place = name.display().to_string();
        match place.as_str() {
            "casia-b" => Ok(World::default()),
            "street" => Ok(World::street()),
            _ if name.extension().is_none() && !name.exists() => {
                let known = BUILTINS.map(str::to_owned).to_vec();
                let nearest = nearest(&place, &known);
                Err(SynthError::UnknownWorld { name: place, nearest, known })
            }
            _ => {
                let text = std::fs::read_to_string(name)
                    .map_err(|source| FileError::io("read", name, source))?;
                World::from_toml(&text, &place)
            }
        }
    }

    /// A world from the text of a TOML file; `place` names it in errors.
    ///
    /// # Errors
    /// Text that is not TOML, an unknown key, a value out of range.
    pub fn from_toml(text: &str, place: &str) -> Result<World, SynthError> {
        let world: World = toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.map(|before| before.matches('\n').count() + 1);
            let message = error.message().replace('\n', " ");
            SynthError::WorldSyntax { place: place.to_owned(), line, message }
        })?;
        world.check()?;
        Ok(world)
    }

    /// The world as TOML, in the form that [`World::from_toml`] reads.
    ///
    /// # Errors
    /// None is known.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synth::{SynthOptions, aligned_clip};

    fn refusal(text: &str) -> String {
        World::from_toml(text, "w.toml").unwrap_err().to_string()
    }

    #[test]
    fn worlds_survive_their_own_toml() {
        for world in [World::default(), World::street()] {
            let text = world.to_toml().unwrap();
            assert_eq!(World::from_toml(&text, "w.toml").unwrap(), world);
        }
    }

    #[test]
    fn a_file_holds_what_differs_from_the_street_in_the_sections_that_it_has() {
        let world = World::from_toml("[cameras]\nheight = [2, 4]\n", "w.toml").unwrap();
        let cameras = Cameras { height: [2.0, 4.0], ..Cameras::default() };
        assert_eq!(world, World { cameras: Some(cameras), ..World::default() });
    }

    #[test]
    fn wrong_worlds_are_named_with_what_is_expected() {
        let unknown = refusal("[cameras]\n\nheigth = [2, 4]\n");
        assert!(unknown.starts_with("w.toml, line 3: ") && unknown.contains("heigth"), "{unknown}");
        assert!(!unknown.contains('\n'), "{unknown}");
        let high = refusal("[cameras]\nheight = [2, 40]");
        assert_eq!(high, "cameras.height: 2 to 40 is out of range (expected 0.1 to 10)");
        for text in [
            "[cameras]\nheight = [4, 2]",
            "[cameras]\nheight = [nan, 4]",
            "[loads]\nphone = 1.5",
            "[walks]\nrates = [25, 0]",
            "[walks]\nrates = []",
            "[masks]\nblur = 3",
            "cameras = 3",
        ] {
            refusal(text);
        }
        let name = World::open(Path::new("stret")).unwrap_err().to_string();
        assert!(name.contains("`street`") && name.contains("casia-b"), "{name}");
    }

    #[test]
    fn every_section_changes_the_walkers() {
        let none = World::default();
        let street = World::street();
        let worlds = [
            World { people: street.people.clone(), ..none.clone() },
            World { walks: street.walks.clone(), ..none.clone() },
            World { clothes: street.clothes.clone(), ..none.clone() },
            World { loads: street.loads.clone(), ..none.clone() },
            World { cameras: street.cameras.clone(), ..none.clone() },
            World { masks: street.masks.clone(), ..none.clone() },
        ];
        let filmed = |world: &World| {
            let options = SynthOptions {
                views: vec![90.0],
                frames: 12,
                normal: 0,
                coats: 0,
                world: world.clone(),
                ..SynthOptions::default()
            };
            aligned_clip(&options, 64).unwrap().pixels
        };
        let laboratory = filmed(&none);
        for world in &worlds {
            assert_ne!(filmed(world), laboratory, "{world:?}");
        }
    }
}
