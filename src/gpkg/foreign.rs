//! What a GeoPackage of anybody holds: its tables, their columns and their CRS, believed in nothing.
//!
//! Only plain tables are looked at: a view can be made to compute forever, a virtual table to run code.

use std::{fs::File, io::Read, path::Path, time::SystemTime};

use geopackage_core::types::ColumnType;
use rusqlite::{Connection, OptionalExtension};

use super::{
    GpkgError,
    table::{is_plain_table, quote},
};
use crate::domain::schema::FieldType;

/// A table that `gpkg_contents` lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The table's name.
    pub name: String,
    /// The name for people.
    pub identifier: String,
    /// Whether its rows have geometries.
    pub features: bool,
}

/// The layout of a foreign table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignTable {
    /// The table's name.
    pub name: String,
    /// The column that identifies a row, where it is one whole number.
    pub key: Option<String>,
    /// The geometry column, for a table of features.
    pub geometry: Option<String>,
    /// The other columns, and the types that they are declared with.
    pub columns: Vec<(String, Option<FieldType>)>,
    /// What the file says of the CRS, for a table of features.
    pub srs: Option<ForeignSrs>,
}

/// A row of `gpkg_spatial_ref_sys`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignSrs {
    /// The number in the file.
    pub number: i64,
    /// Who defines it and under which code, such as `EPSG` and 4547; `None` where the row is missing.
    pub code: Option<(String, i64)>,
    /// Its definition; empty where the row is missing.
    pub definition: String,
}

/// The tables of features and of attributes, other than our own bookkeeping; `None` where the file is no
/// GeoPackage.
///
/// # Errors
/// The engine's: damaged, or no database.
pub fn listed(conn: &Connection) -> Result<Option<Vec<Listed>>, GpkgError> {
    if !is_plain_table(conn, "gpkg_contents")? {
        return Ok(None);
    }
    let sql = "SELECT table_name, coalesce(identifier, ''), data_type FROM gpkg_contents \
               WHERE data_type IN ('features', 'attributes') ORDER BY table_name";
    let mut statement = conn.prepare(sql)?;
    let all = statement.query_map([], |row| {
        Ok(Listed { name: row.get(0)?, identifier: row.get(1)?, features: row.get::<_, String>(2)? == "features" })
    })?;
    let mut tables = Vec::new();
    for table in all {
        let table = table?;
        if !table.name.to_lowercase().starts_with("mutu_") && is_plain_table(conn, &table.name)? {
            tables.push(table);
        }
    }
    Ok(Some(tables))
}

/// The layout of a listed table.
///
/// # Errors
/// The engine's: damaged.
pub fn survey(conn: &Connection, listed: &Listed) -> Result<ForeignTable, GpkgError> {
    let place = if listed.features { geometry_of(conn, &listed.name)? } else { None };
    let mut table =
        ForeignTable { name: listed.name.clone(), key: None, geometry: None, columns: Vec::new(), srs: None };
    let mut statement = conn.prepare(&format!("PRAGMA table_xinfo({})", quote(&listed.name)?))?;
    let mut rows = statement.query([])?;
    let mut keys = 0;
    while let Some(row) = rows.next()? {
        let (name, declared): (String, String) = (row.get("name")?, row.get("type")?);
        let (key, hidden): (i64, i64) = (row.get("pk")?, row.get("hidden")?);
        keys += i64::from(key > 0);
        if hidden == 1 {
            continue;
        }
        if place.as_ref().is_some_and(|(geometry, _)| geometry.eq_ignore_ascii_case(&name)) {
            table.geometry = Some(name);
        } else if key == 1 && declared.eq_ignore_ascii_case("INTEGER") {
            table.key = Some(name);
        } else {
            table.columns.push((name, field_type(&declared)));
        }
    }
    if keys > 1 {
        // A key of several columns identifies a row only as a whole: its parts are values.
        table.columns.splice(0..0, table.key.take().map(|name| (name, Some(FieldType::Integer))));
    }
    if table.geometry.is_some() {
        table.srs = place.map(|(_, number)| srs_of(conn, number)).transpose()?;
    }
    Ok(table)
}

