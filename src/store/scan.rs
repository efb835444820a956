//! Reading rows: one after the other, without copying them, over any number of connections at once.

use std::{collections::HashMap, path::Path, sync::Arc};

use rusqlite::{Connection, Row, types::ValueRef as Raw};

use super::{
    chain::{Cells, RowDigest},
    error::StoreError,
    record,
    tables::{self, PROVEN},
    workspace::{StoredLayer, find, last_seq, open_ours, read_layers},
};
use crate::{
    domain::feature::{Feature, ValueRef},
    gpkg::{
        blob, cell, connection,
        table::{Table, quote},
    },
    ground::wkb,
};

/// A connection for reading only: of an open workspace on another thread, or of a workspace that another process
/// has open. It sees the moment at which it was opened, whatever is written meanwhile.
#[derive(Debug)]
pub struct Reader {
    pub(super) conn: Connection,
    pub(super) layers: Arc<Vec<StoredLayer>>,
    seq: i64,
    format: i64,
}

impl Reader {
    /// Opens a workspace for reading only.
    ///
    /// # Errors
    /// [`StoreError::NotAWorkspace`], [`StoreError::NewerFormat`], [`StoreError::Io`], [`StoreError::Corrupt`].
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let (conn, format) = open_ours(path, open_settled)?;
        if format < PROVEN {
            tables::show_first_as_second(&conn)?;
        }
        // The first read of the transaction fixes the moment that all further reads see.
        conn.execute_batch("BEGIN")?;
        let seq = last_seq(&conn)?;
        let layers = Arc::new(read_layers(&conn)?);
        Ok(Self { conn, layers, seq, format })
    }

    /// The format of the file: 1, which has no eras, no lineage and no proof, 2, or 3 once a check-out was brought back.
    #[must_use]
    pub const fn format(&self) -> i64 {
        self.format
    }

    /// As [`super::Workspace::id`]; an error for a file of format 1.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Io`].
    pub fn id(&self) -> Result<String, StoreError> {
        tables::id(&self.conn)
    }

    /// The sequence number of the last edit or import that this reader sees.
    #[must_use]
    pub const fn seq(&self) -> i64 {
        self.seq
    }

    /// The layers, in the order in which they came.
    #[must_use]
    pub fn layers(&self) -> &[StoredLayer] {
        &self.layers
    }

    /// The smallest and the largest id in a layer; `None` for an empty one.
    ///
    /// # Errors
    /// [`StoreError::UnknownLayer`], [`StoreError::Corrupt`], [`StoreError::Io`].
    pub fn fid_range(&self, layer: &str) -> Result<Option<(i64, i64)>, StoreError> {
        fid_range(&self.conn, find(&self.layers, layer)?)
    }

    /// The version of each feature that an edit has touched since [`StoredLayer::base`]; all others have
    /// [`StoredLayer::import_of`].
    ///
    /// # Errors
    /// [`StoreError::UnknownLayer`], [`StoreError::Corrupt`], [`StoreError::Io`].
    pub fn versions(&self, layer: &str) -> Result<HashMap<i64, i64>, StoreError> {
        versions(&self.conn, find(&self.layers, layer)?)
    }

    /// Visits the rows of a layer in order of their ids, all of them or those with ids in `range` (inclusive).
    ///
    /// # Errors
    /// [`StoreError::UnknownLayer`]; [`StoreError::Corrupt`] names the row that cannot be read; what `visit`
    /// returns.
    pub fn scan(&self, layer: &str, range: Option<(i64, i64)>, visit: &mut Visit<'_>) -> Result<(), StoreError> {
        scan(&self.conn, find(&self.layers, layer)?, range, visit)
    }
}

/// Opens a file for reading. Where a process was killed, or the power failed, while it took the file into its care
/// or gave it back, a journal is left that must be undone before anyone can read: that takes a moment of writing.
fn open_settled(path: &Path) -> rusqlite::Result<Connection> {
    let read = || connection::open_to_read(path, false);
    let look = |conn: &Connection| conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()));
    let conn = read()?;
    match look(&conn) {
        Err(error)
            if error.sqlite_error().is_some_and(|e| e.extended_code == rusqlite::ffi::SQLITE_READONLY_ROLLBACK) =>
        {
            drop(conn);
            look(&connection::open(path)?)?;
            read()
        }
        // Any other fault is told by the first look of whoever asked.
        _ => Ok(conn),
    }
}

