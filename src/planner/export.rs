//! Export: features of one picture of a layer become a file or a stream of bytes, in constant memory.
//!
//! The command line and the API come through [`Export`], so the same writers serve both. An export holds the
//! layer as it was when it began: edits meanwhile neither wait for it nor show in it. Features come in the order of
//! their ids; another order costs eight bytes for each feature.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    catalog::{Catalog, LayerState},
    domain::{
        feature::{FeatureRef, ValueRef},
        layer::{Layer, Provenance},
        schema::{Derived, Field, FieldType},
    },
    engine::{
        filter::Selection,
        sort::Order,
        table::{Row, Table},
    },
    formats::{self, Format, Stop, Target, Written},
    ground::crs::Crs,
    store::StoreError,
};

use super::{
    Planner, PlannerError,
    ask::{AskError, Which, select},
};

/// Features that are brought near the processor together: rows lie in the order of space, and are written in that of ids.
/// As many as a cache of the second level holds.
const READ_AHEAD: usize = 1024;
/// Said in every file of features that are made up.
const SYNTHETIC: &str = "【合成示例数据，不得作为依据】[SYNTHETIC: made up for demonstration]";

/// How an export shall look, beside its format.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExportOptions<'a> {
    /// The CRS; the stored one where not given.
    pub crs: Option<&'a str>,
    /// The encoding of text, where the format has a choice.
    pub encoding: Option<&'a str>,
    /// Whether the derived areas are columns.
    pub with_areas: bool,
    /// GeoJSON: coordinates in the order that the CRS declares, as answers of the API have them; else east first.
    pub axes_as_declared: bool,
    /// CSV: text exactly as it is, rather than for a spreadsheet.
    pub exact_text: bool,
    /// The first so many features only.
    pub limit: Option<usize>,
    /// The order of the features, as `name,-name`; that of their ids where not given.
    pub sort_by: Option<&'a str>,
    /// Only these properties, stored or derived, separated by commas; then `with_areas` has no say.
    pub properties: Option<&'a str>,
}

/// What the command line wants written.
#[derive(Debug, Clone)]
pub struct ExportRequest<'a> {
    /// The layer.
    pub layer: String,
    /// The file; its ending names the format.
    pub out: PathBuf,
    /// Which features.
    pub which: Which<'a>,
    /// How.
    pub options: ExportOptions<'a>,
}

impl Planner {
    /// Writes features of a layer to a file.
    ///
    /// # Errors
    /// [`PlannerError`] where the layer, the format, the CRS or a property is unknown, or the file cannot be
    /// written; there is no file then.
    pub fn export(&self, request: &ExportRequest<'_>) -> Result<Written, PlannerError> {
        self.export_at(&self.read(), request)
    }

    /// As [`Planner::export`], of a picture of any moment.
    ///
    /// # Errors
    /// As [`Planner::export`].
    pub fn export_at(&self, catalog: &Catalog, request: &ExportRequest<'_>) -> Result<Written, PlannerError> {
        let state = self.layer(catalog, &request.layer)?;
        let format = formats::by_extension(&request.out).filter(|format| format.write.is_some()).ok_or_else(|| {
            PlannerError::UnknownFormat(format!(
                "{}: the ending names no format that can be written; there are {}",
                request.out.display(),
                formats::writable()
            ))
        })?;
        let selection = select(&state, &request.which)?;
        Export::new((state, selection), format, &request.options)?.to_path(&request.out)
    }

    /// The layer of an id.
    pub(super) fn layer(&self, catalog: &Catalog, id: &str) -> Result<Arc<LayerState>, PlannerError> {
        catalog.layer(id).cloned().ok_or_else(|| {
            if let Some((layer, what)) = self.left_out.load().iter().find(|(layer, _)| layer.as_str() == id) {
                return StoreError::Tampered { layer: layer.clone(), what: what.clone() }.into();
            }
            let known: Vec<&str> = catalog.layers().map(|state| state.layer().id.as_str()).collect();
            PlannerError::UnknownLayer { given: id.to_owned(), known: known.join(", ") }
        })
    }
}

/// Features of one picture of a layer, about to be written in a format.
#[derive(Debug)]
pub struct Export {
    state: Arc<LayerState>,
    /// All features where there is none.
    selection: Option<Selection>,
    format: &'static Format,
    /// The layer as the file shall have it: with the columns that are wanted.
    layer: Layer,
    /// What its columns hold; none where they are the stored ones.
    columns: Option<Vec<Column>>,
    order: Order,
    target: Target,
    limit: usize,
}

