//! Exchange formats: one file each, all with the same two signatures, [`Read`] and [`Write`].
//!
//! A reader streams rows as the file has them, in the file's own coordinates, and repairs nothing; what the
//! import makes of them (schema, CRS, faults) is decided by the planner, once for all formats. A writer
//! takes a stream of features as stored, moves each to the target's CRS by [`Target::place`], and tells what
//! the format could not hold.

mod beside;
pub mod csv;
pub mod flatgeobuf;
pub mod geojson;
pub mod geopackage;
pub mod shapefile;
mod stop;
mod tally;

use std::{
    borrow::Cow,
    io,
    path::{Path, PathBuf},
};

use crate::{
    domain::{
        feature::{FeatureRef, Value, ValueRef},
        layer::Layer,
        report::Finding,
        schema::FieldType,
    },
    ground::{
        crs::{Crs, CrsError, CrsKind},
        print::{DEGREE_DECIMALS, METRE_DECIMALS},
        shape::{Shape, ShapeRef},
    },
};

pub use stop::{Stop, Watched};

/// What to read, and what the user said about it.
#[derive(Debug, Clone)]
pub struct Source {
    /// The file; for a shapefile its `.shp` or a `.zip` that holds one.
    pub path: PathBuf,
    /// The table in a file of several layers; needed where there is more than one.
    pub table: Option<String>,
    /// The encoding of text, where the user named one.
    pub encoding: Option<&'static encoding_rs::Encoding>,
}

/// What a file says about the CRS of its coordinates.
#[derive(Debug, Clone, PartialEq)]
pub enum CrsClaim {
    /// It names one.
    Says(Crs),
    /// It names none; its format by itself means this one.
    ByFormat(Crs),
    /// It says nothing: the user must.
    Silent,
    /// It names one that PROJ does not know; the text as written.
    Unreadable(String),
}

/// A column of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// The name as written.
    pub name: String,
    /// The type that the file declares, where its format has types.
    pub declared: Option<FieldType>,
}

/// The id that a file gives a row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RowId {
    /// A whole number.
    Number(i64),
    /// Any text.
    Text(String),
}

/// One row of a file.
#[derive(Debug, Clone)]
pub struct Row {
    /// The row in the file, from 1.
    pub number: u64,
    /// The id that the file gives it.
    pub id: Option<RowId>,
    /// The geometry, as written; `None` where the row has none.
    pub shape: Option<Shape>,
    /// Values by column; columns that come later in the file than this row are missing at the end.
    pub values: Vec<Value>,
    /// What the reader found wrong with this row (an unsupported kind of geometry, a value that is no value
    /// of its type, Z values that were left out). A `Refused` finding means `shape` cannot be trusted.
    pub findings: Vec<Finding>,
}

/// What is known of a file after its last row.
#[derive(Debug, Clone, PartialEq)]
pub struct Contents {
    /// All columns, in order of first appearance.
    pub columns: Vec<Column>,
    /// What it says about its CRS.
    pub crs: CrsClaim,
    /// How text was read: the encoding and who said so, such as `GBK (.cpg)`; empty where the format fixes it.
    pub encoding: String,
    /// Rows read.
    pub rows: u64,
    /// What was found that belongs to no row.
    pub findings: Vec<Finding>,
}

/// Why a file could not be read or written as a whole.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// The file is not what its name says, or is broken: nothing of it is taken.
    #[error("{path}: {what}")]
    Broken {
        /// The file.
        path: String,
        /// What is wrong, where, and what to do.
        what: String,
    },
    /// The request cannot be met (an unknown table, an ambiguous archive).
    #[error("{0}")]
    Request(String),
    /// A place has no image in the CRS of the file to write.
    #[error(transparent)]
    Misplaced(#[from] CrsError),
    /// A text has no bytes in the encoding of the file to write: where, and what to do.
    #[error("{0}")]
    Unencodable(String),
    /// The operating system refused.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The receiver of the rows stopped the read.
    #[error("stopped by the receiver: {0}")]
    Stopped(Box<dyn std::error::Error + Send + Sync>),
}