/// The smallest and the largest id in a layer.
pub(super) fn fid_range(conn: &Connection, layer: &StoredLayer) -> Result<Option<(i64, i64)>, StoreError> {
    let table = Table::of(&layer.layer);
    let (key, name) = (quote(&table.key)?, table.quoted()?);
    // Two scalar queries: each is answered from one end of the tree, both together from all of it.
    let ends = |key: &str, name: &str| -> Result<Option<(i64, i64)>, StoreError> {
        let sql = format!("SELECT (SELECT min({key}) FROM {name}), (SELECT max({key}) FROM {name})");
        let (min, max): (Option<i64>, Option<i64>) = conn.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(min.zip(max))
    };
    let range = ends(&key, &name)?;
    if !table.shadow().is_pending(conn)? {
        return Ok(range);
    }
    // Rows that another program deleted are still recorded; ids that it gave are taken.
    let before = ends("id", &quote(&table.shadow().name())?)?;
    Ok(range.into_iter().chain(before).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))))
}

/// The largest id that a feature of a layer's present era ever had; 0 where it never had one.
pub(super) fn largest_id(conn: &Connection, layer: &StoredLayer) -> Result<i64, StoreError> {
    let present = fid_range(conn, layer)?.map_or(0, |(_, last)| last);
    // An edit may have deleted the largest.
    let sql = "SELECT max(fid) FROM mutu_change WHERE layer = ?1";
    let changed: Option<i64> = conn.prepare_cached(sql)?.query_row([layer.layer.id.as_str()], |row| row.get(0))?;
    // The engine remembers the largest of each table, also of those that an import set aside.
    let sql = "SELECT max(s.seq) FROM sqlite_sequence s JOIN mutu_era e ON e.table_name = s.name WHERE e.layer = ?1";
    let ever: Option<i64> = conn.prepare_cached(sql)?.query_row([layer.layer.id.as_str()], |row| row.get(0))?;
    Ok(present.max(changed.unwrap_or(0)).max(ever.unwrap_or(0)))
}

/// Receives rows.
pub type Visit<'v> = dyn FnMut(StoredRow<'_>) -> Result<(), StoreError> + 'v;

/// A row as it lies in the file.
#[derive(Debug, Clone, Copy)]
pub struct StoredRow<'a> {
    table: &'a Table,
    row: &'a Row<'a>,
}

impl<'a> StoredRow<'a> {
    /// A row of [`Table::select_sql`].
    pub(super) const fn new(table: &'a Table, row: &'a Row<'a>) -> Self {
        Self { table, row }
    }

    /// The feature's id.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`].
    pub fn id(&self) -> Result<i64, StoreError> {
        Ok(self.row.get(0)?)
    }