impl Export {
    /// Prepares an export of some features of a layer, all where there is no selection.
    ///
    /// # Errors
    /// [`AskError`] names the option that makes no sense.
    pub fn new(
        (state, selection): (Arc<LayerState>, Option<Selection>),
        format: &'static Format,
        options: &ExportOptions<'_>,
    ) -> Result<Self, AskError> {
        let crs = match options.crs {
            Some(given) => given.parse().map_err(|error| AskError::new("crs", error))?,
            None if options.axes_as_declared => "OGC:CRS84".parse().map_err(|error| AskError::new("crs", error))?,
            None => Crs::stored(),
        };
        let encoding = options.encoding.map(super::import::encoding_named).transpose();
        let encoding = encoding.map_err(|error| AskError::new("encoding", error))?;
        let order = options.sort_by.map(|text| Order::parse(text, state.layer())).transpose();
        let order = order.map_err(|error| AskError::new("sortby", error))?.unwrap_or_default();
        if !order.is_by_id() && !keeps_order(format) {
            let detail = format!("{} holds features in an order of its own; leave it out", format.name);
            return Err(AskError::new("sortby", detail));
        }
        let columns = columns_of(state.layer(), options)?;
        let mut layer = state.layer().clone();
        if let Some(columns) = &columns {
            layer.schema.fields = columns.iter().map(|column| column.field(state.layer())).collect();
        }
        if layer.provenance == Provenance::Synthetic {
            // GeoPackage and FlatGeobuf have a place for it.
            layer.description = format!("{SYNTHETIC} {}", layer.description).trim_end().to_owned();
        }
        let name = file_name(&layer, format);
        let target = Target {
            encoding,
            axes_as_declared: options.axes_as_declared,
            exact_text: options.exact_text,
            ..Target::new(PathBuf::from(name), crs)
        };
        let limit = options.limit.unwrap_or(usize::MAX);
        Ok(Self { state, selection, format, layer, columns, order, target, limit })
    }

    /// How many features the selection has.
    #[must_use]
    pub fn matched(&self) -> usize {
        self.selection.as_ref().map_or(self.state.table().len(), Selection::len)
    }

    /// How many of them are written.
    #[must_use]
    pub fn returned(&self) -> usize {
        self.matched().min(self.limit)
    }

    /// The format.
    #[must_use]
    pub const fn format(&self) -> &'static Format {
        self.format
    }

    /// The CRS of the coordinates.
    #[must_use]
    pub const fn crs(&self) -> &Crs {
        &self.target.crs
    }

    /// The encoding of its text, by the name that the Encoding Standard gives it.
    #[must_use]
    pub fn encoding(&self) -> &'static str {
        self.target.encoding.map_or("UTF-8", |encoding| encoding.name())
    }

    /// What to call the file: the layer, and `_synthetic` where its features are made up.
    #[must_use]
    pub fn file_name(&self) -> String {
        self.target.path.to_string_lossy().into_owned()
    }

    /// What stops it: soon after it is asked, [`Self::stream`] and [`Self::to_passing_file`] return.
    #[must_use]
    pub fn stop(&self) -> Stop {
        self.target.stop.clone()
    }

    /// What the format cannot hold, as far as it is known before the first feature; `None` for a format that
    /// needs a file.
    #[must_use]
    pub fn losses_foreseen(&self) -> Option<Vec<String>> {
        self.format.stream.map(|streaming| (streaming.losses)(&self.target, &self.layer))
    }

    /// Looks for text that the encoding cannot hold, before the first byte is sent.
    ///
    /// # Errors
    /// [`PlannerError::Format`] names the feature, the column and the character.
    pub fn check(&self) -> Result<(), PlannerError> {
        self.done(formats::check_encodable(&self.target, &self.layer, &mut self.features()))
    }

    /// Writes the features from front to back, where the format can be written so.
    ///
    /// # Errors
    /// [`PlannerError::Stopped`] where it was asked to stop, else what went wrong: what was written is then not
    /// complete.
    pub fn stream(&self, out: &mut dyn Write) -> Result<Written, PlannerError> {
        let streaming = self.format.stream.ok_or_else(|| self.cannot("streamed"))?;
        self.done((streaming.write)(out, &self.target, &self.layer, &mut self.features()))
    }

    /// Writes a file that is gone when it is dropped. It lies in the system's folder for temporary files.
    ///
    /// # Errors
    /// As [`Self::stream`]; there is no file then.
    pub fn to_passing_file(&self) -> Result<(Passing, Written), PlannerError> {
        let folder = tempfile::Builder::new().prefix("mutu-export-").tempdir();
        let refused = |source| formats::FormatError::Io { path: std::env::temp_dir().display().to_string(), source };
        let folder = folder.map_err(refused)?;
        let path = folder.path().join(&self.target.path);
        let target = Target { path: path.clone(), passing: true, ..self.target.clone() };
        let written = self.write(&target)?;
        let file = File::open(path).map_err(refused)?;
        let length = file.metadata().map_err(refused)?.len();
        // Where the system permits, nothing is left of it even if the process is killed while it is read.
        let folder = if cfg!(unix) { folder.close().map_err(refused).map(|()| None)? } else { Some(folder) };
        Ok((Passing { file, length, _folder: folder }, written))
    }

    /// Writes a file of the user's: complete, or absent after an error.
    ///
    /// # Errors
    /// As [`Self::stream`].
    pub fn to_path(&self, path: &Path) -> Result<Written, PlannerError> {
        self.write(&Target { path: path.to_owned(), ..self.target.clone() })
    }

    fn write(&self, target: &Target) -> Result<Written, PlannerError> {
        let write = self.format.write.ok_or_else(|| self.cannot("written"))?;
        self.done(write(target, &self.layer, &mut self.features()))
    }

    fn cannot(&self, what: &str) -> PlannerError {
        PlannerError::UnknownFormat(format!("{} cannot be {what}", self.format.name))
    }

    /// What a writer says, unless it was asked to stop: then it may have taken the last feature it got for the last.
    fn done<T>(&self, outcome: Result<T, formats::FormatError>) -> Result<T, PlannerError> {
        if self.target.stop.is_asked() { Err(PlannerError::Stopped) } else { Ok(outcome?) }
    }

    fn features(&self) -> impl Iterator<Item = FeatureRef<'_>> {
        let table = self.state.table();
        let wanted = |row: &Row| self.selection.as_ref().is_none_or(|selection| selection.contains(*row));
        let mut rows: Box<dyn Iterator<Item = Row> + '_> = if self.order.is_by_id() {
            Box::new(table.rows_by_id(i64::MIN).filter(wanted).take(self.limit))
        } else {
            Box::new(self.order.first(table, self.selection.as_ref(), None, self.limit).into_iter())
        };
        let chunks = std::iter::from_fn(move || {
            let chunk: Vec<Row> = rows.by_ref().take(READ_AHEAD).collect();
            table.read_ahead(&chunk);
            (!chunk.is_empty()).then_some(chunk)
        });
        chunks.flatten().map(move |row| {
            let mut feature = table.feature(row);
            if let Some(columns) = &self.columns {
                feature.values = columns.iter().map(|column| column.value(table, row)).collect();
            }
            feature
        })
    }
}

