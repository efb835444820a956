//! What the product ships: the Heshan demo, from `seeds/` and `geodata/`, both embedded in the binary.
//!
//! The manifest says which layers there are, with their columns and code lists; geometry files hold the
//! features. Everything is checked while it is read: a property that the manifest does not name, a value of
//! another type or outside its code list is an error, never a silent gap. Nothing here writes.

mod features;
mod figures;
mod layers;

use crate::domain::{feature::Feature, layer::Layer};

pub use figures::{conflicts, facts, sources, targets};

macro_rules! embedded {
    ($folder:literal, $($file:literal),+ $(,)?) => {
        [$(($file, include_str!(concat!("../../", $folder, "/", $file)))),+]
    };
}

/// Geometry, by file name. Embedded in every build, so that a bare binary can seed.
const GEODATA: [(&str, &str); 12] = embedded!(
    "geodata",
    "belts.geojson",
    "constraints.geojson",
    "county.geojson",
    "landuse.geojson",
    "parcels.geojson",
    "parks.geojson",
    "projects.geojson",
    "seats.geojson",
    "supply.geojson",
    "tasks.geojson",
    "towns.geojson",
    "villages.geojson",
);

/// Tables, by file name.
const TABLES: [(&str, &str); 6] = embedded!(
    "seeds",
    "conflicts.toml",
    "facts.csv",
    "landuse_2023.csv",
    "manifest.toml",
    "sources.csv",
    "targets.toml",
);

/// What can be wrong with the shipped data. The tests prove that none of it is; a changed file is named here.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// A file that the manifest names is not there.
    #[error("{file} is not among the shipped files")]
    Missing {
        /// The file.
        file: String,
    },
    /// A file is not what it should be.
    #[error("{file}: {what}")]
    Broken {
        /// The file.
        file: String,
        /// What is wrong, and where.
        what: String,
    },
}

impl SeedError {
    fn broken(file: &str, what: impl std::fmt::Display) -> Self {
        Self::Broken { file: file.to_owned(), what: what.to_string() }
    }
}

/// The demo as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// What people call the workspace, in Chinese.
    pub title: String,
    /// What people call the workspace, in English.
    pub title_en: String,
    /// The day (ISO 8601) on which the ledgers of the demo stand.
    pub as_of: String,
    /// What must be said wherever the demo is shown, in Chinese.
    pub notice: String,
    /// What must be said wherever the demo is shown, in English.
    pub notice_en: String,
    /// Whom to thank for the real data.
    pub attribution: String,
    /// The layers in the order of drawing, lowest first.
    pub layers: Vec<SeedLayer>,
}

/// A layer of the demo.
#[derive(Debug, Clone, PartialEq)]
pub struct SeedLayer {
    /// What is known about it.
    pub layer: Layer,
    file: String,
}

impl SeedLayer {
    /// The name of the file that holds its features.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The features, ids 1 to n in the order of the file, with values in the order of the schema.
    ///
    /// # Errors
    /// [`SeedError`] names the feature and the property that do not fit the manifest.
    pub fn features(&self) -> Result<Vec<Feature>, SeedError> {
        features::read(&self.layer, &self.file, text(&GEODATA, &self.file)?)
    }
}

/// Reads the manifest.
///
/// # Errors
/// [`SeedError`] names the file and the place that is wrong.
pub fn manifest() -> Result<Manifest, SeedError> {
    layers::manifest()
}

fn text(files: &[(&str, &'static str)], file: &str) -> Result<&'static str, SeedError> {
    let found = files.iter().find(|(name, _)| *name == file);
    found.map(|(_, text)| *text).ok_or_else(|| SeedError::Missing { file: file.to_owned() })
}

/// The rows of a table of text with a heading line.
fn rows<T: serde::de::DeserializeOwned>(file: &str) -> Result<Vec<T>, SeedError> {
    let text = text(&TABLES, file)?;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    reader.deserialize().collect::<Result<_, _>>().map_err(|error| SeedError::broken(file, error))
}

fn toml_of<T: serde::de::DeserializeOwned>(file: &str) -> Result<T, SeedError> {
    toml::from_str(text(&TABLES, file)?).map_err(|error| SeedError::broken(file, error))
}

/// Checks that a text is a day of the calendar in ISO 8601.
fn check_day(file: &str, day: &str) -> Result<(), SeedError> {
    let parsed: Result<jiff::civil::Date, _> = day.parse();
    match parsed {
        Ok(date) if date.to_string() == day => Ok(()),
        _ => Err(SeedError::broken(file, format!("{day:?} is no day such as 2023-01-31"))),
    }
}
