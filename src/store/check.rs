//! Verifying a workspace: the file's own integrity, and that the parts of it agree.

use rusqlite::{Connection, OptionalExtension};

use super::{
    error::StoreError,
    scan::{Reader, scan},
    workspace::{StoredLayer, Workspace, last_seq},
};
use crate::gpkg::table::{Table, is_plain_table, quote};

/// Something that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The layer, where it is one's.
    pub layer: Option<String>,
    /// What, for people.
    pub what: String,
}

impl Workspace {
    /// Everything that is not as it must be; nothing for a sound workspace.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] where the damage stops the check itself; [`StoreError::Io`].
    pub fn check(&self) -> Result<Vec<Problem>, StoreError> {
        Checking { conn: &self.conn, layers: &self.layers }.problems()
    }
}

impl Reader {
    /// As [`Workspace::check`].
    ///
    /// # Errors
    /// As [`Workspace::check`].
    pub fn check(&self) -> Result<Vec<Problem>, StoreError> {
        Checking { conn: &self.conn, layers: &self.layers }.problems()
    }
}

struct Checking<'a> {
    conn: &'a Connection,
    layers: &'a [StoredLayer],
}

impl Checking<'_> {
    fn problems(&self) -> Result<Vec<Problem>, StoreError> {
        let mut problems = Vec::new();
        let mut statement = self.conn.prepare("PRAGMA integrity_check")?;
        let found = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
        problems.extend(found.into_iter().filter(|line| line != "ok").map(|what| Problem { layer: None, what }));
        let mut statement = self.conn.prepare("PRAGMA foreign_key_check")?;
        let found = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
        problems.extend(
            found.into_iter().map(|table| Problem {
                layer: None,
                what: format!("a row of {table} refers to one that is not there"),
            }),
        );
        for stored in self.layers {
            let whats = self.check_layer(stored)?;
            let layer = Some(stored.layer.id.to_string());
            problems.extend(whats.into_iter().map(|what| Problem { layer: layer.clone(), what }));
        }
        Ok(problems)
    }

    fn check_layer(&self, stored: &StoredLayer) -> Result<Vec<String>, StoreError> {
        let table = Table::of(&stored.layer);
        if !is_plain_table(self.conn, &table.name)? {
            return Ok(vec!["its table is missing".to_owned()]);
        }
        let faults = table.shadow().faults(self.conn)?;
        let mut whats: Vec<String> = faults.iter().map(ToString::to_string).collect();
        if !faults.iter().all(crate::gpkg::shadow::TableFault::is_bearable) {
            return Ok(whats);
        }
        let listed = "SELECT 1 FROM gpkg_contents WHERE table_name = ?1";
        if self.conn.query_row(listed, [&table.name], |_| Ok(())).optional()?.is_none() {
            whats.push("gpkg_contents does not list it".to_owned());
        }
        if stored.base > last_seq(self.conn)? {
            whats.push("its version is later than the last edit".to_owned());
        }
        let unread = scan(self.conn, stored, None, &mut |row| row.to_feature().map(|_| ()));
        match unread {
            Err(StoreError::Corrupt { what }) => whats.push(what),
            other => other?,
        }
        whats.extend(self.check_index(&table)?);
        Ok(whats)
    }

    /// The R-tree holds exactly the geometries that are not empty, each in a box that covers it.
    fn check_index(&self, table: &Table) -> Result<Vec<String>, StoreError> {
        let (Some(rtree), Some(geometry)) = (table.rtree(), &table.geometry) else { return Ok(vec![]) };
        let (name, key, geometry, rtree) = (table.quoted()?, quote(&table.key)?, quote(geometry)?, quote(&rtree)?);
        let filled = format!("{geometry} NOT NULL AND NOT ST_IsEmpty({geometry})");
        let count = |sql: String| self.conn.query_row(&sql, [], |row| row.get::<_, i64>(0));
        let geometries = count(format!("SELECT count(*) FROM {name} WHERE {filled}"))?;
        let boxes = count(format!("SELECT count(*) FROM {rtree}"))?;
        let covered = count(format!(
            "SELECT count(*) FROM {name} t JOIN {rtree} r ON r.id = t.{key} WHERE {filled} \
             AND r.minx <= ST_MinX(t.{geometry}) AND r.maxx >= ST_MaxX(t.{geometry}) \
             AND r.miny <= ST_MinY(t.{geometry}) AND r.maxy >= ST_MaxY(t.{geometry})"
        ))?;
        let mut whats = Vec::new();
        if boxes != geometries || covered != geometries {
            whats
                .push(format!("the R-tree has {boxes} boxes for {geometries} geometries and covers {covered} of them"));
        }
        for suffix in ["insert", "update2", "update4", "delete"] {
            let trigger = format!("{}_{suffix}", table.rtree().unwrap_or_default());
            let there = "SELECT 1 FROM sqlite_schema WHERE type = 'trigger' AND name = ?1";
            if self.conn.query_row(there, [&trigger], |_| Ok(())).optional()?.is_none() {
                whats.push(format!("the trigger {trigger} is missing"));
            }
        }
        Ok(whats)
    }
}
