//! Importing in bulk: one transaction, all rows or none.
//!
//! The R-tree is filled after the rows, then its triggers are created: ten times as fast as live triggers.

use rusqlite::{
    Connection, ErrorCode, OptionalExtension, Statement, ToSql, params,
    types::{ToSqlOutput, ValueRef as Raw},
};

use super::{
    chain::{self, Cells, Head, RowDigest},
    era,
    error::StoreError,
    own, scan,
    workspace::{StoredLayer, Workspace, empty_log, find, last_seq, read_layers},
};
use crate::{
    domain::{feature::ValueRef, layer::Layer},
    gpkg::{
        blob,
        cell::{self, Cell},
        srs,
        table::{Entry, Kinds, Table, quote},
    },
    ground::shape::{Bounds, ShapeRef},
};

/// Rows stay in this much memory (in KiB, negative by the engine's convention) while an import runs.
pub(super) const CACHE_WHILE_IMPORTING: i64 = -131_072;
pub(super) const CACHE_OTHERWISE: i64 = -32_768;

/// What becomes of the layer's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// The layer is new.
    Create,
    /// The layer exists with the same columns and keeps its rows.
    Append,
    /// The layer's rows and columns, if it exists, give way to the new ones.
    Replace,
}

/// Who imports what, for the history.
#[derive(Debug, Clone, Copy)]
pub struct Note<'a> {
    /// Who.
    pub author: &'a str,
    /// What and why: the file's name, at least.
    pub note: &'a str,
    /// When, in milliseconds since 1970-01-01T00:00:00Z.
    pub at: i64,
}

/// An import under way. Dropping it undoes it.
#[derive(Debug)]
pub struct Import<'w> {
    conn: &'w Connection,
    layers: &'w mut std::sync::Arc<Vec<StoredLayer>>,
    sidecar: &'w mut super::sidecar::Sidecar,
    layer: Layer,
    table: Table,
    how: How,
    seq: i64,
    at: String,
    insert: Option<Statement<'w>>,
    declared: Kinds,
    kinds: Kinds,
    boxes: Vec<(i64, Bounds)>,
    digests: Vec<(i64, RowDigest)>,
    cells: Cells,
    /// The largest id that the layer ever had, where rows are added to it.
    floor: i64,
    author: String,
    note: String,
    extent: Option<Bounds>,
    last_id: i64,
    blob: Vec<u8>,
    done: bool,
}

