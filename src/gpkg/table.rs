//! Tables of features: their layout, their rows in the standard's own tables, their R-tree and its triggers.
//!
//! Invariant: after [`Table::register`] and [`Table::index`] a table is one that any GeoPackage program may
//! read and edit: contents row with extent, geometry column row, R-tree with all triggers.

use geopackage_core::{ddl, ident, triggers, version};
use rusqlite::{Connection, OptionalExtension, params};

use super::{GpkgError, cell, rtree, srs};
use crate::{
    domain::{
        layer::{GeometryClass, Layer},
        schema::{Field, FieldType},
    },
    ground::shape::{Bounds, ShapeKind},
};

/// GeoPackage 1.3, understood by every reader in use.
const USER_VERSION: i32 = 10_300;

/// Makes an empty database a GeoPackage without tables.
///
/// # Errors
/// The engine's.
pub fn create_container(conn: &Connection) -> Result<(), GpkgError> {
    conn.pragma_update(None, "application_id", version::APPLICATION_ID_GPKG)?;
    conn.pragma_update(None, "user_version", USER_VERSION)?;
    for sql in [
        ddl::CREATE_GPKG_SPATIAL_REF_SYS,
        ddl::CREATE_GPKG_CONTENTS,
        ddl::CREATE_GPKG_GEOMETRY_COLUMNS,
        ddl::CREATE_GPKG_EXTENSIONS,
    ] {
        conn.execute_batch(sql)?;
    }
    for sql in ddl::SEED_SPATIAL_REF_SYS {
        conn.execute_batch(sql)?;
    }
    srs::insert_ours(conn)
}

/// The layout of a table: names of its key, its geometry column and its value columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The table's name: the layer's id.
    pub name: String,
    /// The column of the feature's id; `fid` unless a value column has that name.
    pub key: String,
    /// The geometry column; `geom` unless a value column has that name; `None` for a table without geometry.
    pub geometry: Option<String>,
    /// The value columns, in order.
    pub columns: Vec<(String, FieldType)>,
}

/// What the standard's tables say about a table.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    /// The name for people, unique in the file.
    pub identifier: &'a str,
    /// What it holds.
    pub description: &'a str,
    /// The CRS of its coordinates, by its number in the file.
    pub srs_id: i32,
    /// The kinds of geometry in it.
    pub kinds: Kinds,
    /// The box around its geometries.
    pub extent: Option<Bounds>,
    /// When it was written, as the standard's text.
    pub changed: &'a str,
}

/// Which kinds of geometry a table has been seen to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kinds {
    /// None yet.
    Unseen,
    /// Only one.
    One(ShapeKind),
    /// More than one.
    Several,
}

impl Kinds {
    /// The kinds after one more geometry.
    #[must_use]
    pub fn with(self, kind: ShapeKind) -> Self {
        match self {
            Self::Unseen => Self::One(kind),
            Self::One(seen) if seen == kind => self,
            Self::One(_) | Self::Several => Self::Several,
        }
    }

    /// The kinds that a layer is created with, before a geometry has been seen.
    #[must_use]
    pub const fn of_class(class: GeometryClass) -> Self {
        match class {
            GeometryClass::Point => Self::One(ShapeKind::Point),
            GeometryClass::Line => Self::One(ShapeKind::LineString),
            GeometryClass::Surface => Self::One(ShapeKind::Polygon),
            GeometryClass::Mixed | GeometryClass::None => Self::Several,
        }
    }

    /// The standard's name: the column type that holds them.
    #[must_use]
    pub fn type_name(self) -> String {
        match self {
            Self::One(kind) => kind.as_str().to_uppercase(),
            Self::Unseen | Self::Several => "GEOMETRY".to_owned(),
        }
    }
}

impl Table {
    /// The layout of a layer's table.
    #[must_use]
    pub fn of(layer: &Layer) -> Self {
        let fields = &layer.schema.fields;
        Self {
            name: layer.id.as_str().to_owned(),
            key: free_name("fid", fields),
            geometry: (layer.geometry != GeometryClass::None).then(|| free_name("geom", fields)),
            columns: fields.iter().map(|field| (field.name.clone(), field.kind)).collect(),
        }
    }