    /// The geometry as well-known binary (read it with [`crate::ground::wkb::read_wkb`]); `None` where it has none.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] names the feature whose geometry is none.
    pub fn wkb(&self) -> Result<Option<&'a [u8]>, StoreError> {
        if self.table.geometry.is_none() {
            return Ok(None);
        }
        match self.row.get_ref(1)? {
            Raw::Null => Ok(None),
            Raw::Blob(bytes) => blob::body(bytes).map(Some).map_err(|error| self.damaged("geometry", &error)),
            other => Err(self.damaged("geometry", &cell::storage_class(other))),
        }
    }

    /// The number of values: one for each column of the layer's schema.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.columns.len()
    }

    /// Whether the layer has no columns.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.columns.is_empty()
    }

    /// The value of a column, by its place in the layer's schema.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] names the cell that is not of its column's type.
    ///
    /// # Panics
    /// Where `place` is not below [`Self::len`].
    pub fn value(&self, place: usize) -> Result<ValueRef<'a>, StoreError> {
        let (name, kind) = &self.table.columns[place];
        let raw = self.row.get_ref(self.table.first_value() + place)?;
        cell::read(raw, *kind).map_err(|error| self.damaged(name, &error))
    }

    /// The row with its own storage.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] names what cannot be read.
    pub fn to_feature(&self) -> Result<Feature, StoreError> {
        let shape = self.wkb()?.map(wkb::read_wkb).transpose().map_err(|error| self.damaged("geometry", &error))?;
        let values = (0..self.len()).map(|place| Ok(self.value(place)?.to_value()));
        Ok(Feature {
            id: self.id()?,
            shape: shape.map(|read| read.shape),
            values: values.collect::<Result<_, StoreError>>()?,
        })
    }

    /// The row as the history keeps it.
    pub(super) fn to_record(self) -> Result<Vec<u8>, StoreError> {
        let geometry = self.wkb()?;
        // What the history keeps can be read.
        geometry.map(wkb::read_wkb).transpose().map_err(|error| self.damaged("geometry", &error))?;
        let values = (0..self.len()).map(|place| self.value(place)).collect::<Result<Vec<_>, _>>()?;
        Ok(record::encode(geometry, values.into_iter()))
    }

    fn damaged(&self, column: &str, error: &dyn std::fmt::Display) -> StoreError {
        let id = self.row.get::<_, i64>(0).unwrap_or_default();
        StoreError::Corrupt { what: format!("feature {id} of {}, {column}: {error}", self.table.name) }
    }
}

pub(super) fn scan(
    conn: &Connection,
    layer: &StoredLayer,
    range: Option<(i64, i64)>,
    visit: &mut Visit<'_>,
) -> Result<(), StoreError> {
    rows(conn, &Table::of(&layer.layer), range, visit)
}

/// Visits the rows of a table in order of their ids.
pub(super) fn rows(
    conn: &Connection,
    table: &Table,
    range: Option<(i64, i64)>,
    visit: &mut Visit<'_>,
) -> Result<(), StoreError> {
    let key = quote(&table.key)?;
    let sql = if table.shadow().is_pending(conn)? {
        // What other programs changed is read as it is recorded.
        table.shadow().recorded_sql()?
    } else {
        format!("{} WHERE {key} BETWEEN ?1 AND ?2 ORDER BY {key}", table.select_sql()?)
    };
    let mut statement = conn.prepare(&sql)?;
    let mut rows = statement.query(range.unwrap_or((i64::MIN, i64::MAX)))?;
    while let Some(row) = rows.next()? {
        visit(StoredRow { table, row })?;
    }
    Ok(())
}

/// Visits the rows of a table as they lie there, whatever is in them, with their ids and in order of these.
pub(super) fn raw_rows(
    conn: &Connection,
    table: &Table,
    visit: &mut dyn FnMut(i64, &Row<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut statement = conn.prepare(&format!("{} ORDER BY {}", table.select_sql()?, quote(&table.key)?))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        visit(row.get(0)?, row)?;
    }
    Ok(())
}

/// The digest of a row as it lies in a table.
pub(super) fn digest(row: &Row<'_>, table: &Table, cells: &mut Cells) -> Result<RowDigest, StoreError> {
    cells.clear();
    for place in 0..table.first_value() + table.columns.len() {
        cells.push(row.get_ref(place)?);
    }
    Ok(cells.digest())
}

/// The version of each feature that an edit has touched since the layer's base.
pub(super) fn versions(conn: &Connection, layer: &StoredLayer) -> Result<HashMap<i64, i64>, StoreError> {
    versions_between(conn, layer.layer.id.as_str(), (layer.base, i64::MAX))
}

/// The last edit, of those after the first number and up to the second, of each feature that one touched.
pub(super) fn versions_between(
    conn: &Connection,
    layer: &str,
    (after, to): (i64, i64),
) -> Result<HashMap<i64, i64>, StoreError> {
    let sql = "SELECT fid, max(seq) FROM mutu_change WHERE layer = ?1 AND seq > ?2 AND seq <= ?3 GROUP BY fid";
    let mut statement = conn.prepare(sql)?;
    let rows = statement.query_map((layer, after, to), |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