impl Workspace {
    /// Begins an import. Nothing of it is seen by others before [`Import::commit`].
    ///
    /// # Errors
    /// [`StoreError::LayerExists`] for [`How::Create`], [`StoreError::UnknownLayer`] for [`How::Append`],
    /// [`StoreError::Refused`] where the columns differ or a name cannot be one, [`StoreError::Busy`],
    /// [`StoreError::DiskFull`], [`StoreError::Io`].
    pub fn begin_import(&mut self, layer: &Layer, how: How, note: Note<'_>) -> Result<Import<'_>, StoreError> {
        self.check_target(layer, how)?;
        self.check_outside(layer, how)?;
        let at = moment(layer, note.at)?;
        let Self { conn, layers, sidecar, .. } = self;
        let conn: &Connection = conn;
        let seq = last_seq(conn)? + 1;
        let what = format!("the import of {} into {} by {} of {at}", note.note, layer.id, note.author);
        sidecar.intend(seq, &what, true)?;
        let mut import = Import {
            conn,
            layers,
            sidecar,
            table: Table::of(layer),
            layer: layer.clone(),
            how,
            seq,
            at,
            insert: None,
            declared: Kinds::Unseen,
            kinds: Kinds::Unseen,
            boxes: Vec::new(),
            digests: Vec::new(),
            cells: Cells::default(),
            floor: 0,
            author: note.author.to_owned(),
            note: note.note.to_owned(),
            extent: None,
            last_id: 0,
            blob: Vec::new(),
            done: false,
        };
        import.begin()?;
        Ok(import)
    }

    /// Changes of other programs must not be lost by a replacement, nor rows added to a table that is not ours.
    fn check_outside(&self, layer: &Layer, how: How) -> Result<(), StoreError> {
        let Some(there) = self.layers.iter().find(|there| there.layer.id == layer.id) else { return Ok(()) };
        let table = Table::of(&there.layer);
        if how == How::Append {
            return super::outside::stop_at_faults(&self.conn, &there.layer);
        }
        // First the table as such: one that is gone has no rows to ask for, and gives way whatever was in it.
        if !table.shadow().faults(&self.conn)?.iter().all(crate::gpkg::shadow::TableFault::is_bearable) {
            return Ok(());
        }
        match table.shadow().ids(&self.conn)?.first() {
            Some((id, _)) => Err(StoreError::Pending { layer: layer.id.clone(), id: *id }),
            None => Ok(()),
        }
    }

    fn check_target(&self, layer: &Layer, how: How) -> Result<(), StoreError> {
        let refused = |what: &str| Err(StoreError::Refused { layer: layer.id.clone(), what: what.to_owned() });
        let names: Vec<String> = layer.schema.fields.iter().map(|field| field.name.to_ascii_lowercase()).collect();
        if let Some(place) = (1..names.len()).find(|place| names[..*place].contains(&names[*place])) {
            return refused(&format!("two columns are called {:?}", layer.schema.fields[place].name));
        }
        if let Some(name) = names.iter().find(|name| name.is_empty() || name.contains('\0')) {
            return refused(&format!("{name:?} cannot name a column"));
        }
        if names.len() > 1990 {
            return refused(&format!("{} columns, a table holds 1990 at most", names.len()));
        }
        let there = self.layers.iter().find(|there| there.layer.id.as_str().eq_ignore_ascii_case(layer.id.as_str()));
        let same_name = |there: &StoredLayer| there.layer.id == layer.id;
        match (how, there) {
            (How::Create | How::Replace, None) => Ok(()),
            (How::Replace, Some(there)) if same_name(there) => Ok(()),
            (How::Create | How::Replace, Some(there)) => {
                Err(StoreError::LayerExists { layer: layer.id.clone(), found: there.layer.id.to_string() })
            }
            (How::Append, _) => {
                let there = Table::of(&find(&self.layers, layer.id.as_str())?.layer);
                if there == Table::of(layer) {
                    return Ok(());
                }
                refused("its columns differ from those in the workspace: rows can be added only to the same columns")
            }
        }
    }
}

impl Import<'_> {
    /// The sequence number that the import will have: the version of its features.
    #[must_use]
    pub const fn seq(&self) -> i64 {
        self.seq
    }