    /// Creates the table, without an entry in the standard's tables.
    ///
    /// # Errors
    /// [`GpkgError::Standard`] for a name that cannot be one (empty, or with a NUL); else the engine's.
    pub fn create(&self, conn: &Connection, kinds: Kinds) -> Result<(), GpkgError> {
        let mut sql = format!(
            "CREATE TABLE {} ({} INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL",
            self.quoted()?,
            quote(&self.key)?
        );
        if let Some(geometry) = &self.geometry {
            sql += &format!(", {} {}", quote(geometry)?, kinds.type_name());
        }
        for (name, kind) in &self.columns {
            sql += &format!(", {} {}", quote(name)?, cell::column_type(*kind).ddl_name());
        }
        sql.push(')');
        Ok(conn.execute_batch(&sql)?)
    }

    /// Enters the table into the standard's tables.
    ///
    /// # Errors
    /// The engine's.
    pub fn register(&self, conn: &Connection, entry: &Entry<'_>) -> Result<(), GpkgError> {
        let corner = |pick: fn(&Bounds) -> f64| entry.extent.as_ref().map(pick);
        conn.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, last_change, \
             min_x, min_y, max_x, max_y, srs_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            params![
                self.name,
                if self.geometry.is_some() { "features" } else { "attributes" },
                entry.identifier,
                entry.description,
                entry.changed,
                corner(|b| b.min.x),
                corner(|b| b.min.y),
                corner(|b| b.max.x),
                corner(|b| b.max.y),
                self.geometry.as_ref().map(|_| entry.srs_id),
            ],
        )?;
        if let Some(geometry) = &self.geometry {
            conn.execute(
                "INSERT INTO gpkg_geometry_columns (table_name, column_name, geometry_type_name, srs_id, z, m) \
                 VALUES (?1, ?2, ?3, ?4, 0, 0)",
                params![self.name, geometry, entry.kinds.type_name(), entry.srs_id],
            )?;
        }
        Ok(())
    }

    /// Builds the R-tree of boxes (id, west, east, south, north) and then its triggers. A table without
    /// geometry has none.
    ///
    /// # Errors
    /// The engine's.
    pub fn index(&self, conn: &Connection, boxes: &[(i64, Bounds)]) -> Result<(), GpkgError> {
        let Some(geometry) = &self.geometry else { return Ok(()) };
        conn.execute_batch(&triggers::create_rtree_table_sql(&self.name, geometry)?)?;
        conn.execute(
            "INSERT INTO gpkg_extensions (table_name, column_name, extension_name, definition, scope) \
             VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                self.name,
                geometry,
                triggers::EXTENSION_NAME,
                triggers::EXTENSION_DEFINITION,
                triggers::EXTENSION_SCOPE
            ],
        )?;
        rtree::fill(conn, &triggers::rtree_table_name(&self.name, geometry), boxes)?;
        self.create_triggers(conn)
    }

    /// Adds boxes to an R-tree whose triggers are off.
    ///
    /// # Errors
    /// The engine's.
    pub fn add_to_index(&self, conn: &Connection, boxes: &[(i64, Bounds)]) -> Result<(), GpkgError> {
        let Some(rtree) = self.rtree() else { return Ok(()) };
        let mut insert = conn.prepare(&format!("INSERT INTO {} VALUES (?1, ?2, ?3, ?4, ?5)", quote(&rtree)?))?;
        for (id, b) in boxes {
            insert.execute(params![id, b.min.x, b.max.x, b.min.y, b.max.y])?;
        }
        Ok(())
    }

    /// Creates the triggers that keep the R-tree right under anybody's edits.
    ///
    /// # Errors
    /// The engine's.
    pub fn create_triggers(&self, conn: &Connection) -> Result<(), GpkgError> {
        let Some(geometry) = &self.geometry else { return Ok(()) };
        for sql in triggers::create_triggers_sql(&self.name, geometry, &self.key)? {
            conn.execute_batch(&sql)?;
        }
        Ok(())
    }

    /// Removes the R-tree's triggers, for rows that will be indexed in bulk in the same transaction.
    ///
    /// # Errors
    /// The engine's.
    pub fn drop_triggers(&self, conn: &Connection) -> Result<(), GpkgError> {
        let Some(rtree) = self.rtree() else { return Ok(()) };
        for suffix in ["insert", "update1", "update2", "update3", "update4", "update5", "update6", "update7", "delete"]
        {
            conn.execute_batch(&format!("DROP TRIGGER IF EXISTS {}", quote(&format!("{rtree}_{suffix}"))?))?;
        }
        Ok(())
    }

    /// Removes the table's R-tree and all that the standard's tables, and GDAL's own, say of it; the rows stay.
    ///
    /// # Errors
    /// The engine's.
    pub fn forget(&self, conn: &Connection) -> Result<(), GpkgError> {
        for table in ["gpkg_extensions", "gpkg_ogr_contents", "gpkg_geometry_columns", "gpkg_contents"] {
            if table != "gpkg_ogr_contents" || is_plain_table(conn, table)? {
                conn.execute(&format!("DELETE FROM {table} WHERE lower(table_name) = lower(?1)"), [&self.name])?;
            }
        }
        if let Some(rtree) = self.rtree() {
            conn.execute_batch(&format!("DROP TABLE IF EXISTS {}", quote(&rtree)?))?;
        }
        Ok(())
    }

    /// Makes the geometry column one of another type by copying the table; before it is registered.
    ///
    /// # Errors
    /// The engine's.
    pub fn retype(&self, conn: &Connection, kinds: Kinds) -> Result<(), GpkgError> {
        let old = Self { name: format!("mutu_copy_of_{}", self.name), ..self.clone() };
        conn.execute_batch(&format!("ALTER TABLE {} RENAME TO {}", self.quoted()?, old.quoted()?))?;
        self.create(conn, kinds)?;
        conn.execute_batch(&format!("INSERT INTO {} SELECT * FROM {}", self.quoted()?, old.quoted()?))?;
        Ok(conn.execute_batch(&format!("DROP TABLE {}", old.quoted()?))?)
    }

    /// Writes into the standard's tables that geometries were put: the extent and the kinds grow, never shrink.
    ///
    /// # Errors
    /// The engine's.
    pub fn note_change(&self, conn: &Connection, changed: &str, grown: Option<Bounds>) -> Result<(), GpkgError> {
        conn.prepare_cached("UPDATE gpkg_contents SET last_change = ?2 WHERE table_name = ?1")?
            .execute(params![self.name, changed])?;
        if let Some(b) = grown {
            conn.prepare_cached(
                "UPDATE gpkg_contents SET min_x = min(coalesce(min_x, ?2), ?2), min_y = min(coalesce(min_y, ?3), ?3), \
                 max_x = max(coalesce(max_x, ?4), ?4), max_y = max(coalesce(max_y, ?5), ?5) WHERE table_name = ?1",
            )?
            .execute(params![self.name, b.min.x, b.min.y, b.max.x, b.max.y])?;
        }
        Ok(())
    }

    /// Widens the declared geometry type where these kinds do not fit it.
    ///
    /// # Errors
    /// The engine's.
    pub fn widen(&self, conn: &Connection, kinds: Kinds) -> Result<(), GpkgError> {
        if self.geometry.is_none() || kinds == Kinds::Unseen {
            return Ok(());
        }
        conn.prepare_cached(
            "UPDATE gpkg_geometry_columns SET geometry_type_name = 'GEOMETRY' \
             WHERE table_name = ?1 AND geometry_type_name <> ?2 AND geometry_type_name <> 'GEOMETRY'",
        )?
        .execute(params![self.name, kinds.type_name()])?;
        Ok(())
    }

    /// `INSERT` of a row: id, geometry where there is one, values.
    ///
    /// # Errors
    /// [`GpkgError::Standard`] for a name that cannot be one.
    pub fn insert_sql(&self) -> Result<String, GpkgError> {
        let names = self.column_list()?;
        let marks = vec!["?"; names.len()].join(", ");
        Ok(format!("INSERT INTO {} ({}) VALUES ({marks})", self.quoted()?, names.join(", ")))
    }

    /// `UPDATE` of all of a row: geometry where there is one, values, and last the id.
    ///
    /// # Errors
    /// [`GpkgError::Standard`] for a name that cannot be one.
    pub fn update_sql(&self) -> Result<String, GpkgError> {
        let names = self.column_list()?;
        let sets: Vec<String> = names[1..].iter().map(|name| format!("{name} = ?")).collect();
        let sets = if sets.is_empty() { format!("{0} = {0}", names[0]) } else { sets.join(", ") };
        Ok(format!("UPDATE {} SET {sets} WHERE {} = ?", self.quoted()?, names[0]))
    }

    /// `SELECT` of id, geometry where there is one, and values, without a condition.
    ///
    /// # Errors
    /// [`GpkgError::Standard`] for a name that cannot be one.
    pub fn select_sql(&self) -> Result<String, GpkgError> {
        Ok(format!("SELECT {} FROM {}", self.column_list()?.join(", "), self.quoted()?))
    }

    /// The place of the first value in a row of [`Self::select_sql`].
    #[must_use]
    pub const fn first_value(&self) -> usize {
        if self.geometry.is_some() { 2 } else { 1 }
    }

    /// The name of the R-tree, for a table with geometry.
    #[must_use]
    pub fn rtree(&self) -> Option<String> {
        self.geometry.as_ref().map(|geometry| triggers::rtree_table_name(&self.name, geometry))
    }

    /// The table's name, quoted.
    ///
    /// # Errors
    /// [`GpkgError::Standard`] for a name that cannot be one.
    pub fn quoted(&self) -> Result<String, GpkgError> {
        quote(&self.name)
    }

    /// The names of all columns, in the order of [`Self::select_sql`].
    #[must_use]
    pub fn column_names(&self) -> Vec<&str> {
        let names = std::iter::once(&self.key).chain(&self.geometry).chain(self.columns.iter().map(|(name, _)| name));
        names.map(String::as_str).collect()
    }

    pub(super) fn column_list(&self) -> Result<Vec<String>, GpkgError> {
        self.column_names().into_iter().map(quote).collect()
    }
}