/// Receives rows; the first argument holds the columns seen so far.
pub type Visit<'v> = dyn FnMut(&[Column], Row) -> Result<(), FormatError> + 'v;

/// Streams the rows of a file.
pub type Read = fn(&Source, &mut Visit<'_>) -> Result<Contents, FormatError>;

/// Where to write, and how.
#[derive(Debug, Clone)]
pub struct Target {
    /// The file.
    pub path: PathBuf,
    /// The CRS that the coordinates are in and that the file shall name.
    pub crs: Crs,
    /// The encoding of text, for formats that have a choice.
    pub encoding: Option<&'static encoding_rs::Encoding>,
    /// GeoJSON only: coordinates in the axis order that the CRS declares, and no member that names it, because
    /// the answer's header does (OGC 18-058r1 §6.2); else east first, as files have it.
    pub axes_as_declared: bool,
    /// CSV only: text as it is, rather than as a spreadsheet can open without harm ([`csv`]).
    pub exact_text: bool,
    /// Whether the file is gone as soon as it was read: then it is not made to last through a power failure.
    pub passing: bool,
    /// Asked between features, and while what comes after them is written.
    pub stop: Stop,
}

impl Target {
    /// A file in a CRS, everything else as is usual for files.
    #[must_use]
    pub fn new(path: PathBuf, crs: Crs) -> Self {
        let stop = Stop::default();
        Self { path, crs, encoding: None, axes_as_declared: false, exact_text: false, passing: false, stop }
    }

    /// A shape in the target's CRS; unchanged where that is the stored one or WGS 84, east first.
    ///
    /// # Errors
    /// [`FormatError::Misplaced`] names the first coordinate that has no image in the target's CRS.
    pub fn place<'a>(&self, shape: ShapeRef<'a>) -> Result<Placed<'a>, FormatError> {
        let north_first = self.axes_as_declared && self.crs.north_first();
        if self.crs.is_stored() && !north_first {
            return Ok(Placed::Same(shape));
        }
        let mut moved = shape.to_shape();
        self.crs.from_stored(moved.coords_mut())?;
        if north_first {
            moved.coords_mut().iter_mut().for_each(|at| std::mem::swap(&mut at.x, &mut at.y));
        }
        Ok(Placed::Moved(moved))
    }

    /// Features until the target is asked to stop.
    fn until_stopped<'f>(
        &self,
        features: &mut dyn Iterator<Item = FeatureRef<'f>>,
    ) -> impl Iterator<Item = FeatureRef<'f>> {
        features.take_while(|_| !self.stop.is_asked())
    }

    /// Decimals that keep its coordinates to 0.1 mm.
    fn decimals(&self) -> u8 {
        match self.crs.kind() {
            CrsKind::Geographic => DEGREE_DECIMALS,
            CrsKind::Projected | CrsKind::WebMercator => METRE_DECIMALS,
        }
    }
}

/// A shape in a target's CRS.
#[derive(Debug)]
pub enum Placed<'a> {
    /// As stored.
    Same(ShapeRef<'a>),
    /// With coordinates of its own.
    Moved(Shape),
}

impl Placed<'_> {
    /// A view of the shape.
    #[must_use]
    pub fn view(&self) -> ShapeRef<'_> {
        match self {
            Self::Same(shape) => *shape,
            Self::Moved(shape) => shape.view(),
        }
    }
}

/// What a writer did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Written {
    /// Features written.
    pub features: u64,
    /// What the format could not hold, one sentence each (a name shortened, a time cut to its day).
    pub losses: Vec<String>,
}

