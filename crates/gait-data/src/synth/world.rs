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