/// A name as the engine takes it in a statement.
///
/// # Errors
/// [`GpkgError::Standard`] where it is empty or has a NUL.
pub fn quote(name: &str) -> Result<String, GpkgError> {
    Ok(ident::quote(name)?)
}

/// Whether a name is a plain table (no view, no virtual table, nothing computed).
///
/// # Errors
/// The engine's.
pub fn is_plain_table(conn: &Connection, name: &str) -> Result<bool, GpkgError> {
    let sql = "SELECT sql FROM sqlite_schema WHERE type = 'table' AND lower(name) = lower(?1)";
    let definition: Option<Option<String>> = conn.query_row(sql, [name], |row| row.get(0)).optional()?;
    let virtual_table =
        |sql: &str| sql.trim_start().get(..14).is_some_and(|head| head.eq_ignore_ascii_case("CREATE VIRTUAL"));
    Ok(definition.flatten().is_some_and(|sql| !virtual_table(&sql)))
}

/// `wanted`, or the first of `wanted_1`, `wanted_2` … that no column has.
fn free_name(wanted: &str, fields: &[Field]) -> String {
    let taken = |name: &str| fields.iter().any(|field| field.name.eq_ignore_ascii_case(name));
    let numbered = (1..).map(|n| format!("{wanted}_{n}"));
    std::iter::once(wanted.to_owned()).chain(numbered).find(|name| !taken(name)).expect("the numbers do not end")
}
