//! What other programs did to the workspace's tables: seen, told, and put back.
//!
//! The recorded state stays what is read until a change from outside is taken in ([`Kind::Outside`]) or put back; both
//! happen in one transaction, and only where the row is still as it was judged.
//!
//! [`Kind::Outside`]: super::chain::Kind::Outside

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension, params, types::ValueRef as Raw};
use serde_json::{Map, Value as Json};

use super::{
    chain::Kind,
    error::StoreError,
    import::moment,
    own,
    scan::{Reader, StoredRow},
    workspace::{StoredLayer, Workspace, find},
};
use crate::{
    domain::{edit::Change, feature::Feature, layer::Layer, schema::LayerId},
    gpkg::{
        blob, cell, srs,
        table::{Table, quote},
    },
    ground::wkb,
};

pub use crate::gpkg::shadow::TableFault;

/// What other programs did to a layer.
#[derive(Debug, Clone)]
pub struct OutsideLayer {
    /// The layer as recorded.
    pub layer: Layer,
    /// What was done to its table as such.
    pub faults: Vec<TableFault>,
    /// The rows that differ from what is recorded, by id.
    pub rows: Vec<OutsideRow>,
    /// Rows that were written, but hold what they held before.
    pub same: Vec<i64>,
}

/// A row that another program changed.
#[derive(Debug, Clone, PartialEq)]
pub struct OutsideRow {
    /// The id.
    pub id: i64,
    /// What is recorded; `None` for a new row.
    pub before: Option<Feature>,
    /// What the table holds.
    pub after: After,
}

/// What a table holds where a row was changed by another program.
#[derive(Debug, Clone, PartialEq)]
pub enum After {
    /// The row was deleted.
    Gone,
    /// A feature.
    Feature(Feature),
    /// Something that is no feature of the layer: why, sentence by sentence.
    Unfit(Vec<String>),
}

/// A row of another program that was put back, kept to be looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct RefusedRow {
    /// When it was put back, as the standard's text.
    pub at: String,
    /// Who put it back.
    pub author: String,
    /// Why.
    pub note: String,
    /// The layer.
    pub layer: String,
    /// The row.
    pub id: i64,
    /// What the other program had written: column by column, each as an SQL literal; `None` where it had deleted the row.
    pub row: Option<Json>,
}

const REFUSED: &str = "\
CREATE TABLE mutu_refused (n INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, \"at\" DATETIME NOT NULL, author TEXT NOT NULL, \
 note TEXT NOT NULL, layer TEXT NOT NULL, fid INTEGER NOT NULL, after TEXT);
INSERT INTO gpkg_extensions (table_name, column_name, extension_name, definition, scope) VALUES \
 ('mutu_refused', NULL, 'mutu_workspace', 'Changes of other programs that were put back', 'write-only');
";

impl Reader {
    /// What other programs did and nobody has settled, for layers to which something was done.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Io`].
    pub fn outside(&self) -> Result<Vec<OutsideLayer>, StoreError> {
        let mut found = Vec::new();
        for stored in self.layers.iter() {
            found.extend(outside_of(&self.conn, stored)?);
        }
        Ok(found)
    }

    /// What other programs did to a layer's table as such.
    ///
    /// # Errors
    /// [`StoreError::UnknownLayer`], [`StoreError::Corrupt`], [`StoreError::Io`].
    pub fn table_faults(&self, layer: &str) -> Result<Vec<TableFault>, StoreError> {
        let table = Table::of(&find(&self.layers, layer)?.layer);
        Ok(table.shadow().faults(&self.conn)?)
    }

    /// The newest `count` rows that were put back, newest first.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Io`].
    pub fn refused(&self, count: usize) -> Result<Vec<RefusedRow>, StoreError> {
        if !crate::gpkg::table::is_plain_table(&self.conn, "mutu_refused")? {
            return Ok(Vec::new());
        }
        let sql = "SELECT \"at\", author, note, layer, fid, after FROM mutu_refused ORDER BY n DESC LIMIT ?1";
        let mut statement = self.conn.prepare(sql)?;
        let mut rows = statement.query([count as i64])?;
        let mut refused = Vec::new();
        while let Some(row) = rows.next()? {
            let text: Option<String> = row.get(5)?;
            let (at, author, note, layer, id) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?);
            let row = text.map(|text| serde_json::from_str(&text).unwrap_or(Json::String(text)));
            refused.push(RefusedRow { at, author, note, layer, id, row });
        }
        Ok(refused)
    }
}

impl Workspace {
    /// What other programs did to the table of a layer as such.
    ///
    /// # Errors
    /// [`StoreError::UnknownLayer`], [`StoreError::Corrupt`], [`StoreError::Io`].
    pub fn table_faults(&self, layer: &str) -> Result<Vec<TableFault>, StoreError> {
        let table = Table::of(&find(&self.layers, layer)?.layer);
        Ok(table.shadow().faults(&self.conn)?)
    }

