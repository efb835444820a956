//! Committing edits: versions are compared, rows changed and the history written in one transaction.

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::{
    error::StoreError,
    import::{admit, bind_row, moment, named},
    record, scan,
    workspace::{StoredLayer, Workspace, find, last_seq},
};
use crate::{
    domain::{
        edit::{Change, Edit},
        feature::{Feature, Value, ValueRef},
        schema::LayerId,
    },
    gpkg::{
        blob, srs,
        table::{Kinds, Table, quote},
    },
    ground::wkb,
};

/// What a committed edit is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// The sequence number of the edit, and the version of every feature that it put.
    pub seq: i64,
}

impl Workspace {
    /// Commits an edit: all of it, durably, or nothing. `at`: milliseconds since 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where a feature is not in the version expected; [`StoreError::UnknownLayer`];
    /// [`StoreError::Refused`] for an empty edit, two changes of one feature, or a value that is not of its
    /// column's type; [`StoreError::Busy`], [`StoreError::DiskFull`], [`StoreError::Io`].
    pub fn commit(&mut self, edit: &Edit, at: i64) -> Result<Receipt, StoreError> {
        let Some(first) = edit.changes.first() else {
            return Err(StoreError::Io {
                what: "an edit without changes".to_owned(),
                source: std::io::ErrorKind::InvalidInput.into(),
            });
        };
        let at = moment(&find(&self.layers, target(first).0.as_str())?.layer, at)?;
        let seq = last_seq(&self.conn)? + 1;
        self.sidecar.intend(seq, &format!("the edit {:?} by {} of {at}", edit.note, edit.author), false)?;
        let written = write(&mut self.conn, &self.layers, edit, (seq, &at));
        self.sidecar.clear();
        written
    }

    /// The version of a feature: the sequence number of the last edit that put it, or of its layer's last
    /// import; `None` where there is no such feature.
    ///
    /// # Errors
    /// [`StoreError::UnknownLayer`], [`StoreError::Corrupt`], [`StoreError::Io`].
    pub fn version(&self, layer: &str, id: i64) -> Result<Option<i64>, StoreError> {
        let stored = find(&self.layers, layer)?;
        let table = Table::of(&stored.layer);
        let sql = format!("SELECT 1 FROM {} WHERE {} = ?1", table.quoted()?, quote(&table.key)?);
        let exists = self.conn.prepare_cached(&sql)?.query_row([id], |_| Ok(())).optional()?.is_some();
        exists.then(|| version(&self.conn, stored, id)).transpose()
    }
}

fn write(
    conn: &mut Connection,
    layers: &[StoredLayer],
    edit: &Edit,
    (seq, at): (i64, &str),
) -> Result<Receipt, StoreError> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.prepare_cached("INSERT INTO mutu_edit (seq, \"at\", author, note, kind) VALUES (?1, ?2, ?3, ?4, 'edit')")?
        .execute(params![seq, at, edit.author, edit.note])?;
    for (ordinal, change) in edit.changes.iter().enumerate() {
        let (layer, id) = target(change);
        let step = Step {
            tx: &tx,
            stored: find(layers, layer.as_str())?,
            table: Table::of(&find(layers, layer.as_str())?.layer),
            at,
        };
        let before = step.expected(id, change, seq)?;
        let after = match change {
            Change::Put { feature, .. } => Some(step.put(feature, before.is_some())?),
            Change::Delete { .. } => step.delete(id)?,
        };
        tx.prepare_cached(
            "INSERT INTO mutu_change (seq, ordinal, layer, fid, before, after) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![seq, ordinal as i64, layer.as_str(), id, before.as_ref().map(record_of), after])?;
    }
    tx.commit()?;
    Ok(Receipt { seq })
}

/// One change within the transaction.
struct Step<'a> {
    tx: &'a Transaction<'a>,
    stored: &'a StoredLayer,
    table: Table,
    at: &'a str,
}

