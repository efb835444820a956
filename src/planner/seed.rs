//! Seeding: a new workspace with the demonstration data, made beside its place and moved there when whole.

use std::path::Path;

use serde_json::{Value, json};

use crate::{
    domain::feature::ValueRef,
    ground::shape::Shape,
    seeds,
    store::{How, Note, StoreError, Workspace},
};

use super::{Planner, PlannerError, Progress, now_ms};

/// What a new demonstration workspace holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seeded {
    /// Layers.
    pub layers: usize,
    /// Features of all layers.
    pub features: u64,
}

impl Planner {
    /// Makes a workspace with the demonstration data.
    ///
    /// # Errors
    /// [`PlannerError`] where the file exists or cannot be written; there is no new file then.
    pub fn seed(path: &Path, progress: &mut dyn FnMut(&Progress)) -> Result<Seeded, PlannerError> {
        if path.exists() {
            return Err(StoreError::Exists { path: path.display().to_string() }.into());
        }
        let manifest = seeds::manifest()?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let work = tempfile::Builder::new().prefix(".mutu-seed-").tempdir_in(folder);
        let work = work.map_err(|source| StoreError::Io { what: folder.display().to_string(), source })?;
        let draft = work.path().join("draft.gpkg");
        let mut workspace = Workspace::create(&draft)?;
        let mut seeded = Seeded { layers: 0, features: 0 };
        for layer in &manifest.layers {
            let note = Note { author: "mutu seed", note: &manifest.title, at: now_ms() };
            let mut transaction = workspace.begin_import(&layer.layer, How::Create, note)?;
            for feature in layer.features()? {
                let values: Vec<ValueRef<'_>> =
                    feature.values.iter().map(crate::domain::feature::Value::view).collect();
                transaction.put(Some(feature.id), feature.shape.as_ref().map(Shape::view), &values)?;
                seeded.features += 1;
                progress(&Progress { stage: "seeding", done: seeded.features });
            }
            transaction.commit(&json!({ "file": layer.file(), "seeded": true }).to_string())?;
            seeded.layers += 1;
        }
        workspace.close()?;
        // Fails where somebody else has made the file meanwhile.
        let draft = tempfile::TempPath::try_from_path(draft)
            .map_err(|source| StoreError::Io { what: path.display().to_string(), source })?;
        draft
            .persist_noclobber(path)
            .map_err(|error| StoreError::Io { what: path.display().to_string(), source: error.error })?;
        Ok(seeded)
    }
}

/// The figures of the founding documents, and where they disagree.
///
/// # Errors
/// [`PlannerError::Seed`] where the shipped tables are broken.
pub fn known_facts() -> Result<Value, PlannerError> {
    Ok(json!({ "facts": seeds::facts()?, "conflicts": seeds::conflicts()?, "sources": seeds::sources()? }))
}