    /// Puts rows back as they are recorded, keeps what the other program had written to be looked at, and gives columns
    /// that were renamed their names again. `rows`: only these of a layer; all where `None`. Tells how many rows were put
    /// back.
    ///
    /// # Errors
    /// [`StoreError::UnknownLayer`]; [`StoreError::Tampered`] where the table itself cannot be put right;
    /// [`StoreError::Busy`], [`StoreError::DiskFull`], [`StoreError::Io`].
    pub fn put_back(
        &mut self,
        layer: &LayerId,
        rows: Option<&[i64]>,
        (author, note, at): (&str, &str, i64),
    ) -> Result<u64, StoreError> {
        let stored = find(&self.layers, layer.as_str())?;
        let at = moment(&stored.layer, at)?;
        let table = Table::of(&stored.layer);
        own::transaction(&self.conn, |conn| {
            rename_back(conn, &table)?;
            stop_at_faults(conn, &stored.layer)?;
            let ids = table.shadow().ids(conn)?;
            let mut count = 0;
            for (id, _) in ids.iter().filter(|(id, _)| rows.is_none_or(|rows| rows.contains(id))) {
                let row = raw_row(conn, &table, *id)?;
                let is_same = row_of(conn, &table, *id)?.is_none();
                table.shadow().put_back(conn, *id)?;
                if !is_same {
                    keep_refused(conn, (&at, author, note), (layer, *id, row.as_ref()))?;
                    count += 1;
                }
            }
            table.note_change(conn, &at, None)?;
            Ok(count)
        })
    }

    /// Gives rows that say what they said before their very bytes again: the record proves these.
    ///
    /// # Errors
    /// [`StoreError::UnknownLayer`], [`StoreError::Busy`], [`StoreError::Io`].
    pub fn forget_same(&mut self, layer: &LayerId, rows: &[i64]) -> Result<(), StoreError> {
        let table = Table::of(&find(&self.layers, layer.as_str())?.layer);
        own::transaction(&self.conn, |conn| {
            for id in rows {
                if row_of(conn, &table, *id)?.is_none() {
                    table.shadow().put_back(conn, *id)?;
                }
            }
            Ok(())
        })
    }

    /// Makes the shadow of each layer that has none yet.
    pub(super) fn arm(&mut self) -> Result<(), StoreError> {
        let mut bare = Vec::new();
        for stored in self.layers.iter() {
            let table = Table::of(&stored.layer);
            if !table.shadow().exists(&self.conn)?
                && table.shadow().faults(&self.conn)?.iter().all(TableFault::is_bearable)
            {
                bare.push(table);
            }
        }
        if bare.is_empty() {
            return Ok(());
        }
        own::transaction(&self.conn, |conn| bare.iter().try_for_each(|table| Ok(table.shadow().arm(conn)?)))
    }
}

/// Watches a workspace for what other programs write, without holding a lock on it.
#[derive(Debug)]
pub struct Lookout {
    conn: Connection,
    path: std::path::PathBuf,
    seen: Option<(i64, i64)>,
    inode: Option<u64>,
}

/// What a look at the workspace told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// Nobody has written since the last look.
    Still,
    /// Somebody has written; nothing of another program waits.
    Written,
    /// Something that another program did waits to be settled.
    Waiting,
    /// Another file lies in the workspace's place.
    Displaced,
}

impl Lookout {
    /// Begins to watch.
    ///
    /// # Errors
    /// [`StoreError::NotAWorkspace`], [`StoreError::Io`].
    pub fn new(path: &std::path::Path) -> Result<Self, StoreError> {
        let (conn, _) = super::workspace::open_ours(path, |path| crate::gpkg::connection::open_to_read(path, false))?;
        conn.busy_timeout(std::time::Duration::from_millis(200))?;
        Ok(Self { conn, path: path.to_owned(), seen: None, inode: inode_of(path) })
    }

    /// Looks. The first look always tells what waits.
    ///
    /// # Errors
    /// [`StoreError::Busy`], [`StoreError::Corrupt`], [`StoreError::Io`].
    pub fn look(&mut self) -> Result<Sight, StoreError> {
        if self.inode != inode_of(&self.path) {
            return Ok(Sight::Displaced);
        }
        let number = |pragma: &str| self.conn.query_row(pragma, [], |row| row.get::<_, i64>(0));
        let now = (number("PRAGMA data_version")?, number("PRAGMA schema_version")?);
        if self.seen == Some(now) {
            return Ok(Sight::Still);
        }
        let schema_changed = self.seen.is_none_or(|(_, schema)| schema != now.1);
        let mut waiting = false;
        for stored in super::workspace::read_layers(&self.conn)? {
            let table = Table::of(&stored.layer);
            waiting |= table.shadow().is_pending(&self.conn)?;
            waiting |= schema_changed && !table.shadow().faults(&self.conn)?.is_empty();
        }
        self.seen = Some(now);
        Ok(if waiting { Sight::Waiting } else { Sight::Written })
    }

