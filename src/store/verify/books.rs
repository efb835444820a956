//! The layers and their eras, worked out from the imports of the record and compared with what their tables say.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, params};

use super::Verification;
use crate::{
    domain::layer::Layer,
    gpkg::table::{Table, is_plain_table},
    store::{era::past_table, error::StoreError, workspace::definition},
};

/// An era as it follows from the imports.
#[derive(Debug)]
pub(super) struct Span {
    /// The layout of its table.
    pub(super) table: Table,
    /// The layer.
    pub(super) layer: Layer,
    /// The import that began it.
    pub(super) from: i64,
    /// The import that ended it.
    pub(super) until: Option<i64>,
    /// Its definition as text.
    definition: String,
    /// Whether its rows must be there.
    kept: bool,
}

/// Works out the eras whose rows are there to be verified.
pub(super) fn read(conn: &Connection, found: &mut Verification) -> Result<Vec<Span>, StoreError> {
    let spans = spans(conn, found)?;
    compare_eras(conn, &spans, found)?;
    compare_layers(conn, &spans, found)?;
    compare_tables(conn, &spans, found)?;
    let mut there = Vec::new();
    for span in spans.into_values().flatten().filter(|span| span.kept) {
        let name = span.layer.id.as_str();
        if !is_plain_table(conn, &span.table.name)? {
            found.of_layer(name, format!("its table {} was removed", span.table.name));
        } else if columns_match(conn, &span, found)? {
            there.push(span);
        }
    }
    Ok(there)
}

/// The eras of each layer, from the imports alone.
fn spans(conn: &Connection, found: &mut Verification) -> Result<BTreeMap<String, Vec<Span>>, StoreError> {
    let upgraded = if found.proven_from > 1 { found.proven_from } else { 0 };
    let mut statement = conn.prepare("SELECT seq, layer, definition, how FROM mutu_import ORDER BY seq")?;
    let mut rows = statement.query([])?;
    let mut spans: BTreeMap<String, Vec<Span>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(0)?;
        let text = |place: usize| row.get::<_, String>(place).ok();
        let (Some(layer), Some(text), Some(how)) = (text(1), text(2), text(3)) else {
            found.of_entry(seq, format!("the import of number {seq} is not readable"));
            continue;
        };
        let read = match definition(&layer, &text) {
            Ok(read) => read,
            Err(error) => {
                found.of_entry(seq, format!("the import of number {seq}: {error}"));
                continue;
            }
        };
        let eras = spans.entry(layer).or_default();
        match (how.as_str(), eras.last_mut()) {
            ("append", Some(present)) => present.definition = text,
            (_, last) => {
                let lost_before = upgraded > seq;
                if let Some(last) = last {
                    last.until = Some(seq);
                    last.table.name = past_table(last.layer.id.as_str(), last.from);
                    // Format 1 kept nothing of what an import replaced.
                    last.kept = !lost_before && found.kept_from < seq;
                }
                let table = Table::of(&read);
                eras.push(Span { table, layer: read, from: seq, until: None, definition: text, kept: true });
            }
        }
    }
    if upgraded > 0 {
        for eras in spans.values_mut() {
            join_first(eras, upgraded);
        }
    }
    Ok(spans)
}

/// What format 1 tells of the eras before the present one is one span without rows: it does not say whether rows were
/// added or replaced.
fn join_first(eras: &mut Vec<Span>, upgraded: i64) {
    let old = eras.iter().take_while(|era| era.from < upgraded).count();
    if old > 2 {
        let until = eras[old - 1].from;
        eras.drain(1..old - 1);
        eras[0].until = Some(until);
    }
}

