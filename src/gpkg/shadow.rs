//! The shadow of a layer's table: each row that another program touched, as it was before the first touch.
//!
//! Triggers on the layer's table copy a row into its shadow before anybody else changes it, cell by cell, in the
//! transaction that changes it. Our own writes set the key `writing` in `mutu_workspace` meanwhile, which keeps the
//! triggers still. So what was changed from outside is known exactly, also after our program was stopped, in time
//! proportional to the change.
//!
//! Invariant: a row is in the shadow exactly if another program inserted, updated or deleted it and nobody has settled
//! that yet; the first image stays.
//!
//! Question: why `WHERE NOT EXISTS` and not `INSERT OR IGNORE`? A conflict clause of the outer statement (`INSERT OR
//! REPLACE`) overrides those inside of triggers, and a later image would take the place of the first. And why a trigger
//! before each insert? `REPLACE` deletes rows without firing delete triggers.

use rusqlite::{Connection, OptionalExtension, params};

use super::{
    GpkgError,
    table::{Table, is_plain_table, quote},
};

/// The key in `mutu_workspace` that is there while we write ourselves.
pub const WRITING: &str = "writing";

const ENDINGS: [&str; 5] = ["insert", "inserted", "update", "updated", "delete"];

/// What another program did to a layer's table as such.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableFault {
    /// There is no such table: it was dropped or renamed.
    Missing,
    /// The table is another one of the same name: what it held is not in the file any more.
    Recreated,
    /// A column is missing.
    ColumnMissing(String),
    /// A column bears another name.
    ColumnRenamed {
        /// Its name in the layer.
        from: String,
        /// Its name in the table.
        to: String,
    },
    /// A column that the layer does not have: its values are not part of the record.
    ColumnAdded(String),
}

impl TableFault {
    /// Whether the recorded rows can still be read.
    #[must_use]
    pub const fn is_bearable(&self) -> bool {
        matches!(self, Self::ColumnAdded(_))
    }
}

impl std::fmt::Display for TableFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing => write!(
                f,
                "its table was dropped or renamed by another program: give a renamed one its name back; the rows of a dropped \
                 one are not in the file any more, but a server that was running then still answers from memory: export the \
                 layer from it before you stop it, or find a copy, and import that with --replace"
            ),
            Self::Recreated => write!(
                f,
                "its table was replaced as a whole by another program: what it held is not in the file any more, but a \
                 server that was running then still answers from memory: export the layer from it before you stop it, or \
                 restore a backup, or import the new rows with --replace"
            ),
            Self::ColumnMissing(name) => write!(f, "its column {name:?} was removed by another program"),
            Self::ColumnRenamed { from, to } => {
                write!(f, "its column {from:?} was renamed to {to:?} by another program")
            }
            Self::ColumnAdded(name) => write!(
                f,
                "the column {name:?} was added by another program: its values are not part of the layer and are not served"
            ),
        }
    }
}

/// The shadow of a table.
#[derive(Debug, Clone, Copy)]
pub struct Shadow<'t> {
    table: &'t Table,
}

impl Table {
    /// The shadow of this table.
    #[must_use]
    pub const fn shadow(&self) -> Shadow<'_> {
        Shadow { table: self }
    }
}

