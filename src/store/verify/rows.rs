//! The rows of an era: each is as an import brought it, or as the last edit of it left it, to the byte.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, Row, params};

use super::{Told, Verification, books::Span};
use crate::{
    domain::feature::{Feature, Value},
    gpkg::{blob, cell::Cell, srs, table::Table},
    store::{
        chain::{self, Cells, ROW_IN_BLOCK, RowDigest},
        error::StoreError,
        record, scan,
    },
};

/// What the record says that a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// There is none.
    Absent,
    /// Its cells have this digest.
    Cells(RowDigest),
    /// Its record has this hash: the content was compacted away.
    Record([u8; 32]),
}

/// The last that the record says of a row, and where.
#[derive(Debug, Clone, Copy)]
struct Said {
    row: Wanted,
    seq: i64,
}

/// Verifies the rows of an era.
pub(super) fn verify(
    conn: &Connection,
    span: &Span,
    found: &mut Verification,
    told: &mut Told<'_>,
) -> Result<(), StoreError> {
    let layer = span.layer.id.as_str();
    let mut brought = brought(conn, span, found)?;
    let edited = edited(conn, span, &brought, found, told)?;
    let (mut cells, mut next) = (Cells::default(), 0);
    brought.sort_unstable_by_key(|(id, _)| *id);
    let mut seen_edited = 0;
    scan::raw_rows(conn, &span.table, &mut |id, row| {
        found.rows += 1;
        told("verifying rows", found.rows);
        while let Some((missing, said)) = brought.get(next).filter(|(brought, _)| *brought < id) {
            absent(&edited, *missing, said.seq, layer, found);
            next += 1;
        }
        let imported = brought.get(next).filter(|(brought, _)| *brought == id).map(|(_, said)| *said);
        next += usize::from(imported.is_some());
        let said = edited.get(&id).copied().or(imported);
        seen_edited += usize::from(edited.get(&id).is_some_and(|said| said.row != Wanted::Absent));
        compare(row, &span.table, said, (layer, id), &mut cells, found)
    })?;
    for (missing, said) in &brought[next..] {
        absent(&edited, *missing, said.seq, layer, found);
    }
    if seen_edited < edited.values().filter(|said| said.row != Wanted::Absent).count() {
        edited_but_gone(conn, span, &edited, &brought, found)?;
    }
    Ok(())
}

/// A row that an import brought is not there.
fn absent(edited: &BTreeMap<i64, Said>, id: i64, brought: i64, layer: &str, found: &mut Verification) {
    let said = edited.get(&id);
    if said.is_some_and(|said| said.row == Wanted::Absent) {
        return;
    }
    let seq = said.map_or(brought, |said| said.seq);
    found.add(Some(layer), Some(id), Some(seq), "the feature was removed behind the record's back");
}

/// Rows that edits put and that are not there; those that an import brought are named already.
fn edited_but_gone(
    conn: &Connection,
    span: &Span,
    edited: &BTreeMap<i64, Said>,
    brought: &[(i64, Said)],
    found: &mut Verification,
) -> Result<(), StoreError> {
    let sql =
        format!("SELECT 1 FROM {} WHERE {} = ?1", span.table.quoted()?, crate::gpkg::table::quote(&span.table.key)?);
    let mut there = conn.prepare(&sql)?;
    for (id, said) in edited.iter().filter(|(_, said)| said.row != Wanted::Absent) {
        if brought.binary_search_by_key(id, |(id, _)| *id).is_err() && !there.exists([id])? {
            let what = "the feature was removed behind the record's back";
            found.add(Some(span.layer.id.as_str()), Some(*id), Some(said.seq), what);
        }
    }
    Ok(())
}

fn compare(
    row: &Row<'_>,
    table: &Table,
    said: Option<Said>,
    (layer, id): (&str, i64),
    cells: &mut Cells,
    found: &mut Verification,
) -> Result<(), StoreError> {
    let there = scan::digest(row, table, cells)?;
    let Some(Said { row: wanted, seq }) = said else {
        found.add(Some(layer), Some(id), None, "the feature was added behind the record's back");
        return Ok(());
    };
    let same = match wanted {
        Wanted::Absent => {
            let what = format!("the feature was deleted by number {seq} and put back behind the record's back");
            found.add(Some(layer), Some(id), Some(seq), what);
            return Ok(());
        }
        Wanted::Cells(wanted) => there == wanted,
        Wanted::Record(wanted) => match scan::StoredRow::new(table, row).to_record() {
            // The record alone does not tell how dates are spelt nor what stands before a geometry.
            Ok(record) => chain::image_hash(&record) == wanted && digest_of(&record, id, table, cells) == Some(there),
            Err(StoreError::Corrupt { .. }) => false,
            Err(error) => return Err(error),
        },
    };
    if !same {
        let what = format!("the feature was altered behind the record's back: it is not as number {seq} left it");
        found.add(Some(layer), Some(id), Some(seq), what);
    }
    Ok(())
}

