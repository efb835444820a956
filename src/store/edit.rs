//! Committing edits: versions are compared, rows changed and the history written in one transaction.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension, params};

use super::{
    chain::{self, Hash, Head, Images, Kind},
    checkin::{self, CheckIn},
    error::StoreError,
    import::{CACHE_OTHERWISE, CACHE_WHILE_IMPORTING, admit, bind_row, moment, named},
    outside, own, record, scan,
    workspace::{StoredLayer, Workspace, find, last_seq},
};
use crate::{
    domain::{
        edit::{Change, Edit, Lineage},
        feature::{Feature, Value, ValueRef},
        schema::LayerId,
    },
    gpkg::{
        blob,
        bulk::Stillness,
        srs,
        table::{Kinds, Table, quote},
    },
    ground::{shape::Bounds, wkb},
};

/// An edit of more changes than this gets the memory of an import: the nodes of the R-tree that it touches stay there.
const MANY: usize = 1000;

/// What a committed edit is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// The sequence number of the edit, and the version of every feature that it put.
    pub seq: i64,
    /// The hash of the record up to this edit.
    pub hash: Hash,
}

impl Workspace {
    /// Commits an edit: all of it, durably, or nothing. `at`: milliseconds since 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where a feature is not in the version expected; [`StoreError::UnknownLayer`];
    /// [`StoreError::Refused`] for an empty edit, two changes of one feature, a value that is not of its column's
    /// type, or lineage of a feature that the edit does not put; [`StoreError::Busy`], [`StoreError::DiskFull`],
    /// [`StoreError::Io`].
    pub fn commit(&mut self, edit: &Edit, at: i64) -> Result<Receipt, StoreError> {
        self.commit_as(Kind::Edit, edit, at)
    }

    /// As [`Workspace::commit`], and says in the record how the edit came about. [`Kind::Outside`] takes in what another
    /// program did: each change must be what the table holds.
    ///
    /// # Errors
    /// As [`Workspace::commit`], and [`StoreError::Pending`] where another program changed one of the features,
    /// [`StoreError::ChangedAgain`] where it changed one again, [`StoreError::Tampered`].
    pub fn commit_as(&mut self, kind: Kind, edit: &Edit, at: i64) -> Result<Receipt, StoreError> {
        self.commit_with(kind, edit, at, None)
    }

    /// Commits what a check-out brings back, and keeps what the file held. An edit without changes is an entry of its own,
    /// too: what the file held is known from then on.
    ///
    /// # Errors
    /// As [`Workspace::commit_as`].
    pub fn commit_merge(&mut self, edit: &Edit, at: i64, check_in: &CheckIn) -> Result<Receipt, StoreError> {
        self.commit_with(Kind::Merge, edit, at, Some(check_in))
    }

    fn commit_with(
        &mut self,
        kind: Kind,
        edit: &Edit,
        at: i64,
        check_in: Option<&CheckIn>,
    ) -> Result<Receipt, StoreError> {
        let first = edit.changes.first().map(|change| target(change).0);
        let Some(layer) = first.or(check_in.map(|check_in| &check_in.layer)) else {
            return Err(StoreError::Io {
                what: "an edit without changes".to_owned(),
                source: std::io::ErrorKind::InvalidInput.into(),
            });
        };
        let at = moment(&find(&self.layers, layer.as_str())?.layer, at)?;
        let seq = last_seq(&self.conn)? + 1;
        let what = format!("the edit {:?} by {} of {at}", edit.note, edit.author);
        self.sidecar.intend(seq, &what, false)?;
        let head = Head { seq, at: &at, author: &edit.author, note: &edit.note, kind: kind.as_str() };
        let many = edit.changes.len() > MANY;
        if many {
            self.conn.pragma_update(None, "cache_size", CACHE_WHILE_IMPORTING)?;
        }
        let Self { conn, layers, sound_at, .. } = self;
        let written = own::transaction(conn, |conn| {
            outside::check_schema(conn, (layers, sound_at), edit.changes.iter().map(|change| target(change).0))?;
            check_in.map_or(Ok(()), |check_in| checkin::write(conn, check_in, seq))?;
            write(conn, layers, (edit, kind), head)
        });
        if many {
            let _ = self.conn.pragma_update(None, "cache_size", CACHE_OTHERWISE);
            let _ = self.conn.release_memory();
        }
        // The next opening tells what became of it.
        if !matches!(written, Err(StoreError::Uncertain { .. })) {
            self.sidecar.clear();
        }
        Ok(Receipt { seq, hash: written? })
    }

