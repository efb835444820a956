//! Our own tables in the file: what they are, format by format.
//!
//! Invariant: whatever the format of a file that is open, every statement of this module's siblings works on it: a
//! file of an older format shows the same tables to a reader, as temporary views.

use rusqlite::{Connection, OptionalExtension, params};

use super::error::StoreError;

/// The newest format of the tables below. A change that an older program would misread raises it.
pub(super) const FORMAT: i64 = 3;

/// The format that has eras, lineage and proof. A workspace is made in it, and becomes one of the next where the first
/// check-out is brought back: an older program would not know what was brought back already.
pub(super) const PROVEN: i64 = 2;

/// The oldest format that can be read, and upgraded.
pub(super) const OLDEST: i64 = 1;

/// The key in `mutu_workspace` that stands while we write ourselves.
pub(super) const WRITING: &str = crate::gpkg::shadow::WRITING;

/// `mutu_edit` is a plain attributes table, so that people can read the history in QGIS; the others are named in
/// `gpkg_extensions`, so that no program takes them for data.
const FIRST: &str = "\
CREATE TABLE mutu_workspace (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE mutu_layer (id TEXT NOT NULL PRIMARY KEY, definition TEXT NOT NULL, base INTEGER NOT NULL);
CREATE TABLE mutu_edit (seq INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, \"at\" DATETIME NOT NULL, author TEXT NOT NULL, \
 note TEXT NOT NULL, kind TEXT NOT NULL);
CREATE TABLE mutu_change (seq INTEGER NOT NULL, ordinal INTEGER NOT NULL, layer TEXT NOT NULL, fid INTEGER NOT NULL, \
 before BLOB, after BLOB, PRIMARY KEY (seq, ordinal));
CREATE INDEX mutu_change_of_feature ON mutu_change (layer, fid, seq);
CREATE TABLE mutu_import (seq INTEGER NOT NULL PRIMARY KEY, layer TEXT NOT NULL, definition TEXT NOT NULL, \
 report TEXT NOT NULL);
INSERT INTO gpkg_contents (table_name, data_type, identifier, description) \
 VALUES ('mutu_edit', 'attributes', '修改记录 (mutu_edit)', 'Every edit and import: when, who, why');
";

/// What format 2 adds. `how` is `unknown` for imports of format 1, which did not keep it.
const SECOND: &str = "\
ALTER TABLE mutu_edit ADD COLUMN hash BLOB;
CREATE INDEX mutu_edit_at ON mutu_edit (\"at\");
ALTER TABLE mutu_import ADD COLUMN how TEXT NOT NULL DEFAULT 'unknown';
ALTER TABLE mutu_import ADD COLUMN first_fid INTEGER;
ALTER TABLE mutu_import ADD COLUMN last_fid INTEGER;
CREATE TABLE mutu_lineage (seq INTEGER NOT NULL, ordinal INTEGER NOT NULL, layer TEXT NOT NULL, \
 parent INTEGER NOT NULL, child INTEGER NOT NULL, PRIMARY KEY (seq, ordinal));
CREATE INDEX mutu_lineage_of_parent ON mutu_lineage (layer, parent);
CREATE INDEX mutu_lineage_of_child ON mutu_lineage (layer, child);
CREATE TABLE mutu_era (layer TEXT NOT NULL, from_seq INTEGER NOT NULL, until_seq INTEGER, definition TEXT NOT NULL, \
 table_name TEXT, PRIMARY KEY (layer, from_seq));
CREATE TABLE mutu_digest (seq INTEGER NOT NULL, layer TEXT NOT NULL, block INTEGER NOT NULL, \"rows\" BLOB NOT NULL, \
 PRIMARY KEY (seq, layer, block));
CREATE TABLE mutu_compact (seq INTEGER NOT NULL PRIMARY KEY, kept_from INTEGER NOT NULL);
DELETE FROM gpkg_extensions WHERE extension_name = 'mutu_workspace';
";

/// What format 3 adds: what check-outs held when they were brought back.
const THIRD: &str = "\
CREATE TABLE mutu_checkin (seq INTEGER NOT NULL PRIMARY KEY, checkout TEXT NOT NULL, layer TEXT NOT NULL, \
 parent INTEGER, log BLOB NOT NULL);
CREATE INDEX mutu_checkin_of_checkout ON mutu_checkin (checkout);
CREATE TABLE mutu_checkin_row (seq INTEGER NOT NULL, there INTEGER NOT NULL, here INTEGER NOT NULL, theirs BLOB, \
 PRIMARY KEY (seq, there));
";

/// Our tables that no program shall take for data.
const HIDDEN: [&str; 8] = [
    "mutu_workspace",
    "mutu_layer",
    "mutu_change",
    "mutu_import",
    "mutu_lineage",
    "mutu_era",
    "mutu_digest",
    "mutu_compact",
];

/// The eras that a file of format 1 tells of: the present one of each layer, and the time before it, whose rows are
/// not kept, where the layer was imported more than once (it does not say whether rows were added or replaced).
pub(super) const ERAS_OF_FIRST: &str = "\
SELECT id AS layer, base AS from_seq, NULL AS until_seq, definition, id AS table_name FROM main.mutu_layer \
UNION ALL SELECT i.layer, min(i.seq), l.base, i.definition, NULL FROM main.mutu_import i \
JOIN main.mutu_layer l ON l.id = i.layer WHERE i.seq < l.base GROUP BY i.layer";

/// Creates our tables in an empty GeoPackage.
pub(super) fn create(conn: &Connection) -> Result<(), StoreError> {
    conn.execute_batch(FIRST)?;
    conn.execute_batch(SECOND)?;
    hide_all(conn)?;
    conn.execute(
        "INSERT INTO mutu_workspace VALUES ('format', ?1), ('id', ?2)",
        params![PROVEN.to_string(), new_id()?],
    )?;
    Ok(())
}

/// Makes the tables of format 1 those of format 2; what stands in the new columns is the caller's.
pub(super) fn raise(conn: &Connection) -> Result<(), StoreError> {
    conn.execute_batch(SECOND)?;
    hide_all(conn)?;
    conn.execute_batch(&format!("INSERT INTO mutu_era {ERAS_OF_FIRST}"))?;
    conn.execute("UPDATE mutu_workspace SET value = ?1 WHERE key = 'format'", [PROVEN.to_string()])?;
    conn.execute("INSERT INTO mutu_workspace VALUES ('id', ?1)", [new_id()?])?;
    Ok(())
}

/// Makes room for what check-outs held when they were brought back, where there is none yet.
pub(super) fn keep_checkins(conn: &Connection) -> Result<(), StoreError> {
    if has_checkins(conn)? {
        return Ok(());
    }
    conn.execute_batch(THIRD)?;
    ["mutu_checkin", "mutu_checkin_row"].iter().try_for_each(|table| hide(conn, table))?;
    conn.execute("UPDATE mutu_workspace SET value = ?1 WHERE key = 'format'", [FORMAT.to_string()])?;
    Ok(())
}

/// Whether the workspace knows of check-outs that were brought back.
pub(super) fn has_checkins(conn: &Connection) -> Result<bool, StoreError> {
    let sql = "SELECT count(*) FROM main.sqlite_schema WHERE type = 'table' \
               AND name IN ('mutu_checkin', 'mutu_checkin_row')";
    let tables: i64 = conn.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
    Ok(tables == 2)
}

/// Shows a file of format 1 as one of format 2 to this connection.
pub(super) fn show_first_as_second(conn: &Connection) -> Result<(), StoreError> {
    Ok(conn.execute_batch(&format!(
        "CREATE TEMP VIEW mutu_edit AS SELECT *, NULL AS hash FROM main.mutu_edit;
         CREATE TEMP VIEW mutu_import AS SELECT *, 'unknown' AS how, NULL AS first_fid, NULL AS last_fid \
         FROM main.mutu_import;
         CREATE TEMP VIEW mutu_era AS {ERAS_OF_FIRST};
         CREATE TEMP TABLE mutu_lineage (seq, ordinal, layer, parent, child);
         CREATE TEMP TABLE mutu_digest (seq, layer, block, \"rows\");
         CREATE TEMP TABLE mutu_compact (seq, kept_from);"
    ))?)
}

/// The value of a key of `mutu_workspace`.
pub(super) fn setting(conn: &Connection, key: &str) -> Result<Option<String>, StoreError> {
    let sql = "SELECT value FROM mutu_workspace WHERE key = ?1";
    Ok(conn.prepare_cached(sql)?.query_row([key], |row| row.get(0)).optional()?)
}

/// What tells a workspace from every other.
pub(super) fn id(conn: &Connection) -> Result<String, StoreError> {
    setting(conn, "id")?.ok_or_else(|| StoreError::Corrupt { what: "the workspace has no id".to_owned() })
}

/// Names a table as one of ours, so that no program takes it for data.
pub(super) fn hide(conn: &Connection, table: &str) -> Result<(), StoreError> {
    conn.execute(
        "INSERT INTO gpkg_extensions (table_name, column_name, extension_name, definition, scope) \
         VALUES (?1, NULL, 'mutu_workspace', ?2, 'write-only')",
        params![table, format!("Mutu workspace, format {PROVEN}: do not edit")],
    )?;
    Ok(())
}

fn hide_all(conn: &Connection) -> Result<(), StoreError> {
    HIDDEN.iter().try_for_each(|table| hide(conn, table))
}

/// 128 random bits, in hexadecimal.
fn new_id() -> Result<String, StoreError> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| StoreError::io("random numbers for the workspace's id", std::io::Error::other(error)))?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}