/// The digests of the rows that imports of the era brought, or that stood there when the proof began.
fn brought(conn: &Connection, span: &Span, found: &mut Verification) -> Result<Vec<(i64, Said)>, StoreError> {
    let sql = "SELECT seq, block, \"rows\" FROM mutu_digest WHERE layer = ?1 AND seq >= ?2 AND seq < ?3 \
               ORDER BY seq, block";
    let mut statement = conn.prepare(sql)?;
    let mut rows = statement.query(params![span.layer.id.as_str(), span.from, span.until.unwrap_or(i64::MAX)])?;
    let mut brought = Vec::new();
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(0)?;
        let block = row.get_ref(2)?.as_blob().unwrap_or_default();
        if block.is_empty() || block.len() % ROW_IN_BLOCK != 0 {
            let what = format!("the digests of number {seq} are not readable");
            found.add(Some(span.layer.id.as_str()), None, Some(seq), what);
            continue;
        }
        for row in block.chunks_exact(ROW_IN_BLOCK) {
            let (id, digest) = row.split_at(8);
            let id = i64::from_le_bytes(id.try_into().expect("8 bytes"));
            brought.push((id, Said { row: Wanted::Cells(digest.try_into().expect("16 bytes")), seq }));
        }
    }
    brought.sort_unstable_by_key(|(id, _)| *id);
    Ok(brought)
}

/// The last state that edits left each feature of the era in that one touched; each edit must begin where the one
/// before, or the import, had ended.
fn edited(
    conn: &Connection,
    span: &Span,
    brought: &[(i64, Said)],
    found: &mut Verification,
    told: &mut Told<'_>,
) -> Result<BTreeMap<i64, Said>, StoreError> {
    let layer = span.layer.id.as_str();
    // Before the proof begins there is nothing to compare with.
    let from = if found.proven_from > 1 { span.from.max(found.proven_from) } else { span.from };
    let sql = "SELECT seq, fid, before, after FROM mutu_change WHERE layer = ?1 AND seq > ?2 AND seq < ?3 \
               ORDER BY seq, ordinal";
    let mut statement = conn.prepare(sql)?;
    let mut rows = statement.query(params![layer, from, span.until.unwrap_or(i64::MAX)])?;
    let mut hashes: HashMap<i64, [u8; 32]> = HashMap::new();
    let (mut edited, mut cells, mut done) = (BTreeMap::new(), Cells::default(), 0);
    while let Some(row) = rows.next()? {
        let (seq, id): (i64, i64) = (row.get(0)?, row.get(1)?);
        done += 1;
        told("verifying changes", done);
        let image = |place: usize| row.get_ref(place).map(|cell| cell.as_blob_or_null().unwrap_or(Some(&[])));
        let (before, after) = (image(2)?, image(3)?);
        let follows = if edited.contains_key(&id) {
            hashes.get(&id).copied() == before.map(chain::image_hash)
        } else {
            let known = brought.binary_search_by_key(&id, |(id, _)| *id).ok().map(|at| brought[at].1.row);
            begins(known, before, (id, &span.table), &mut cells)
        };
        if !follows {
            let what = format!("number {seq} does not begin where the record had left the feature");
            found.add(Some(layer), Some(id), Some(seq), what);
        }
        let left = left(after, (id, &span.table), &mut cells);
        if left.is_none() {
            let what = format!("what number {seq} says of the feature is not readable");
            found.add(Some(layer), Some(id), Some(seq), what);
        }
        // A row that should be as what is not readable says is as nothing.
        edited.insert(id, Said { row: left.unwrap_or(Wanted::Record([0; 32])), seq });
        match after {
            Some(after) => hashes.insert(id, chain::image_hash(after)),
            None => hashes.remove(&id),
        };
    }
    Ok(edited)
}

/// Whether the first edit of a feature begins with what an import brought.
fn begins(known: Option<Wanted>, before: Option<&[u8]>, (id, table): (i64, &Table), cells: &mut Cells) -> bool {
    match before {
        None => known.is_none(),
        Some(before) if chain::dropped_hash(before).is_some() => known.is_some(),
        Some(before) => known.is_some() && digest_of(before, id, table, cells).map(Wanted::Cells) == known,
    }
}

/// What an edit left of a feature; `None` where its record is not readable.
fn left(after: Option<&[u8]>, (id, table): (i64, &Table), cells: &mut Cells) -> Option<Wanted> {
    let Some(after) = after else { return Some(Wanted::Absent) };
    match chain::dropped_hash(after) {
        Some(hash) => Some(Wanted::Record(hash)),
        None => digest_of(after, id, table, cells).map(Wanted::Cells),
    }
}

/// The digest of the cells that a feature of the record has in a table; `None` where the record is not readable.
fn digest_of(bytes: &[u8], id: i64, table: &Table, cells: &mut Cells) -> Option<RowDigest> {
    let (shape, values) = record::decode(bytes)?;
    let feature = Feature { id, shape, values };
    if feature.values.len() != table.columns.len() || (feature.shape.is_some() && table.geometry.is_none()) {
        return None;
    }
    cells.clear();
    cells.push(rusqlite::types::ValueRef::Integer(id));
    if table.geometry.is_some() {
        let mut geometry = Vec::new();
        match &feature.shape {
            None => cells.push(rusqlite::types::ValueRef::Null),
            Some(shape) => {
                blob::write(&mut geometry, shape.view(), srs::STORED);
                cells.push(rusqlite::types::ValueRef::Blob(&geometry));
            }
        }
    }
    for value in feature.values.iter().map(Value::view) {
        cells.push_bound(&rusqlite::ToSql::to_sql(&Cell(value)).ok()?);
    }
    Some(cells.digest())
}