impl ForeignTable {
    /// `SELECT` of key and geometry, each where there is one, and values.
    ///
    /// # Errors
    /// [`GpkgError::Standard`] for a name that cannot be one.
    pub fn select_sql(&self) -> Result<String, GpkgError> {
        let names = self.key.iter().chain(&self.geometry).chain(self.columns.iter().map(|(name, _)| name));
        let names = names.map(|name| quote(name)).collect::<Result<Vec<_>, _>>()?;
        let names = if names.is_empty() { "NULL".to_owned() } else { names.join(", ") };
        Ok(format!("SELECT {names} FROM {}", quote(&self.name)?))
    }
}

/// Whether a database is one of our workspaces.
///
/// # Errors
/// The engine's: damaged, or no database.
pub fn is_workspace(conn: &Connection) -> Result<bool, GpkgError> {
    is_plain_table(conn, "mutu_workspace")
}

/// Whether a file is in write-ahead mode and nobody has it open: no log stands beside it.
#[must_use]
pub fn is_still(path: &Path) -> bool {
    let mut head = [0; 20];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut head));
    let write_ahead = read.is_ok() && head[18] == 2;
    write_ahead && log_length(path) == 0
}

/// What a file looks like from outside, so that a change while it was read is noticed.
#[must_use]
pub fn outside(path: &Path) -> Option<(u64, SystemTime, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.len(), metadata.modified().ok()?, log_length(path)))
}

/// Bytes in the logs beside a database that are not yet in it.
#[must_use]
pub fn log_length(path: &Path) -> u64 {
    let length = |ending: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        std::fs::metadata(name).map_or(0, |metadata| metadata.len())
    };
    length("-wal") + length("-journal")
}

fn geometry_of(conn: &Connection, table: &str) -> Result<Option<(String, i64)>, GpkgError> {
    if !is_plain_table(conn, "gpkg_geometry_columns")? {
        return Ok(None);
    }
    let sql = "SELECT column_name, srs_id FROM gpkg_geometry_columns WHERE lower(table_name) = lower(?1)";
    Ok(conn.query_row(sql, [table], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

fn srs_of(conn: &Connection, number: i64) -> Result<ForeignSrs, GpkgError> {
    let missing = ForeignSrs { number, code: None, definition: String::new() };
    if !is_plain_table(conn, "gpkg_spatial_ref_sys")? {
        return Ok(missing);
    }
    let sql = "SELECT organization, organization_coordsys_id, definition FROM gpkg_spatial_ref_sys WHERE srs_id = ?1";
    let found = conn.query_row(sql, [number], |row| {
        Ok(ForeignSrs { number, code: Some((row.get(0)?, row.get(1)?)), definition: row.get(2)? })
    });
    Ok(found.optional()?.unwrap_or(missing))
}

/// The type of a declared column; beyond the standard's own names by the engine's rules of affinity.
fn field_type(declared: &str) -> Option<FieldType> {
    let upper = declared.to_uppercase();
    match ColumnType::parse(declared) {
        Some(ColumnType::Boolean) => Some(FieldType::Boolean),
        Some(ColumnType::Date) => Some(FieldType::Date),
        Some(ColumnType::DateTime) => Some(FieldType::DateTime),
        Some(ColumnType::Float | ColumnType::Double) => Some(FieldType::Real),
        Some(ColumnType::Text(_)) => Some(FieldType::Text),
        Some(ColumnType::Blob(_) | ColumnType::Geometry(_)) => None,
        _ if upper.contains("INT") => Some(FieldType::Integer),
        _ if ["CHAR", "CLOB", "TEXT"].iter().any(|word| upper.contains(word)) => Some(FieldType::Text),
        _ if ["REAL", "FLOA", "DOUB"].iter().any(|word| upper.contains(word)) => Some(FieldType::Real),
        _ => None,
    }
}
