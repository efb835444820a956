//! The first of an import's two readings: what a file holds, before anything of it is stored.
//!
//! Memory grows with the number of distinct ids, not with the file.

use geo::Coord;
use rustc_hash::FxHashMap;

use crate::{
    domain::{layer::GeometryClass, report::Finding, schema::Schema},
    formats::{Column, Contents, FormatError, Read, Row, RowId, Source},
    ground::shape::Bounds,
};

use super::{Progress, import::note, infer::Inference};

/// So many vertices are kept to be compared with what the workspace holds.
const SAMPLES: usize = 20_000;

/// How the features of a layer get their ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbering {
    /// The file's own whole numbers.
    AsInFile,
    /// From 1, in order of rows.
    Counted,
    /// From 1; the file's own ids are kept as text in a column of that place in the schema.
    CountedWithColumn,
}

/// What a file holds.
#[derive(Debug)]
pub(super) struct Survey {
    pub(super) contents: Contents,
    pub(super) schema: Schema,
    pub(super) numbering: Numbering,
    /// The box around all finite coordinates, in the file's CRS.
    pub(super) extent: Option<Bounds>,
    pub(super) geometry: GeometryClass,
    /// Vertices from all over the file, in its CRS.
    pub(super) samples: Vec<Coord>,
    pub(super) findings: Vec<Finding>,
}

#[derive(Default)]
struct Gathered {
    inference: Inference,
    ids: Ids,
    extent: Option<Bounds>,
    /// Rows with points, lines, surfaces, and without geometry.
    classes: [u64; 4],
    samples: Vec<Coord>,
    stride: u64,
    shapes: u64,
}

#[derive(Default)]
struct Ids {
    numbers: u64,
    texts: u64,
    none: u64,
    not_positive: bool,
}

/// Reads a file once and tells what it holds.
pub(super) fn survey(read: Read, source: &Source, progress: &mut dyn FnMut(&Progress)) -> Result<Survey, FormatError> {
    let mut gathered = Gathered { stride: 1, ..Gathered::default() };
    let contents = read(source, &mut |_: &[Column], row: Row| {
        progress(&Progress { stage: "reading", done: row.number });
        gathered.observe(&row);
        Ok(())
    })?;
    let mut columns = contents.columns.clone();
    let numbering = gathered.ids.numbering();
    if numbering == Numbering::CountedWithColumn {
        columns.push(Column { name: "id".to_owned(), declared: Some(crate::domain::schema::FieldType::Text) });
    }
    let (geometry, mixed) = (gathered.class(), gathered.mixed_geometry());
    let (schema, mut findings) = gathered.inference.settle(&columns);
    findings.extend(gathered.ids.finding());
    findings.extend(mixed);
    let Gathered { extent, samples, .. } = gathered;
    Ok(Survey { contents, schema, numbering, extent, geometry, samples, findings })
}

impl Gathered {
    fn observe(&mut self, row: &Row) {
        self.inference.observe(&row.values);
        match &row.id {
            Some(RowId::Number(number)) => {
                self.ids.numbers += 1;
                self.ids.not_positive |= *number < 1;
            }
            Some(RowId::Text(_)) => self.ids.texts += 1,
            None => self.ids.none += 1,
        }
        let Some(shape) = &row.shape else {
            self.classes[3] += 1;
            return;
        };
        let view = shape.view();
        self.classes[usize::from(view.kind().dimension())] += 1;
        if let Some(bounds) = view.bounds().filter(|b| b.min.x.is_finite() && b.max.x.is_finite()) {
            self.extent = Some(self.extent.map_or(bounds, |extent| extent.union(bounds)));
        }
        self.sample(view.coords());
    }

    /// Keeps the first vertex of every so-many-th shape, thinning out as the file goes on.
    fn sample(&mut self, coords: &[Coord]) {
        self.shapes += 1;
        if self.shapes.is_multiple_of(self.stride) {
            self.samples.extend(coords.iter().take(if self.shapes < 100 { 200 } else { 1 }));
        }
        if self.samples.len() > SAMPLES {
            let mut keep = false;
            self.samples.retain(|_| {
                keep = !keep;
                keep
            });
            self.stride *= 2;
        }
    }

    fn class(&self) -> GeometryClass {
        match self.classes {
            [0, 0, 0, _] => GeometryClass::None,
            [_, 0, 0, _] => GeometryClass::Point,
            [0, _, 0, _] => GeometryClass::Line,
            [0, 0, _, _] => GeometryClass::Surface,
            _ => GeometryClass::Mixed,
        }
    }

    fn mixed_geometry(&self) -> Option<Finding> {
        let [points, lines, surfaces, none] = self.classes;
        if self.class() == GeometryClass::Mixed {
            let message = format!(
                "the file holds {points} points, {lines} lines and {surfaces} surfaces: stored in one layer of mixed \
                 geometry; areas are those of the surfaces"
            );
            return Some(note("mixed-geometry", message));
        }
        let some = points + lines + surfaces > 0;
        (some && none > 0).then(|| note("no-geometry", format!("{none} rows have no geometry: stored without")))
    }
}

impl Ids {
    fn numbering(&self) -> Numbering {
        if self.numbers > 0 && self.texts == 0 && self.none == 0 && !self.not_positive {
            Numbering::AsInFile
        } else if self.texts > 0 || self.numbers > 0 {
            Numbering::CountedWithColumn
        } else {
            Numbering::Counted
        }
    }

    fn finding(&self) -> Option<Finding> {
        (self.numbering() == Numbering::CountedWithColumn).then(|| {
            let message = "the file's ids are not all whole numbers from 1: features are numbered from 1 and the \
                           file's ids are kept in a column of their own";
            note("ids-kept-in-column", message.to_owned())
        })
    }
}

/// Ids that rows have had already, and in which row.
#[derive(Debug, Default)]
pub(super) struct SeenIds(FxHashMap<RowId, u64>);

impl SeenIds {
    /// Remembers a row's id; where another row had it before, that row.
    pub(super) fn earlier(&mut self, id: &RowId, row: u64) -> Option<u64> {
        match self.0.entry(id.clone()) {
            std::collections::hash_map::Entry::Occupied(entry) => Some(*entry.get()),
            std::collections::hash_map::Entry::Vacant(entry) => {
                entry.insert(row);
                None
            }
        }
    }
}
