//! Writing a shapefile: its members are made in a directory of their own beside the target and put in place
//! together, or packed into one `.zip`.
//!
//! Invariant: after an error the files that were there before are there still. The `.shp` comes last, so that
//! whatever kills the process in between leaves no shapefile rather than a mixed one.

use std::{
    fs::File,
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
};

use encoding_rs::Encoding;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use crate::{
    domain::{
        feature::FeatureRef,
        layer::{GeometryClass, Layer, Provenance},
    },
    ground::shape::{ShapeKind, ShapeRef},
};

use super::{
    super::{
        FormatError, Placed, Target, Watched, Written,
        beside::{Growing, directory_of, sync_directory, temporary_names, written_beside},
        refused_by_system, writable_encoding,
    },
    dbf_write::{self, Cells},
    shp_write::{self, Holds, Shapes},
};

/// The members, in the order in which they are put in place.
const MEMBERS: [&str; 5] = ["cpg", "prj", "dbf", "shx", "shp"];
/// Indexes that other programs keep beside a shapefile; those of an older one would mislead.
const STALE: [&str; 4] = ["qix", "sbn", "sbx", "cpg"];

/// Writes a shapefile: loose files, or one archive where the path ends in `.zip`.
///
/// # Errors
/// [`FormatError::Request`] for what the format cannot hold at all, and what to use instead;
/// [`FormatError::Io`].
pub fn write(
    target: &Target,
    layer: &Layer,
    features: &mut dyn Iterator<Item = FeatureRef<'_>>,
) -> Result<Written, FormatError> {
    let encoding = writable_encoding(target, "a shapefile")?;
    let directory = directory_of(&target.path);
    let refused = |error| refused_by_system(&target.path, error);
    let made = temporary_names().tempdir_in(&directory).map_err(refused)?;
    let written = make_members(made.path(), target, layer, encoding, features)?;
    if target.path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("zip")) {
        let about = readme(target, layer, encoding, &written);
        written_beside(target, |out| pack(out, made.path(), target, &about))?;
    } else {
        sync_members(made.path()).map_err(refused)?;
        put_in_place(made.path(), &target.path).map_err(refused)?;
        sync_directory(&directory);
    }
    Ok(written)
}

fn member(directory: &Path, ending: &str) -> PathBuf {
    directory.join("layer").with_extension(ending)
}

fn make_members(
    directory: &Path,
    target: &Target,
    layer: &Layer,
    encoding: &'static Encoding,
    features: &mut dyn Iterator<Item = FeatureRef<'_>>,
) -> Result<Written, FormatError> {
    let refused = |error| refused_by_system(&target.path, error);
    let of_table = |refusal| match refusal {
        dbf_write::Refusal::Io(error) => refused(error),
        dbf_write::Refusal::Request(what) => FormatError::Request(what),
    };
    let mut features = target.until_stopped(features).peekable();
    let first = features.peek().and_then(|feature| feature.shape).map(|shape| shape.kind());
    let mut shapes = Shapes::create(&member(directory, "shp"), holds_of(layer, first)?).map_err(refused)?;
    let mut cells = Cells::new(&layer.schema, encoding).map_err(of_table)?;
    let (mut count, mut lone) = (0, 0_u64);
    for feature in features {
        let placed = feature.shape.map(|shape| target.place(shape)).transpose()?;
        let shape = placed.as_ref().map(Placed::view);
        if let Some(shape) = shape {
            lone += u64::from(is_lone(shape));
            fits(shape, &shapes, feature.id)?;
        }
        shapes.push(shape).map_err(|refusal| match refusal {
            shp_write::Refusal::Io(error) => refused(error),
            shp_write::Refusal::TooLarge => {
                FormatError::Request("the geometry would have more than 2 GB: use GeoPackage".to_owned())
            }
        })?;
        cells.push(feature.id, &feature.values).map_err(of_table)?;
        count += 1;
    }
    let mut losses = vec!["a shapefile keeps no ids".to_owned()];
    if lone > 0 && shapes.holds() != Holds::MultiPoints {
        losses.push(format!(
            "a shapefile does not tell a multi-geometry of one part from a single one ({lone} features)"
        ));
    }
    shapes.finish(&member(directory, "shx")).map_err(refused)?;
    let table = File::create(member(directory, "dbf")).map_err(refused)?;
    let mut table = Watched::new(BufWriter::new(table), target.stop.clone());
    losses.extend(cells.finish(&mut table).map_err(of_table)?);
    table.flush().map_err(refused)?;
    let wkt = target.crs.to_esri_wkt()?;
    std::fs::write(member(directory, "prj"), wkt).map_err(refused)?;
    std::fs::write(member(directory, "cpg"), encoding.name().to_uppercase()).map_err(refused)?;
    Ok(Written { features: count, losses })
}

fn sync_members(directory: &Path) -> io::Result<()> {
    MEMBERS.iter().try_for_each(|ending| File::open(member(directory, ending))?.sync_all())
}