    /// Makes the next look tell what waits, whether or not somebody writes until then.
    pub const fn forget(&mut self) {
        self.seen = None;
    }
}

#[cfg(unix)]
fn inode_of(path: &std::path::Path) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).ok().map(|metadata| metadata.ino())
}

#[cfg(not(unix))]
fn inode_of(path: &std::path::Path) -> Option<u64> {
    std::fs::metadata(path).ok().map(|_| 0)
}

/// Refuses to go on with a layer whose table is not the one that is recorded.
pub(super) fn stop_at_faults(conn: &Connection, layer: &Layer) -> Result<(), StoreError> {
    let faults = Table::of(layer).shadow().faults(conn)?;
    match faults.iter().find(|fault| !fault.is_bearable()) {
        Some(fault) => Err(StoreError::Tampered { layer: layer.id.clone(), what: fault.to_string() }),
        None => Ok(()),
    }
}

/// Looks at the tables that an edit touches, where the schema changed since all were found sound.
pub(super) fn check_schema<'e>(
    conn: &Connection,
    (layers, sound_at): (&[StoredLayer], &mut Option<i64>),
    touched: impl Iterator<Item = &'e LayerId>,
) -> Result<(), StoreError> {
    let schema = conn.query_row("PRAGMA schema_version", [], |row| row.get(0))?;
    if *sound_at == Some(schema) {
        return Ok(());
    }
    let touched: HashSet<&str> = touched.map(LayerId::as_str).collect();
    let mut all_sound = true;
    for stored in layers {
        let sound = stop_at_faults(conn, &stored.layer);
        all_sound &= sound.is_ok();
        if touched.contains(stored.layer.id.as_str()) {
            sound?;
        }
    }
    *sound_at = all_sound.then_some(schema);
    Ok(())
}

/// Whether a row stands in the table, where another program put it there or took it away and that is taken in now; `None`
/// where no other program touched it. `held`: one did.
pub(super) fn stands(
    conn: &Connection,
    table: &Table,
    (kind, held): (Kind, bool),
    change: &Change,
) -> Result<Option<bool>, StoreError> {
    let (layer, id) = match change {
        Change::Put { layer, feature, .. } => (layer, feature.id),
        Change::Delete { layer, id, .. } => (layer, *id),
    };
    match (kind, held) {
        (Kind::Outside, true) => {}
        (Kind::Outside, false) => return Err(StoreError::ChangedAgain { layer: layer.clone(), id }),
        (_, true) => return Err(StoreError::Pending { layer: layer.clone(), id }),
        (_, false) => return Ok(None),
    }
    match (change, found(conn, table, id)?) {
        (Change::Put { feature, .. }, After::Feature(found)) if *feature == found => Ok(Some(true)),
        (Change::Delete { .. }, After::Gone) => Ok(Some(false)),
        _ => Err(StoreError::ChangedAgain { layer: layer.clone(), id }),
    }
}

/// A feature that another program changed, as it is recorded.
fn recorded(conn: &Connection, table: &Table, id: i64) -> Result<Option<Feature>, StoreError> {
    let mut statement = conn.prepare_cached(&table.shadow().image_sql()?)?;
    let mut rows = statement.query([id])?;
    rows.next()?.map(|row| StoredRow::new(table, row).to_feature()).transpose()
}

/// What a table holds in the place of a row.
fn found(conn: &Connection, table: &Table, id: i64) -> Result<After, StoreError> {
    let sql = format!("{} WHERE {} = ?1", table.select_sql()?, quote(&table.key)?);
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query([id])?;
    let Some(row) = rows.next()? else { return Ok(After::Gone) };
    let mut whats = Vec::new();
    if id < 1 {
        whats.push(format!("the id is {id}: ids are 1 or more"));
    }
    let mut shape = None;
    if table.geometry.is_some() {
        match shape_of(row.get_ref(1)?) {
            Ok(read) => shape = read,
            Err(what) => whats.push(what),
        }
    }
    let mut values = Vec::with_capacity(table.columns.len());
    for (place, (name, kind)) in table.columns.iter().enumerate() {
        match cell::read(row.get_ref(table.first_value() + place)?, *kind) {
            Ok(value) => values.push(value.to_value()),
            Err(error) => whats.push(format!("column {name:?}: {error}")),
        }
    }
    Ok(if whats.is_empty() { After::Feature(Feature { id, shape, values }) } else { After::Unfit(whats) })
}