fn compare_eras(
    conn: &Connection,
    spans: &BTreeMap<String, Vec<Span>>,
    found: &mut Verification,
) -> Result<(), StoreError> {
    let mut wanted = BTreeSet::new();
    for span in spans.values().flatten() {
        let (layer, from) = (span.layer.id.as_str(), span.from);
        wanted.insert((layer.to_owned(), from));
        let table = span.kept.then_some(span.table.name.as_str());
        let sql = "SELECT until_seq IS ?3 AND definition IS ?4 AND table_name IS ?5 FROM mutu_era \
                   WHERE layer = ?1 AND from_seq = ?2";
        let given = params![layer, from, span.until, span.definition, table];
        match conn.query_row(sql, given, |row| row.get::<_, bool>(0)).optional()? {
            Some(true) => {}
            Some(false) => {
                let what = format!("what mutu_era says of its era from number {from} was altered");
                found.add(Some(layer), None, Some(from), what);
            }
            None => {
                let what = format!("its era from number {from} was removed from mutu_era");
                found.add(Some(layer), None, Some(from), what);
            }
        }
    }
    let mut statement = conn.prepare("SELECT CAST(layer AS TEXT), CAST(from_seq AS INTEGER) FROM mutu_era")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let key: (String, i64) = (row.get(0)?, row.get(1)?);
        if !wanted.contains(&key) {
            let what = format!("mutu_era tells of an era from number {} that no import began", key.1);
            found.add(Some(&key.0), None, Some(key.1), what);
        }
    }
    Ok(())
}

fn compare_layers(
    conn: &Connection,
    spans: &BTreeMap<String, Vec<Span>>,
    found: &mut Verification,
) -> Result<(), StoreError> {
    for (layer, eras) in spans {
        let Some(present) = eras.last() else { continue };
        let sql = "SELECT definition IS ?2, base IS ?3 FROM mutu_layer WHERE id = ?1";
        let given = params![layer, present.definition, present.from];
        let same = conn.query_row(sql, given, |row| Ok((row.get::<_, bool>(0)?, row.get::<_, bool>(1)?))).optional()?;
        match same {
            Some((true, true)) => {}
            Some((false, _)) => found.of_layer(layer, "its definition in mutu_layer was altered"),
            Some((true, false)) => found.of_layer(layer, "its version in mutu_layer was altered"),
            None => found.of_layer(layer, "it was removed from mutu_layer"),
        }
    }
    let mut statement = conn.prepare("SELECT CAST(id AS TEXT) FROM mutu_layer")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let layer: String = row.get(0)?;
        if !spans.contains_key(&layer) {
            found.of_layer(&layer, "it stands in mutu_layer, but no import made it");
        }
    }
    Ok(())
}

/// Tables that pass for past rows of ours.
fn compare_tables(
    conn: &Connection,
    spans: &BTreeMap<String, Vec<Span>>,
    found: &mut Verification,
) -> Result<(), StoreError> {
    let ours: BTreeSet<&str> =
        spans.values().flatten().filter(|span| span.kept).map(|span| span.table.name.as_str()).collect();
    let mut statement =
        conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'mutu!_past!_%' ESCAPE '!'")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        if !ours.contains(name.as_str()) {
            found.add(None, None, None, format!("the table {name} is no past of a layer"));
        }
    }
    Ok(())
}

/// Whether a table has the columns of its layer, and no others.
fn columns_match(conn: &Connection, span: &Span, found: &mut Verification) -> Result<bool, StoreError> {
    let table = &span.table;
    let mut statement = conn.prepare("SELECT name FROM pragma_table_xinfo(?1)")?;
    let there: BTreeSet<String> = statement.query_map([&table.name], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let names = std::iter::once(&table.key).chain(&table.geometry).chain(table.columns.iter().map(|(name, _)| name));
    let wanted: BTreeSet<String> = names.cloned().collect();
    for name in wanted.difference(&there) {
        found.of_layer(span.layer.id.as_str(), format!("its column {name:?} was removed from {}", table.name));
    }
    for name in there.difference(&wanted) {
        found.of_layer(span.layer.id.as_str(), format!("a column {name:?} was added to {}", table.name));
    }
    Ok(wanted.is_subset(&there))
}