impl Shadow<'_> {
    /// The name of the shadow's own table.
    #[must_use]
    pub fn name(&self) -> String {
        format!("mutu_before_{}", self.table.name)
    }

    /// Whether the shadow has ever been made.
    ///
    /// # Errors
    /// The engine's.
    pub fn exists(&self, conn: &Connection) -> Result<bool, GpkgError> {
        is_plain_table(conn, &self.name())
    }

    /// Makes the shadow, where there is none yet, and its triggers anew.
    ///
    /// # Errors
    /// The engine's.
    pub fn arm(&self, conn: &Connection) -> Result<(), GpkgError> {
        let columns = self.columns().replacen("id", "", 1);
        let name = quote(&self.name())?;
        conn.execute_batch(&format!(
            "CREATE TABLE IF NOT EXISTS {name} (id INTEGER PRIMARY KEY NOT NULL, is_new INTEGER NOT NULL{columns})"
        ))?;
        let told = "SELECT 1 FROM gpkg_extensions WHERE table_name = ?1";
        if conn.query_row(told, [self.name()], |_| Ok(())).optional()?.is_none() {
            conn.execute(
                "INSERT INTO gpkg_extensions (table_name, column_name, extension_name, definition, scope) \
                 VALUES (?1, NULL, 'mutu_workspace', 'Rows as they were before another program changed them: do not edit', \
                 'write-only')",
                [self.name()],
            )?;
        }
        self.disarm(conn)?;
        for sql in self.triggers()? {
            conn.execute_batch(&sql)?;
        }
        Ok(())
    }

    /// Removes the triggers; the shadow stays.
    ///
    /// # Errors
    /// The engine's.
    pub fn disarm(&self, conn: &Connection) -> Result<(), GpkgError> {
        for ending in ENDINGS {
            conn.execute_batch(&format!("DROP TRIGGER IF EXISTS {}", quote(&self.trigger(ending))?))?;
        }
        Ok(())
    }

    /// Removes shadow and triggers.
    ///
    /// # Errors
    /// The engine's.
    pub fn remove(&self, conn: &Connection) -> Result<(), GpkgError> {
        self.disarm(conn)?;
        conn.execute("DELETE FROM gpkg_extensions WHERE table_name = ?1", [self.name()])?;
        Ok(conn.execute_batch(&format!("DROP TABLE IF EXISTS {}", quote(&self.name())?))?)
    }

    /// Whether all triggers are there, on this table.
    ///
    /// # Errors
    /// The engine's.
    pub fn is_armed(&self, conn: &Connection) -> Result<bool, GpkgError> {
        let sql = "SELECT 1 FROM sqlite_schema WHERE type = 'trigger' AND name = ?1 AND lower(tbl_name) = lower(?2)";
        let mut statement = conn.prepare_cached(sql)?;
        for ending in ENDINGS {
            let found = statement.query_row(params![self.trigger(ending), self.table.name], |_| Ok(())).optional()?;
            if found.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether another program changed rows that nobody has settled.
    ///
    /// # Errors
    /// The engine's.
    pub fn is_pending(&self, conn: &Connection) -> Result<bool, GpkgError> {
        if !self.exists(conn)? {
            return Ok(false);
        }
        let sql = format!("SELECT 1 FROM {} LIMIT 1", quote(&self.name())?);
        Ok(conn.prepare_cached(&sql)?.query_row([], |_| Ok(())).optional()?.is_some())
    }

    /// Whether another program changed this row.
    ///
    /// # Errors
    /// The engine's.
    pub fn holds(&self, conn: &Connection, id: i64) -> Result<bool, GpkgError> {
        if !self.exists(conn)? {
            return Ok(false);
        }
        let sql = format!("SELECT 1 FROM {} WHERE id = ?1", quote(&self.name())?);
        Ok(conn.prepare_cached(&sql)?.query_row([id], |_| Ok(())).optional()?.is_some())
    }

    /// The ids of all rows that another program changed, and whether each is new, in order.
    ///
    /// # Errors
    /// The engine's.
    pub fn ids(&self, conn: &Connection) -> Result<Vec<(i64, bool)>, GpkgError> {
        if !self.exists(conn)? {
            return Ok(Vec::new());
        }
        let mut statement = conn.prepare(&format!("SELECT id, is_new FROM {} ORDER BY id", quote(&self.name())?))?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// `SELECT` of one row as it was before, by its id, in the order of [`Table::select_sql`].
    ///
    /// # Errors
    /// [`GpkgError::Standard`] for a name that cannot be one.
    pub fn image_sql(&self) -> Result<String, GpkgError> {
        Ok(format!("SELECT {} FROM {} WHERE id = ?1 AND NOT is_new", self.columns(), quote(&self.name())?))
    }

    /// `SELECT` of all rows with ids from `?1` to `?2` as they were before other programs changed them, in order of ids.
    ///
    /// # Errors
    /// [`GpkgError::Standard`] for a name that cannot be one.
    pub fn recorded_sql(&self) -> Result<String, GpkgError> {
        let (key, name) = (quote(&self.table.key)?, quote(&self.name())?);
        Ok(format!(
            "{} WHERE {key} BETWEEN ?1 AND ?2 AND {key} NOT IN (SELECT id FROM {name}) \
             UNION ALL SELECT {} FROM {name} WHERE NOT is_new AND id BETWEEN ?1 AND ?2 ORDER BY 1",
            self.table.select_sql()?,
            self.columns()
        ))
    }

    /// Puts a row back as it was before another program changed it, and forgets the change. The key [`WRITING`] must be
    /// set.
    ///
    /// # Errors
    /// The engine's.
    pub fn put_back(&self, conn: &Connection, id: i64) -> Result<(), GpkgError> {
        let (table, key, name) = (self.table.quoted()?, quote(&self.table.key)?, quote(&self.name())?);
        let columns = self.table.column_list()?.join(", ");
        let image = self.image_sql()?;
        let is_new = conn.prepare_cached(&image)?.query_row([id], |_| Ok(())).optional()?.is_none();
        if is_new {
            conn.prepare_cached(&format!("DELETE FROM {table} WHERE {key} = ?1"))?.execute([id])?;
        } else {
            // Columns that somebody added keep their values.
            let update = format!("UPDATE {table} SET ({columns}) = ({image}) WHERE {key} = ?1");
            // The triggers of the R-tree stop at an update of what is no geometry, not at its deletion.
            let updated = conn.prepare_cached(&update)?.execute([id]).unwrap_or(0);
            if updated == 0 {
                conn.prepare_cached(&format!("DELETE FROM {table} WHERE {key} = ?1"))?.execute([id])?;
                conn.prepare_cached(&format!("INSERT INTO {table} ({columns}) {image}"))?.execute([id])?;
            }
        }
        forget(conn, id, &name)
    }

    /// Forgets that another program changed a row, which stays as it is.
    ///
    /// # Errors
    /// The engine's.
    pub fn settle(&self, conn: &Connection, id: i64) -> Result<(), GpkgError> {
        forget(conn, id, &quote(&self.name())?)
    }

    /// What another program did to the table as such.
    ///
    /// # Errors
    /// The engine's.
    pub fn faults(&self, conn: &Connection) -> Result<Vec<TableFault>, GpkgError> {
        let name = &self.table.name;
        if !is_plain_table(conn, name)? {
            return Ok(vec![TableFault::Missing]);
        }
        let mut statement = conn.prepare("SELECT name FROM pragma_table_xinfo(?1) ORDER BY cid")?;
        let has = statement.query_map([name], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
        let wanted = self.table.column_names();
        let recreated = self.exists(conn)? && !self.is_armed(conn)?;
        let mut faults: Vec<TableFault> = recreated.then_some(TableFault::Recreated).into_iter().collect();
        let is_wanted = |name: &String| wanted.contains(&name.as_str());
        let mut added: Vec<&String> = has.iter().filter(|name| !is_wanted(name)).collect();
        for (place, name) in wanted.iter().enumerate() {
            if has.iter().any(|has| has == name) {
                continue;
            }
            // The engine keeps the place of a column that is renamed.
            let there = has.get(place).and_then(|other| added.iter().position(|added| *added == other));
            faults.push(match there.filter(|_| has.len() == wanted.len() && !recreated) {
                Some(at) => TableFault::ColumnRenamed { from: (*name).to_owned(), to: added.swap_remove(at).clone() },
                None => TableFault::ColumnMissing((*name).to_owned()),
            });
        }
        faults.extend(added.into_iter().map(|name| TableFault::ColumnAdded(name.clone())));
        Ok(faults)
    }

    /// Columns of a row of [`Table::select_sql`].
    fn width(self) -> usize {
        self.table.first_value() + self.table.columns.len()
    }

    /// The shadow's columns in the order of [`Table::select_sql`].
    fn columns(self) -> String {
        let others = (1..self.width()).map(|place| format!(", c{place}"));
        std::iter::once("id".to_owned()).chain(others).collect()
    }

    fn trigger(self, ending: &str) -> String {
        format!("mutu_keep_{}_{ending}", self.table.name)
    }

    /// The statements that make its triggers.
    pub(super) fn triggers(self) -> Result<Vec<String>, GpkgError> {
        let (table, shadow, key) = (self.table.quoted()?, quote(&self.name())?, quote(&self.table.key)?);
        let columns = self.table.column_list()?;
        let of = |row: &str| columns[1..].iter().map(|name| [", ", row, ".", name].concat()).collect::<String>();
        let into = |row: &str| {
            let (head, rest) = self
                .columns()
                .split_once(',')
                .map_or((self.columns(), String::new()), |(id, rest)| (id.to_owned(), format!(",{rest}")));
            format!("INSERT INTO {shadow} ({head}, is_new{rest}) SELECT {row}.{key}, 0{}", of(row))
        };
        let unknown = |row: &str| format!("NOT EXISTS (SELECT 1 FROM {shadow} WHERE id = {row}.{key})");
        let displaced = format!("{} FROM {table} AS t WHERE t.{key} = NEW.{key} AND {}", into("t"), unknown("t"));
        let new = format!("INSERT INTO {shadow} (id, is_new) SELECT NEW.{key}, 1 WHERE {}", unknown("NEW"));
        let old = format!("{} WHERE {}", into("OLD"), unknown("OLD"));
        let moved = format!("NEW.{key} IS NOT OLD.{key}");
        let quiet = format!("NOT EXISTS (SELECT 1 FROM mutu_workspace WHERE key = '{WRITING}')");
        let bodies = [
            ("insert", "BEFORE INSERT", quiet.clone(), displaced.clone()),
            ("inserted", "AFTER INSERT", quiet.clone(), new.clone()),
            ("update", "BEFORE UPDATE", quiet.clone(), format!("{old}; {displaced} AND {moved}")),
            ("updated", "AFTER UPDATE", format!("{moved} AND {quiet}"), new),
            ("delete", "BEFORE DELETE", quiet, old),
        ];
        let written = bodies.into_iter().map(|(ending, when, condition, body)| {
            Ok(format!(
                "CREATE TRIGGER {} {when} ON {table} FOR EACH ROW WHEN {condition} BEGIN {body}; END",
                quote(&self.trigger(ending))?
            ))
        });
        written.collect()
    }
}

fn forget(conn: &Connection, id: i64, quoted: &str) -> Result<(), GpkgError> {
    conn.prepare_cached(&format!("DELETE FROM {quoted} WHERE id = ?1"))?.execute([id])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::schema::FieldType;

    fn table() -> Table {
        Table {
            name: "地块 \"x\"".to_owned(),
            key: "fid".to_owned(),
            geometry: None,
            columns: vec![("状态".to_owned(), FieldType::Text), ("id".to_owned(), FieldType::Real)],
        }
    }

    /// A table with three rows and its shadow.
    fn file() -> Connection {
        let conn = Connection::open_in_memory().unwrap();
        super::super::table::create_container(&conn).unwrap();
        conn.execute_batch("CREATE TABLE mutu_workspace (key TEXT PRIMARY KEY, value TEXT)").unwrap();
        let table = table();
        table.create(&conn, super::super::table::Kinds::Several).unwrap();
        conn.execute_batch("INSERT INTO \"地块 \"\"x\"\"\" VALUES (1, 'a', 1.5), (2, 'b', 2.5), (3, 'c', 3.5)")
            .unwrap();
        table.shadow().arm(&conn).unwrap();
        conn
    }

    fn all(conn: &Connection, sql: &str) -> Vec<(i64, Option<String>, Option<f64>)> {
        let mut statement = conn.prepare(sql).unwrap();
        let rows = statement.query_map((i64::MIN, i64::MAX), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        rows.unwrap().map(Result::unwrap).collect()
    }

    fn recorded() -> Vec<(i64, Option<String>, Option<f64>)> {
        [(1, "a", 1.5), (2, "b", 2.5), (3, "c", 3.5)]
            .map(|(id, text, number)| (id, Some(text.to_owned()), Some(number)))
            .to_vec()
    }

    #[test]
    fn whatever_statement_changes_rows_the_recorded_state_is_kept() {
        let table = table();
        for (statement, ids) in [
            ("UPDATE § SET 状态 = 'z' WHERE fid = 2", vec![(2, false)]),
            ("UPDATE § SET 状态 = 'y' WHERE fid = 2; UPDATE § SET 状态 = 'z' WHERE fid = 2", vec![(2, false)]),
            ("DELETE FROM § WHERE fid = 1", vec![(1, false)]),
            ("DELETE FROM §", vec![(1, false), (2, false), (3, false)]),
            ("INSERT INTO § VALUES (NULL, 'n', 9)", vec![(4, true)]),
            ("INSERT INTO § VALUES (NULL, 'n', 9); DELETE FROM § WHERE fid = 4", vec![(4, true)]),
            ("DELETE FROM § WHERE fid = 3; INSERT INTO § VALUES (3, 'n', 9)", vec![(3, false)]),
            ("REPLACE INTO § VALUES (2, 'r', 9), (7, 's', 9)", vec![(2, false), (7, true)]),
            ("REPLACE INTO § VALUES (2, 'r', 9); REPLACE INTO § VALUES (2, 's', 9)", vec![(2, false)]),
            ("UPDATE § SET fid = 9 WHERE fid = 2", vec![(2, false), (9, true)]),
            ("UPDATE OR REPLACE § SET fid = 3 WHERE fid = 2", vec![(2, false), (3, false)]),
            ("UPDATE OR REPLACE § SET rowid = 3 WHERE fid = 2", vec![(2, false), (3, false)]),
            ("INSERT INTO § VALUES (2, 'u', 1) ON CONFLICT (fid) DO UPDATE SET 状态 = 'v'", vec![(2, false)]),
            ("INSERT OR IGNORE INTO § VALUES (2, 'u', 1)", vec![(2, false)]),
            ("BEGIN; DELETE FROM §; ROLLBACK", vec![]),
        ] {
            let conn = file();
            conn.execute_batch(&statement.replace('§', "\"地块 \"\"x\"\"\"")).unwrap();
            assert_eq!(table.shadow().ids(&conn).unwrap(), ids, "{statement}");
            assert_eq!(all(&conn, &table.shadow().recorded_sql().unwrap()), recorded(), "{statement}");
            assert_eq!(table.shadow().is_pending(&conn).unwrap(), !ids.is_empty());
            // Put back, the table is as it was, and nothing waits.
            conn.execute_batch("INSERT INTO mutu_workspace VALUES ('writing', '1')").unwrap();
            for (id, _) in ids {
                table.shadow().put_back(&conn, id).unwrap();
            }
            let plain = format!("{} WHERE fid BETWEEN ?1 AND ?2", table.select_sql().unwrap());
            assert_eq!(all(&conn, &plain), recorded(), "{statement}");
            assert!(!table.shadow().is_pending(&conn).unwrap());
        }
    }

    #[test]
    fn our_own_writes_leave_no_trace_while_the_key_is_set() {
        let (conn, table) = (file(), table());
        conn.execute_batch(
            "INSERT INTO mutu_workspace VALUES ('writing', '1'); UPDATE \"地块 \"\"x\"\"\" SET 状态 = 'o'; \
             DELETE FROM \"地块 \"\"x\"\"\" WHERE fid = 1; INSERT INTO \"地块 \"\"x\"\"\" VALUES (8, 'p', 1)",
        )
        .unwrap();
        assert!(!table.shadow().is_pending(&conn).unwrap());
    }

    #[test]
    fn what_was_done_to_the_table_as_such_is_named() {
        let table = table();
        for (statement, faults) in [
            ("ALTER TABLE § ADD COLUMN 备注 TEXT", vec![TableFault::ColumnAdded("备注".to_owned())]),
            (
                "ALTER TABLE § RENAME COLUMN 状态 TO 情况",
                vec![TableFault::ColumnRenamed { from: "状态".to_owned(), to: "情况".to_owned() }],
            ),
            ("ALTER TABLE § RENAME TO U", vec![TableFault::Missing]),
            ("DROP TABLE §", vec![TableFault::Missing]),
            (
                "DROP TABLE §; CREATE TABLE § (fid INTEGER PRIMARY KEY, 状态)",
                vec![TableFault::Recreated, TableFault::ColumnMissing("id".to_owned())],
            ),
        ] {
            let conn = file();
            assert_eq!(table.shadow().faults(&conn).unwrap(), []);
            conn.execute_batch(&statement.replace('§', "\"地块 \"\"x\"\"\"")).unwrap();
            assert_eq!(table.shadow().faults(&conn).unwrap(), faults, "{statement}");
        }
        // The engine itself keeps others from dropping a column that the record needs.
        assert!(file().execute_batch("ALTER TABLE \"地块 \"\"x\"\"\" DROP COLUMN 状态").is_err());
    }
}