    /// The version of a feature: the sequence number of the last edit that put it, or of the import that brought
    /// it; `None` where there is no such feature.
    ///
    /// # Errors
    /// [`StoreError::UnknownLayer`], [`StoreError::Corrupt`], [`StoreError::Io`].
    pub fn version(&self, layer: &str, id: i64) -> Result<Option<i64>, StoreError> {
        let stored = find(&self.layers, layer)?;
        let table = Table::of(&stored.layer);
        let held = table.shadow().holds(&self.conn, id)?;
        let plain = format!("SELECT 1 FROM {} WHERE {} = ?1", table.quoted()?, quote(&table.key)?);
        let sql = if held { table.shadow().image_sql()? } else { plain };
        let exists = self.conn.prepare_cached(&sql)?.query_row([id], |_| Ok(())).optional()?.is_some();
        exists.then(|| version(&self.conn, stored, id)).transpose()
    }

    /// The least id above every one that a feature of the layer has had, deleted and replaced ones included: ids are
    /// never given twice.
    ///
    /// # Errors
    /// [`StoreError::UnknownLayer`], [`StoreError::Refused`] where the ids are used up, [`StoreError::Corrupt`],
    /// [`StoreError::Io`].
    pub fn next_id(&self, layer: &str) -> Result<i64, StoreError> {
        let stored = find(&self.layers, layer)?;
        let used_up = || StoreError::Refused { layer: stored.layer.id.clone(), what: "its ids are used up".to_owned() };
        scan::largest_id(&self.conn, stored)?.checked_add(1).ok_or_else(used_up)
    }
}

/// Writes an edit within a transaction, with its entry in the record.
pub(super) fn write(
    conn: &Connection,
    layers: &[StoredLayer],
    (edit, kind): (&Edit, Kind),
    head: Head<'_>,
) -> Result<Hash, StoreError> {
    let quiet = begin_quiet(conn, layers, edit)?;
    let mut works: HashMap<&str, Work<'_>> = HashMap::new();
    let mut insert = conn.prepare_cached(
        "INSERT INTO mutu_change (seq, ordinal, layer, fid, before, after) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let mut images: Vec<Images> = vec![(None, None); edit.changes.len()];
    for ordinal in order_of(edit) {
        let change = &edit.changes[ordinal];
        let (layer, id) = target(change);
        let work = match works.entry(layer.as_str()) {
            std::collections::hash_map::Entry::Occupied(there) => there.into_mut(),
            std::collections::hash_map::Entry::Vacant(free) => {
                free.insert(Work::new(conn, find(layers, layer.as_str())?, quiet.is_some())?)
            }
        };
        let held = work.pending && work.table.shadow().holds(conn, id)?;
        let stands = outside::stands(conn, &work.table, (kind, held), change)?;
        let before = work.expected(id, change, held)?;
        let after = match change {
            Change::Put { feature, .. } => Some(work.put(feature, stands.unwrap_or(before.is_some()))?),
            Change::Delete { .. } => work.delete(id)?,
        };
        insert.execute(params![head.seq, ordinal as i64, layer.as_str(), id, before, after])?;
        images[ordinal] = (before.as_deref().map(chain::image_hash), after.as_deref().map(chain::image_hash));
    }
    for work in works.into_values() {
        work.finish(head.at)?;
    }
    drop(quiet);
    write_lineage(conn, head.seq, edit)?;
    let changes = edit.changes.iter().zip(images).map(|(change, images)| {
        let (layer, id) = target(change);
        (layer.as_str(), id, images)
    });
    chain::seal_changes(conn, head, changes)
}

/// Keeps triggers still for a large edit, where its tables have none but our own.
fn begin_quiet<'c>(
    conn: &'c Connection,
    layers: &[StoredLayer],
    edit: &Edit,
) -> Result<Option<Stillness<'c>>, StoreError> {
    if edit.changes.len() <= MANY {
        return Ok(None);
    }
    let touched: HashSet<&str> = edit.changes.iter().map(|change| target(change).0.as_str()).collect();
    for layer in touched {
        if !Table::of(&find(layers, layer)?.layer).bears_own_triggers(conn)? {
            return Ok(None);
        }
    }
    Ok(Some(Stillness::begin(conn)?))
}