/// A temporary file, gone when it is dropped.
#[derive(Debug)]
pub struct Passing {
    /// To be read from its beginning.
    pub file: File,
    /// Its length in bytes.
    pub length: u64,
    /// Dropped after the file.
    _folder: Option<tempfile::TempDir>,
}

/// What a column of a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Stored(usize),
    Derived(Derived),
}

impl Column {
    fn field(self, layer: &Layer) -> Field {
        match self {
            Self::Stored(place) => layer.schema.fields[place].clone(),
            Self::Derived(derived) => Field::new(derived.name(), FieldType::Real),
        }
    }

    fn value(self, table: &Table, row: Row) -> ValueRef<'_> {
        match self {
            Self::Stored(place) => table.value(row, place),
            Self::Derived(derived) => table.derived(row, derived),
        }
    }
}

/// The columns of a file: those that are named, in the order of the layer; else the stored ones, and the derived areas
/// where they are wanted. None where the stored ones are all.
fn columns_of(layer: &Layer, options: &ExportOptions<'_>) -> Result<Option<Vec<Column>>, AskError> {
    let names = options.properties.map(|text| chosen_properties(text, layer)).transpose()?;
    let is_wanted = |name: &str, usually: bool| names.as_ref().map_or(usually, |names| names.contains(&name));
    let stored = layer.schema.fields.iter().enumerate();
    let stored = stored.filter(|(_, field)| is_wanted(&field.name, true)).map(|(place, _)| Column::Stored(place));
    // A stored column goes before a derived one of its name.
    let has = |derived: &Derived| names.is_none() || layer.derived(derived.name()).is_some();
    let derived = Derived::ALL
        .into_iter()
        .filter(|derived| layer.geometry.has_areas() && has(derived) && is_wanted(derived.name(), options.with_areas));
    let columns: Vec<Column> = stored.chain(derived.map(Column::Derived)).collect();
    let all_stored = (0..layer.schema.fields.len()).map(Column::Stored);
    Ok((!all_stored.eq(columns.iter().copied())).then_some(columns))
}

/// The names in a list of properties, each of which the layer must have.
///
/// # Errors
/// [`AskError`] names the property that it does not have.
pub fn chosen_properties<'t>(text: &'t str, layer: &Layer) -> Result<Vec<&'t str>, AskError> {
    let names: Vec<&str> = text.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    let is_known = |name: &str| layer.schema.position(name).is_some() || layer.derived(name).is_some();
    match names.iter().find(|name| !is_known(name)) {
        None => Ok(names),
        Some(unknown) => {
            let known: Vec<&str> = layer.schema.fields.iter().map(|field| field.name.as_str()).collect();
            Err(AskError::new("properties", format!("the layer has no {unknown:?}; it has {}", known.join(", "))))
        }
    }
}

/// Whether a file of the format is read in the order in which it was written: a `GeoPackage` is read by ids, a `FlatGeobuf`
/// with an index by place.
fn keeps_order(format: &Format) -> bool {
    !matches!(format.name, "geopackage" | "flatgeobuf")
}

/// A layer's id cannot hold what a path could be abused for. An answer that is a shapefile is an archive of it.
fn file_name(layer: &Layer, format: &Format) -> String {
    let mark = if layer.provenance == Provenance::Synthetic { "_synthetic" } else { "" };
    let ending = if format.extensions.contains(&"zip") { "zip" } else { format.extensions[0] };
    format!("{}{mark}.{ending}", layer.id)
}