fn shape_of(raw: Raw<'_>) -> Result<Option<crate::ground::shape::Shape>, String> {
    let bytes = match raw {
        Raw::Null => return Ok(None),
        Raw::Blob(bytes) => bytes,
        other => return Err(format!("the geometry is {}, not a geometry", cell::storage_class(other))),
    };
    let parts = blob::parts(bytes).map_err(|error| format!("the geometry cannot be read: {error}"))?;
    if parts.srs_id != srs::STORED {
        return Err(format!(
            "the geometry says that it is in the reference system {} of the file, its layer is in {}",
            parts.srs_id,
            srs::STORED
        ));
    }
    let read = wkb::read_wkb(parts.body).map_err(|error| format!("the geometry cannot be read: {error}"))?;
    if read.dropped_z {
        return Err("the geometry has heights or measures, which the layer does not hold: write it without".to_owned());
    }
    Ok(Some(read.shape))
}

fn outside_of(conn: &Connection, stored: &StoredLayer) -> Result<Option<OutsideLayer>, StoreError> {
    let table = Table::of(&stored.layer);
    let shadow = table.shadow();
    let faults = shadow.faults(conn)?;
    let (mut rows, mut same) = (Vec::new(), Vec::new());
    if faults.iter().all(TableFault::is_bearable) {
        for (id, _) in shadow.ids(conn)? {
            match row_of(conn, &table, id)? {
                Some(row) => rows.push(row),
                None => same.push(id),
            }
        }
    }
    let nothing = faults.is_empty() && rows.is_empty() && same.is_empty();
    Ok((!nothing).then(|| OutsideLayer { layer: stored.layer.clone(), faults, rows, same }))
}

/// Whether a row in the shadow says something else than the table.
pub(super) fn is_changed(conn: &Connection, table: &Table, id: i64) -> Result<bool, StoreError> {
    Ok(row_of(conn, table, id)?.is_some())
}

/// What became of a row in the shadow; `None` where it says what it said before.
fn row_of(conn: &Connection, table: &Table, id: i64) -> Result<Option<OutsideRow>, StoreError> {
    let before = recorded(conn, table, id)?;
    let after = found(conn, table, id)?;
    let is_same = match (&before, &after) {
        (None, After::Gone) => true,
        (Some(before), After::Feature(after)) => before == after,
        _ => false,
    };
    Ok((!is_same).then_some(OutsideRow { id, before, after }))
}

/// All cells of a row as SQL literals, by column, also of columns that the layer does not have.
fn raw_row(conn: &Connection, table: &Table, id: i64) -> Result<Option<Json>, StoreError> {
    let sql = format!("SELECT * FROM {} WHERE {} = ?1", table.quoted()?, quote(&table.key)?);
    let mut statement = conn.prepare(&sql)?;
    let names: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
    let row = statement.query_row([id], |row| {
        let cells = names.iter().enumerate().map(|(place, name)| Ok((name.clone(), literal(row.get_ref(place)?))));
        cells.collect::<rusqlite::Result<Map<String, Json>>>()
    });
    Ok(row.optional()?.map(Json::Object))
}

fn literal(raw: Raw<'_>) -> Json {
    Json::String(match raw {
        Raw::Null => "NULL".to_owned(),
        Raw::Integer(v) => v.to_string(),
        Raw::Real(v) => format!("{v:?}"),
        Raw::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => format!("'{}'", text.replace('\'', "''")),
            Err(_) => format!("CAST(X'{}' AS TEXT)", hex(bytes)),
        },
        Raw::Blob(bytes) => format!("X'{}'", hex(bytes)),
    })
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02X}");
        text
    })
}

fn keep_refused(
    conn: &Connection,
    (at, author, note): (&str, &str, &str),
    (layer, id, row): (&LayerId, i64, Option<&Json>),
) -> Result<(), StoreError> {
    if !crate::gpkg::table::is_plain_table(conn, "mutu_refused")? {
        conn.execute_batch(REFUSED)?;
    }
    let sql = "INSERT INTO mutu_refused (\"at\", author, note, layer, fid, after) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    conn.prepare_cached(sql)?.execute(params![at, author, note, layer.as_str(), id, row.map(Json::to_string)])?;
    Ok(())
}

fn rename_back(conn: &Connection, table: &Table) -> Result<(), StoreError> {
    for fault in table.shadow().faults(conn)? {
        if let TableFault::ColumnRenamed { from, to } = fault {
            let sql = format!("ALTER TABLE {} RENAME COLUMN {} TO {}", table.quoted()?, quote(&to)?, quote(&from)?);
            conn.execute_batch(&sql)?;
        }
    }
    Ok(())
}