/// The order in which changes are written: that of the rows in the file for a large edit, so that each page is fetched
/// and written once.
fn order_of(edit: &Edit) -> Vec<usize> {
    let mut order: Vec<usize> = (0..edit.changes.len()).collect();
    if edit.changes.len() > MANY {
        order.sort_by_key(|ordinal| target(&edit.changes[*ordinal]));
    }
    order
}

fn write_lineage(conn: &Connection, seq: i64, edit: &Edit) -> Result<(), StoreError> {
    if edit.lineage.is_empty() {
        return Ok(());
    }
    let puts: HashSet<(&str, i64)> = edit
        .changes
        .iter()
        .filter(|change| matches!(change, Change::Put { .. }))
        .map(|change| (target(change).0.as_str(), target(change).1))
        .collect();
    let mut insert = conn
        .prepare_cached("INSERT INTO mutu_lineage (seq, ordinal, layer, parent, child) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    let mut ordinal = 0_i64;
    for Lineage { layer, parents, children } in &edit.lineage {
        if let Some(child) = children.iter().find(|child| !puts.contains(&(layer.as_str(), **child))) {
            let what = format!("feature {child} is said to come from others, but the edit does not put it");
            return Err(StoreError::Refused { layer: layer.clone(), what });
        }
        for (parent, child) in parents.iter().flat_map(|parent| children.iter().map(move |child| (parent, child))) {
            insert.execute(params![seq, ordinal, layer.as_str(), parent, child])?;
            ordinal += 1;
        }
    }
    Ok(())
}

/// The changes of one layer within the transaction: what is the same for all of them is worked out once.
#[expect(clippy::option_option, reason = "a geometry that is not known is another thing than none")]
struct Work<'a> {
    conn: &'a Connection,
    stored: &'a StoredLayer,
    table: Table,
    select: String,
    insert: String,
    update: String,
    delete: String,
    /// As `update`, but for the geometry; none where there is no geometry column, or no other.
    update_values: Option<String>,
    /// Whether another program changed rows of the layer, and that waits.
    pending: bool,
    seen: HashSet<i64>,
    /// The geometry of the row that is being changed, or none, as it lies in the table; none where that is not known.
    geometry: Option<Option<Vec<u8>>>,
    grown: Option<Bounds>,
    kinds: Kinds,
    /// Where the triggers are still: where rows are now, by what the R-tree has to be told.
    boxes: Option<Vec<(i64, Option<Bounds>)>>,
}

impl<'a> Work<'a> {
    fn new(conn: &'a Connection, stored: &'a StoredLayer, is_quiet: bool) -> Result<Self, StoreError> {
        let table = Table::of(&stored.layer);
        let (name, key) = (table.quoted()?, quote(&table.key)?);
        Ok(Self {
            conn,
            stored,
            select: format!("{} WHERE {key} = ?1", table.select_sql()?),
            insert: table.insert_sql()?,
            update: table.update_sql()?,
            delete: format!("DELETE FROM {name} WHERE {key} = ?1"),
            update_values: without_geometry(&table).map(|table| table.update_sql()).transpose()?,
            pending: table.shadow().is_pending(conn)?,
            table,
            seen: HashSet::new(),
            geometry: None,
            grown: None,
            kinds: Kinds::Unseen,
            boxes: is_quiet.then(Vec::new),
        })
    }

    /// The record of the feature before the change, where it is in the version that the change expects.
    /// `held`: another program changed it, and what is recorded stands in the table's shadow.
    fn expected(&mut self, id: i64, change: &Change, held: bool) -> Result<Option<Vec<u8>>, StoreError> {
        let expected = match change {
            Change::Put { expects, .. } => *expects,
            Change::Delete { expects, .. } => Some(*expects),
        };
        let layer = &self.stored.layer.id;
        if !self.seen.insert(id) {
            let what = format!("the edit changes feature {id} twice: put the two changes into one");
            return Err(StoreError::Refused { layer: layer.clone(), what });
        }
        let image = held.then(|| self.table.shadow().image_sql()).transpose()?;
        let mut statement = self.conn.prepare_cached(image.as_deref().unwrap_or(&self.select))?;
        let mut rows = statement.query([id])?;
        self.geometry = None;
        let before = rows.next()?.map(|row| {
            // What stands in the shadow is not what lies in the table.
            if self.table.geometry.is_some() && !held {
                self.geometry = Some(row.get_ref(1)?.as_blob_or_null().ok().flatten().map(<[u8]>::to_vec));
            }
            scan::StoredRow::new(&self.table, row).to_record()
        });
        let before = before.transpose()?;
        drop(rows);
        if held {
            self.table.shadow().settle(self.conn, id)?;
        }
        let found = before.is_some().then(|| version(self.conn, self.stored, id)).transpose()?;
        if found == expected {
            return Ok(before);
        }
        Err(StoreError::Conflict { layer: layer.clone(), id, expected, found })
    }