fn holds_of(layer: &Layer, first: Option<ShapeKind>) -> Result<Holds, FormatError> {
    match layer.geometry {
        GeometryClass::Surface => Ok(Holds::Surfaces),
        GeometryClass::Line => Ok(Holds::Lines),
        GeometryClass::Point if first == Some(ShapeKind::MultiPoint) => Ok(Holds::MultiPoints),
        GeometryClass::Point => Ok(Holds::Points),
        GeometryClass::Mixed => Ok(first.map_or(Holds::Surfaces, Holds::of)),
        GeometryClass::None => Err(FormatError::Request(format!(
            "layer {} has no geometry, which a shapefile needs: use CSV or GeoPackage",
            layer.id
        ))),
    }
}

fn fits(shape: ShapeRef<'_>, shapes: &Shapes, id: i64) -> Result<(), FormatError> {
    let dimension = match shapes.holds() {
        Holds::Points | Holds::MultiPoints => 0,
        Holds::Lines => 1,
        Holds::Surfaces => 2,
    };
    if shape.kind().dimension() == dimension {
        return Ok(());
    }
    Err(FormatError::Request(format!(
        "feature {id} is a {}, but this shapefile holds {:?}: export one kind at a time, or use GeoPackage or GeoJSON",
        shape.kind().as_str(),
        shapes.holds()
    )))
}

/// Whether a shape is a multi-geometry of one part.
fn is_lone(shape: ShapeRef<'_>) -> bool {
    shape.part_count() == 1 && shape.kind() == shape.kind().multi()
}

/// Puts the members in the place of those that are there; on an error those come back.
fn put_in_place(made: &Path, shp: &Path) -> io::Result<()> {
    let old = made.join("old");
    std::fs::create_dir(&old)?;
    let mut moved: Vec<(PathBuf, PathBuf)> = Vec::new();
    let mut placed: Vec<PathBuf> = Vec::new();
    let outcome = (|| {
        // The .shp first: without it the rest is no shapefile.
        for ending in MEMBERS.iter().rev().chain(&STALE) {
            let (from, to) = (shp.with_extension(ending), member(&old, ending));
            if from.try_exists()? && !moved.iter().any(|(place, _)| *place == from) {
                std::fs::rename(&from, &to)?;
                moved.push((from, to));
            }
        }
        for ending in MEMBERS {
            let place = shp.with_extension(ending);
            std::fs::rename(member(made, ending), &place)?;
            placed.push(place);
        }
        Ok(())
    })();
    if outcome.is_err() {
        for place in &placed {
            let _ = std::fs::remove_file(place);
        }
        for (place, kept) in moved.iter().rev() {
            // The first error is the one to tell.
            let _ = std::fs::rename(kept, place);
        }
    }
    outcome
}

/// Packs the members under the target's name, and beside them what a shapefile cannot say of itself.
fn pack(out: &mut Growing, made: &Path, target: &Target, about: &str) -> Result<(), FormatError> {
    let refused = |error| refused_by_system(&target.path, error);
    let packed = |error| refused(io::Error::other(error));
    let stem = target.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut archive = ZipWriter::new(out);
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for ending in MEMBERS {
        archive.start_file(format!("{stem}.{ending}"), options).map_err(packed)?;
        let mut from = File::open(member(made, ending)).map_err(refused)?;
        io::copy(&mut from, &mut archive).map_err(refused)?;
    }
    archive.start_file("README.txt", options).map_err(packed)?;
    archive.write_all(about.as_bytes()).map_err(refused)?;
    archive.finish().map_err(packed)?;
    Ok(())
}

/// What whoever unpacks the archive shall know, in both languages, for Windows' editor.
fn readme(target: &Target, layer: &Layer, encoding: &'static Encoding, written: &Written) -> String {
    let provenance = match layer.provenance {
        Provenance::Real => "实测或公开数据 surveyed, or published by its source",
        Provenance::Approximate => "近似数据 derived from real data by a stated approximation",
        Provenance::Synthetic => {
            "合成示例数据，不得作为依据 SYNTHETIC: made up for demonstration, no ground for decisions"
        }
        Provenance::Imported => "用户导入 imported by the user",
    };
    let title = if layer.title.is_empty() { layer.id.as_str() } else { &layer.title };
    let mut lines = vec![
        format!("{title} ({})", layer.id),
        format!("要素数 Features: {}", written.features),
        format!("坐标系 CRS: {} {}", target.crs.definition().lines().next().unwrap_or_default(), target.crs.name()),
        format!("文字编码 Text: {}", encoding.name()),
        format!("数据性质 Provenance: {provenance}"),
    ];
    if !layer.description.is_empty() {
        lines.push(format!("说明 About: {}", layer.description));
    }
    lines.extend([String::new(), "Shapefile 未能保存的内容 What a shapefile could not hold:".to_owned()]);
    lines.extend(written.losses.iter().map(|loss| format!("- {loss}")));
    format!("\u{feff}{}\r\n", lines.join("\r\n"))
}