/// Writes a stream of features, whose values stand in the order of `layer.schema`. The target's file is
/// complete or absent afterwards: writers write beside it and rename.
pub type Write = fn(&Target, &Layer, &mut dyn Iterator<Item = FeatureRef<'_>>) -> Result<Written, FormatError>;

/// Writes a stream of features from front to back.
pub type Stream =
    fn(&mut dyn io::Write, &Target, &Layer, &mut dyn Iterator<Item = FeatureRef<'_>>) -> Result<Written, FormatError>;

/// How a format is written without a file.
#[derive(Debug, Clone, Copy)]
pub struct Streaming {
    /// The writer.
    pub write: Stream,
    /// What the format cannot hold of a layer, as far as it is known before the first feature.
    pub losses: fn(&Target, &Layer) -> Vec<String>,
}

/// An exchange format.
#[derive(Debug, Clone, Copy)]
pub struct Format {
    /// The word for it, such as `geojson`.
    pub name: &'static str,
    /// The type of answers that hold it, without its charset.
    pub media_type: &'static str,
    /// File name endings, lower case, first the one to write.
    pub extensions: &'static [&'static str],
    /// The reader, where there is one.
    pub read: Option<Read>,
    /// The writer, where there is one.
    pub write: Option<Write>,
    /// The writer that needs no file, where the format can be written from front to back.
    pub stream: Option<Streaming>,
}

/// All formats, in the order in which help lists them.
pub const FORMATS: &[Format] = &[
    Format {
        name: "geojson",
        media_type: "application/geo+json",
        extensions: &["geojson", "json"],
        read: Some(self::geojson::read),
        write: Some(self::geojson::write),
        stream: Some(self::geojson::STREAMING),
    },
    Format {
        name: "geojsonseq",
        media_type: "application/geo+json-seq",
        extensions: &["geojsons", "geojsonl", "ndjson"],
        read: Some(self::geojson::read),
        write: Some(self::geojson::write),
        stream: Some(self::geojson::STREAMING),
    },
    Format {
        name: "geopackage",
        media_type: "application/geopackage+sqlite3",
        extensions: &["gpkg"],
        read: Some(self::geopackage::read),
        write: Some(self::geopackage::write),
        stream: None,
    },
    Format {
        name: "shapefile",
        media_type: "application/zip",
        extensions: &["shp", "zip"],
        read: Some(self::shapefile::read),
        write: Some(self::shapefile::write),
        stream: None,
    },
    Format {
        name: "flatgeobuf",
        // Not registered; what QGIS and ldproxy say.
        media_type: "application/flatgeobuf",
        extensions: &["fgb"],
        read: Some(self::flatgeobuf::read),
        write: Some(self::flatgeobuf::write),
        stream: None,
    },
    Format {
        name: "csv",
        media_type: "text/csv",
        extensions: &["csv"],
        read: None,
        write: Some(self::csv::write),
        stream: Some(self::csv::STREAMING),
    },
];

/// The format of a file, by its ending, in any case.
#[must_use]
pub fn by_extension(path: &Path) -> Option<&'static Format> {
    let ending = path.extension()?.to_str()?.to_lowercase();
    FORMATS.iter().find(|format| format.extensions.contains(&ending.as_str()))
}

/// The format of a name, in any case.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name.eq_ignore_ascii_case(name))
}

/// The endings of the formats that can be read, for messages.
#[must_use]
pub fn readable() -> String {
    endings(|format| format.read.is_some())
}

/// The endings of the formats that can be written, for messages.
#[must_use]
pub fn writable() -> String {
    endings(|format| format.write.is_some())
}

fn endings(has: impl Fn(&Format) -> bool) -> String {
    let list: Vec<String> =
        FORMATS.iter().filter(|format| has(format)).flat_map(|f| f.extensions).map(|e| format!(".{e}")).collect();
    list.join(" ")
}

/// The encoding in which a target's text shall be written.
fn writable_encoding(target: &Target, format: &str) -> Result<&'static encoding_rs::Encoding, FormatError> {
    let encoding = target.encoding.unwrap_or(encoding_rs::UTF_8);
    if encoding.output_encoding() == encoding {
        return Ok(encoding);
    }
    let name = encoding.name();
    Err(FormatError::Request(format!("{format} cannot be written in {name}: use UTF-8 or GBK")))
}