    fn put(&mut self, feature: &Feature, exists: bool) -> Result<Vec<u8>, StoreError> {
        let values: Vec<ValueRef<'_>> = feature.values.iter().map(Value::view).collect();
        let shape = feature.shape.as_ref().map(crate::ground::shape::Shape::view);
        admit(&self.stored.layer, feature.id, shape.is_some(), &values)?;
        let mut bytes = Vec::new();
        let bounds = shape.and_then(|shape| blob::write(&mut bytes, shape, srs::STORED));
        self.grown = [self.grown, bounds].into_iter().flatten().reduce(Bounds::union);
        self.kinds = shape.map_or(self.kinds, |shape| self.kinds.with(shape.kind()));
        let mut geometry = (self.table.geometry.is_some(), shape.map(|_| bytes.as_slice()));
        let mut sql = if exists { &self.update } else { &self.insert };
        // A geometry that stays as it lies there, to the byte, is not written: the R-tree has nothing to do then.
        if let Some(update) = self.update_values.as_ref().filter(|_| exists && self.is_unmoved(geometry.1)) {
            (sql, geometry.0) = (update, false);
        }
        let stood = self.geometry.as_ref().and_then(Option::as_deref).filter(|_| exists);
        if let Some(boxes) = self.boxes.as_mut().filter(|_| geometry.0 && !Table::is_indexed_alike(stood, bounds)) {
            boxes.push((feature.id, bounds));
        }
        let mut statement = self.conn.prepare_cached(sql)?;
        let (before, id_at) = if exists { (0, values.len() + usize::from(geometry.0) + 1) } else { (1, 1) };
        statement.raw_bind_parameter(id_at, feature.id)?;
        bind_row(&mut statement, before, geometry, &values, |_| ())?;
        statement.raw_execute().map_err(|error| named(error, &self.stored.layer, feature.id))?;
        Ok(record_of(feature))
    }

    /// Whether the row that is being changed has a geometry, or none, already.
    fn is_unmoved(&self, geometry: Option<&[u8]>) -> bool {
        self.geometry.as_ref().is_some_and(|held| held.as_deref() == geometry)
    }

    fn delete(&mut self, id: i64) -> Result<Option<Vec<u8>>, StoreError> {
        self.conn.prepare_cached(&self.delete)?.execute([id])?;
        if let Some(boxes) = &mut self.boxes {
            boxes.push((id, None));
        }
        Ok(None)
    }

    /// Writes into the standard's tables what the changes together did.
    fn finish(self, at: &str) -> Result<(), StoreError> {
        if let Some(boxes) = self.boxes {
            self.table.reindex(self.conn, boxes)?;
        }
        self.table.note_change(self.conn, at, self.grown)?;
        Ok(self.table.widen(self.conn, self.kinds)?)
    }
}

/// The table without its geometry column, where it has one and others.
fn without_geometry(table: &Table) -> Option<Table> {
    (table.geometry.is_some() && !table.columns.is_empty()).then(|| Table { geometry: None, ..table.clone() })
}

fn target(change: &Change) -> (&LayerId, i64) {
    match change {
        Change::Put { layer, feature, .. } => (layer, feature.id),
        Change::Delete { layer, id, .. } => (layer, *id),
    }
}

/// The version of a feature that exists.
fn version(conn: &Connection, stored: &StoredLayer, id: i64) -> Result<i64, StoreError> {
    let sql = "SELECT max(seq) FROM mutu_change WHERE layer = ?1 AND fid = ?2";
    let edited: Option<i64> =
        conn.prepare_cached(sql)?.query_row(params![stored.layer.id.as_str(), id], |row| row.get(0))?;
    // Ids of an era that is over may come back in the next.
    Ok(edited.unwrap_or(0).max(stored.import_of(id)))
}

/// A feature as the history keeps it.
pub(super) fn record_of(feature: &Feature) -> Vec<u8> {
    let geometry = feature.shape.as_ref().map(|shape| {
        let mut bytes = Vec::new();
        wkb::append_wkb(&mut bytes, shape.view());
        bytes
    });
    record::encode(geometry.as_deref(), feature.values.iter().map(Value::view))
}