    /// Stores a row and returns its id: `id`, or the next after the largest so far.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for an id below 1, another number of values than columns, or a value that is
    /// not of its column's type (also NaN, infinity, a year after 9999); [`StoreError::DuplicateId`];
    /// [`StoreError::DiskFull`]. After an error of the disk the import is over and has left nothing.
    #[expect(clippy::missing_panics_doc, reason = "the statement is prepared a line above its use")]
    pub fn put(
        &mut self,
        id: Option<i64>,
        shape: Option<ShapeRef<'_>>,
        values: &[ValueRef<'_>],
    ) -> Result<i64, StoreError> {
        let id = id.unwrap_or(self.last_id.saturating_add(1));
        admit(&self.layer, id, shape.is_some(), values)?;
        if id <= self.floor {
            return Err(self.below_floor(id)?);
        }
        if self.insert.is_none() {
            self.prepare(shape)?;
        }
        let bounds = shape.map(|shape| {
            self.kinds = self.kinds.with(shape.kind());
            blob::write(&mut self.blob, shape, srs::STORED)
        });
        let insert = self.insert.as_mut().expect("prepared above");
        let geometry = (self.table.geometry.is_some(), shape.map(|_| self.blob.as_slice()));
        insert.raw_bind_parameter(1, id)?;
        self.cells.clear();
        self.cells.push(Raw::Integer(id));
        bind_row(insert, 1, geometry, values, |cell| self.cells.push_bound(cell))?;
        insert.raw_execute().map_err(|error| named(error, &self.layer, id))?;
        self.digests.push((id, self.cells.digest()));
        if let Some(bounds) = bounds.flatten() {
            self.extent = Some(self.extent.map_or(bounds, |extent| extent.union(bounds)));
            self.boxes.push((id, bounds));
        }
        self.last_id = self.last_id.max(id);
        Ok(id)
    }

    /// Makes the import durable and returns its sequence number. `report` is kept with it, as JSON.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`], [`StoreError::Io`]: then the import has left nothing.
    pub fn commit(mut self, report: &str) -> Result<i64, StoreError> {
        if self.insert.is_none() && self.how != How::Append {
            self.create_table(Kinds::of_class(self.layer.geometry))?;
        }
        self.insert = None;
        match self.how {
            How::Append => self.extend_table()?,
            How::Create | How::Replace => self.finish_table()?,
        }
        let layers = self.record(report)?;
        own::commit(self.conn)?;
        self.done = true;
        self.sidecar.clear();
        *self.layers = std::sync::Arc::new(layers);
        // The import is in the log and acknowledged; that the log could not be emptied now loses nothing.
        let _ = empty_log(self.conn);
        Ok(self.seq)
    }

    /// Writes the import into the record; returns the layers as they are then.
    fn record(&mut self, report: &str) -> Result<Vec<StoredLayer>, StoreError> {
        let definition = serde_json::to_string(&self.layer).map_err(|error| self.refused(error.to_string()))?;
        let id = self.layer.id.as_str();
        chain::write_digests(self.conn, (self.seq, id), &mut self.digests)?;
        let how = match self.how {
            How::Create => "create",
            How::Append => "append",
            How::Replace => "replace",
        };
        // Sorted by now.
        let (first, last) = (self.digests.first().map(|row| row.0), self.digests.last().map(|row| row.0));
        self.conn.execute(
            "INSERT INTO mutu_import (seq, layer, definition, report, how, first_fid, last_fid) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![self.seq, id, definition, report, how, first, last],
        )?;
        if self.how == How::Append {
            let present = "UPDATE mutu_era SET definition = ?2 WHERE layer = ?1 AND until_seq IS NULL";
            self.conn.execute(present, params![id, definition])?;
            self.conn.execute("UPDATE mutu_layer SET definition = ?2 WHERE id = ?1", params![id, definition])?;
        } else {
            era::begin(self.conn, id, &definition, self.seq)?;
            self.conn.execute(
                "INSERT INTO mutu_layer (id, definition, base) VALUES (?1, ?2, ?3) \
                 ON CONFLICT (id) DO UPDATE SET definition = ?2, base = ?3",
                params![id, definition, self.seq],
            )?;
        }
        let head = Head {
            seq: self.seq,
            at: &self.at,
            author: &self.author,
            note: &self.note,
            kind: chain::Kind::Import.as_str(),
        };
        chain::seal(self.conn, head)?;
        read_layers(self.conn)
    }

    fn begin(&mut self) -> Result<(), StoreError> {
        self.conn.pragma_update(None, "cache_size", CACHE_WHILE_IMPORTING)?;
        own::begin(self.conn)?;
        let old = self.layers.iter().find(|there| there.layer.id == self.layer.id);
        match (self.how, old) {
            (How::Replace, Some(old)) => era::retire(self.conn, &Table::of(&old.layer), old.base)?,
            (How::Append, Some(old)) => {
                self.floor = scan::largest_id(self.conn, old)?;
                self.last_id = self.floor;
                Table::of(&old.layer).drop_triggers(self.conn)?;
                Table::of(&old.layer).shadow().disarm(self.conn)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Creates the table at its first row: its geometry column is declared with the first row's kind.
    fn prepare(&mut self, first: Option<ShapeRef<'_>>) -> Result<(), StoreError> {
        if self.how != How::Append {
            let of_class = Kinds::of_class(self.layer.geometry);
            let kinds =
                if of_class == Kinds::Several { of_class } else { first.map_or(of_class, |s| Kinds::One(s.kind())) };
            self.create_table(kinds)?;
        }
        self.insert = Some(self.conn.prepare(&self.table.insert_sql()?)?);
        Ok(())
    }

    fn create_table(&mut self, kinds: Kinds) -> Result<(), StoreError> {
        self.declared = kinds;
        Ok(self.table.create(self.conn, kinds)?)
    }

    fn finish_table(&mut self) -> Result<(), StoreError> {
        let fits = self.kinds == Kinds::Unseen || self.declared == Kinds::Several || self.kinds == self.declared;
        if !fits {
            self.declared = self.kinds;
            self.table.retype(self.conn, self.kinds)?;
        }
        let identifier = self.free_identifier()?;
        let entry = Entry {
            identifier: &identifier,
            description: &self.layer.description,
            srs_id: srs::STORED,
            kinds: self.declared,
            extent: self.extent,
            changed: &self.at,
        };
        self.table.register(self.conn, &entry)?;
        self.table.index(self.conn, &self.boxes)?;
        own::table_made(self.conn, &self.table)
    }

    fn extend_table(&mut self) -> Result<(), StoreError> {
        self.table.add_to_index(self.conn, &self.boxes)?;
        self.table.create_triggers(self.conn)?;
        own::table_made(self.conn, &self.table)?;
        self.table.widen(self.conn, self.kinds)?;
        Ok(self.table.note_change(self.conn, &self.at, self.extent)?)
    }

    /// The layer's title, or title and id where another table has that title: the standard wants it unique.
    fn free_identifier(&self) -> Result<String, StoreError> {
        let id = self.layer.id.as_str();
        let taken = |name: &str| {
            let sql = "SELECT 1 FROM gpkg_contents WHERE identifier = ?1";
            self.conn.query_row(sql, [name], |_| Ok(())).optional().map(|found| found.is_some())
        };
        let title = self.layer.title.trim();
        Ok(match title {
            "" => id.to_owned(),
            _ if taken(title)? => format!("{title} ({id})"),
            _ => title.to_owned(),
        })
    }

    /// Why a row cannot be added with an id that is not larger than all before.
    fn below_floor(&self, id: i64) -> Result<StoreError, StoreError> {
        let sql = format!("SELECT 1 FROM {} WHERE {} = ?1", self.table.quoted()?, quote(&self.table.key)?);
        if self.conn.query_row(&sql, [id], |_| Ok(())).optional()?.is_some() {
            return Ok(StoreError::DuplicateId { layer: self.layer.id.clone(), id });
        }
        let what = format!("feature {id}: rows that are added have ids after {}, the largest so far", self.floor);
        Ok(self.refused(what))
    }

    fn refused(&self, what: String) -> StoreError {
        StoreError::Refused { layer: self.layer.id.clone(), what }
    }
}

impl Drop for Import<'_> {
    fn drop(&mut self) {
        self.insert = None;
        if !self.done {
            // After an error of the disk the engine may have undone the transaction by itself.
            if !self.conn.is_autocommit() {
                let _ = self.conn.execute_batch("ROLLBACK");
            }
            self.sidecar.clear();
        }
        let _ = self.conn.pragma_update(None, "cache_size", CACHE_OTHERWISE);
        let _ = self.conn.release_memory();
    }
}

/// The moment of an import or edit as the standard's text.
pub(super) fn moment(layer: &Layer, at: i64) -> Result<String, StoreError> {
    cell::moment_text(at).map_err(|error| StoreError::Refused { layer: layer.id.clone(), what: error.to_string() })
}

/// Whether a row may stand in a layer's table.
pub(super) fn admit(layer: &Layer, id: i64, has_shape: bool, values: &[ValueRef<'_>]) -> Result<(), StoreError> {
    let refused = |what: String| Err(StoreError::Refused { layer: layer.id.clone(), what });
    if id < 1 {
        return refused(format!("feature {id}: ids are 1 or more"));
    }
    if has_shape && layer.geometry == crate::domain::layer::GeometryClass::None {
        return refused(format!("feature {id}: a geometry in a layer without geometry"));
    }
    let fields = &layer.schema.fields;
    if values.len() != fields.len() {
        return refused(format!("feature {id}: {} values for {} columns", values.len(), fields.len()));
    }
    for (field, value) in fields.iter().zip(values) {
        if let Err(error) = cell::admit(*value, field.kind) {
            return refused(format!("feature {id}, column {:?}: {error}", field.name));
        }
    }
    Ok(())
}

/// Binds geometry and values in the table's order after `before` other parameters; `seen` looks at each cell.
pub(super) fn bind_row(
    statement: &mut Statement<'_>,
    before: usize,
    (has_column, geometry): (bool, Option<&[u8]>),
    values: &[ValueRef<'_>],
    mut seen: impl FnMut(&ToSqlOutput<'_>),
) -> Result<(), StoreError> {
    let mut place = before;
    if has_column {
        place += 1;
        let cell = ToSqlOutput::Borrowed(geometry.map_or(Raw::Null, Raw::Blob));
        seen(&cell);
        statement.raw_bind_parameter(place, cell)?;
    }
    for value in values {
        place += 1;
        let cell = Cell(*value);
        let cell = cell.to_sql()?;
        seen(&cell);
        statement.raw_bind_parameter(place, cell)?;
    }
    Ok(())
}

/// An error of a row's statement: a second row of one id is named.
pub(super) fn named(error: rusqlite::Error, layer: &Layer, id: i64) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => StoreError::DuplicateId { layer: layer.id.clone(), id },
        Some(ErrorCode::TooBig) => StoreError::Refused {
            layer: layer.id.clone(),
            what: format!("feature {id} is larger than a row can be (512 MiB)"),
        },
        _ => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{
            layer::{GeometryClass, Provenance},
            schema::{Field, FieldType, Schema},
        },
        ground::shape::Shape,
    };

    #[test]
    fn a_full_database_at_any_page_of_an_import_leaves_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let mut workspace = Workspace::create(&dir.path().join("w.gpkg")).unwrap();
        let layer = Layer {
            id: "地块".parse().unwrap(),
            title: "地块".to_owned(),
            title_en: String::new(),
            description: String::new(),
            geometry: GeometryClass::Point,
            schema: Schema { fields: vec![Field::new("名称", FieldType::Text)] },
            grid: "EPSG:4547".to_owned(),
            surveyed_in_grid: false,
            provenance: Provenance::Imported,
            rules: crate::domain::rule::Rules::default(),
        };
        let note = Note { author: "李工", note: "点.csv", at: 0 };
        let text = "名".repeat(500);
        let point = Shape::point(geo::Coord { x: 113.0, y: 22.7 });
        let pages: i64 = workspace.conn.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        let import_100 = |workspace: &mut Workspace| -> Result<i64, StoreError> {
            let mut import = workspace.begin_import(&layer, How::Replace, note)?;
            for _ in 0..100 {
                import.put(None, Some(point.view()), &[ValueRef::Text(&text)])?;
            }
            import.commit("{}")
        };
        let mut refused = 0;
        for room in 0.. {
            workspace.conn.pragma_update(None, "max_page_count", pages + room).unwrap();
            match import_100(&mut workspace) {
                Ok(seq) => {
                    assert_eq!(seq, 1);
                    break;
                }
                Err(error) => assert!(matches!(error, StoreError::DiskFull), "{error:?}"),
            }
            refused += 1;
            assert_eq!((workspace.seq().unwrap(), workspace.layers().len()), (0, 0));
            assert_eq!(workspace.check().unwrap(), []);
        }
        assert!(refused > 40, "{refused}");
        assert_eq!(workspace.check().unwrap(), []);
    }
}