/// A text in an encoding; an error names the first character that has no bytes in it.
fn encoded<'t>(text: &'t str, encoding: &'static encoding_rs::Encoding) -> Result<Cow<'t, [u8]>, String> {
    let (bytes, _, unmappable) = encoding.encode(text);
    if unmappable {
        let name = encoding.name();
        let foreign = text.chars().find(|c| encoding.encode(c.encode_utf8(&mut [0; 4])).2).unwrap_or('\u{FFFD}');
        return Err(format!("{foreign:?} cannot be written in {name}: export in UTF-8"));
    }
    Ok(bytes)
}

/// Looks through all text of features for what the target's encoding cannot hold, so that it is told before
/// the first byte is sent.
///
/// # Errors
/// [`FormatError::Unencodable`] names the feature, the column and the character.
pub fn check_encodable(
    target: &Target,
    layer: &Layer,
    features: &mut dyn Iterator<Item = FeatureRef<'_>>,
) -> Result<(), FormatError> {
    let Some(encoding) = target.encoding.filter(|named| *named != encoding_rs::UTF_8) else { return Ok(()) };
    let fields = &layer.schema.fields;
    for field in fields {
        encoded(&field.name, encoding)
            .map_err(|what| FormatError::Unencodable(format!("column {:?}: {what}", field.name)))?;
    }
    for feature in target.until_stopped(features) {
        for (field, value) in fields.iter().zip(&feature.values) {
            let ValueRef::Text(text) = value else { continue };
            encoded(text, encoding).map_err(|what| {
                FormatError::Unencodable(format!("feature {}, column {:?}: {what}", feature.id, field.name))
            })?;
        }
    }
    Ok(())
}

/// An error that names a broken file.
fn broken(path: &Path, what: impl Into<String>) -> FormatError {
    FormatError::Broken { path: path.display().to_string(), what: what.into() }
}

/// An error of the operating system about a file.
fn refused_by_system(path: &Path, source: std::io::Error) -> FormatError {
    FormatError::Io { path: path.display().to_string(), source }
}

/// An error of reading a part whose end the file should hold: cut off, or refused by the operating system.
fn short_read(path: &Path, what: &str, source: std::io::Error) -> FormatError {
    match source.kind() {
        std::io::ErrorKind::UnexpectedEof => broken(path, what),
        _ => refused_by_system(path, source),
    }
}

/// Opens a file to be read, and its length.
fn open(path: &Path) -> Result<(std::fs::File, u64), FormatError> {
    let file = std::fs::File::open(path).map_err(|error| refused_by_system(path, error))?;
    let about = file.metadata().map_err(|error| refused_by_system(path, error))?;
    if !about.is_file() {
        return Err(broken(path, "is not a file"));
    }
    Ok((file, about.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_found_by_its_ending_and_its_name() {
        let of = |path: &str| by_extension(Path::new(path)).map(|format| format.name);
        assert_eq!(of("a/地块.GeoJSON"), Some("geojson"));
        assert_eq!(of("a.tar.zip"), Some("shapefile"));
        assert_eq!(of("a.fgb"), Some("flatgeobuf"));
        assert_eq!(of("a.CSV"), Some("csv"));
        assert_eq!((of("a.dwg"), of("shp"), of("")), (None, None, None));
        assert_eq!(by_name("Shapefile").map(|format| format.name), Some("shapefile"));
        assert!(by_name("dwg").is_none());
    }

    #[test]
    fn no_ending_belongs_to_two_formats() {
        let mut endings: Vec<_> = FORMATS.iter().flat_map(|format| format.extensions).collect();
        let all = endings.len();
        endings.sort_unstable();
        endings.dedup();
        assert_eq!(endings.len(), all);
    }
}