impl Step<'_> {
    /// The feature before the change, where it is in the version that the change expects.
    fn expected(&self, id: i64, change: &Change, seq: i64) -> Result<Option<Feature>, StoreError> {
        let expected = match change {
            Change::Put { expects, .. } => *expects,
            Change::Delete { expects, .. } => Some(*expects),
        };
        let layer = &self.stored.layer.id;
        let twice = "SELECT 1 FROM mutu_change WHERE seq = ?1 AND layer = ?2 AND fid = ?3";
        let twice =
            self.tx.prepare_cached(twice)?.query_row(params![seq, layer.as_str(), id], |_| Ok(())).optional()?;
        if twice.is_some() {
            let what = format!("the edit changes feature {id} twice: put the two changes into one");
            return Err(StoreError::Refused { layer: layer.clone(), what });
        }
        let before = scan::feature(self.tx, &self.table, id)?;
        let found = before.is_some().then(|| version(self.tx, self.stored, id)).transpose()?;
        if found == expected {
            return Ok(before);
        }
        Err(StoreError::Conflict { layer: layer.clone(), id, expected, found })
    }

    fn put(&self, feature: &Feature, exists: bool) -> Result<Vec<u8>, StoreError> {
        let values: Vec<ValueRef<'_>> = feature.values.iter().map(Value::view).collect();
        let shape = feature.shape.as_ref().map(crate::ground::shape::Shape::view);
        admit(&self.stored.layer, feature.id, shape.is_some(), &values)?;
        let mut bytes = Vec::new();
        let grown = shape.and_then(|shape| blob::write(&mut bytes, shape, srs::STORED));
        let geometry = (self.table.geometry.is_some(), shape.map(|_| bytes.as_slice()));
        if exists {
            let mut update = self.tx.prepare_cached(&self.table.update_sql()?)?;
            let last = values.len() + usize::from(geometry.0) + 1;
            bind_row(&mut update, 0, geometry, &values, |s| s.raw_bind_parameter(last, feature.id))?;
            update.raw_execute().map_err(|error| named(error, &self.stored.layer, feature.id))?;
        } else {
            let mut insert = self.tx.prepare_cached(&self.table.insert_sql()?)?;
            bind_row(&mut insert, 1, geometry, &values, |s| s.raw_bind_parameter(1, feature.id))?;
            insert.raw_execute().map_err(|error| named(error, &self.stored.layer, feature.id))?;
        }
        self.table.note_change(self.tx, self.at, grown)?;
        self.table.widen(self.tx, shape.map_or(Kinds::Unseen, |shape| Kinds::One(shape.kind())))?;
        Ok(record_of(feature))
    }

    fn delete(&self, id: i64) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = format!("DELETE FROM {} WHERE {} = ?1", self.table.quoted()?, quote(&self.table.key)?);
        self.tx.prepare_cached(&sql)?.execute([id])?;
        self.table.note_change(self.tx, self.at, None)?;
        Ok(None)
    }
}

fn target(change: &Change) -> (&LayerId, i64) {
    match change {
        Change::Put { layer, feature, .. } => (layer, feature.id),
        Change::Delete { layer, id, .. } => (layer, *id),
    }
}

/// The version of a feature that exists.
fn version(conn: &Connection, stored: &StoredLayer, id: i64) -> Result<i64, StoreError> {
    let sql = "SELECT coalesce(max(seq), 0) FROM mutu_change WHERE layer = ?1 AND fid = ?2";
    let edited: i64 = conn.prepare_cached(sql)?.query_row(params![stored.layer.id.as_str(), id], |row| row.get(0))?;
    Ok(edited.max(stored.base))
}

fn record_of(feature: &Feature) -> Vec<u8> {
    let geometry = feature.shape.as_ref().map(|shape| {
        let mut bytes = Vec::new();
        wkb::append_wkb(&mut bytes, shape.view());
        bytes
    });
    record::encode(geometry.as_deref(), feature.values.iter().map(Value::view))
}
