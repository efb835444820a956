//! The chain of hashes over the record: each entry of `mutu_edit` carries one that covers the entry before it and all
//! that it wrote, so that nothing in the record can be altered without all later hashes telling of it.
//!
//! Layout, for whoever recomputes it. All hashes are SHA-256. `n(x)` is a whole number as 8 bytes, little-endian,
//! signed; `t(x)` is `n(length in bytes)` and the UTF-8 bytes; `image(x)` is one byte 0 for NULL, else one byte 1 and
//! the hash of the blob, or, where the blob is 33 bytes beginning with 0xFF (its content was compacted away), those
//! last 32 bytes; `opt(x)` is one byte 0 for NULL, else one byte 1 and `n(x)`.
//!
//! ```text
//! before the first entry   SHA-256("mutu workspace " + the workspace's id)
//! hash of an entry         SHA-256(hash before, n(seq), t(at), t(author), t(note), t(kind), content)
//! content                  SHA-256 of these, one after the other, of the rows with the entry's seq:
//!   mutu_change,  by ordinal       "C", n(ordinal), t(layer), n(fid), image(before), image(after)
//!   mutu_lineage, by ordinal       "L", n(ordinal), t(layer), n(parent), n(child)
//!   mutu_import                    "I", t(layer), t(definition), t(report), t(how), opt(first_fid), opt(last_fid)
//!   mutu_digest,  by layer, block  "D", t(layer), n(block), image(rows)
//!   mutu_compact                   "K", n(kept_from)
//!   mutu_checkin                   "M", t(checkout), t(layer), opt(parent), image(log)
//!   mutu_checkin_row, by there     "B", n(there), n(here), image(theirs)
//! ```
//!
//! `mutu_digest.rows` holds, for each row that an import brought (or that stood in the layer when a file of format 1
//! was upgraded), by ascending id: `n(id)` and the first 16 bytes of the hash of the row's cells in the order of the
//! table's columns: one byte 0 for NULL; 1 and `n(x)` for a whole number; 2 and 8 bytes little-endian for a real
//! (minus zero as zero); 3 and `n(length)` and the bytes for text; 4 and the same for a blob.

use rusqlite::{
    Connection, OptionalExtension, Row, params,
    types::{ToSqlOutput, ValueRef as Raw},
};
use sha2::{Digest as _, Sha256};

use super::{error::StoreError, tables};

/// A hash of the chain, written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash(pub [u8; 32]);

impl std::fmt::Display for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl std::str::FromStr for Hash {
    type Err = NotAHash;

    fn from_str(text: &str) -> Result<Self, NotAHash> {
        let digits = text.as_bytes();
        let mut hash = [0; 32];
        if digits.len() != 64 {
            return Err(NotAHash);
        }
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |digit: u8| char::from(digit).to_digit(16).ok_or(NotAHash);
            *byte = (digit(pair[0])? * 16 + digit(pair[1])?) as u8;
        }
        Ok(Self(hash))
    }
}

/// Text that is no hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a hash has 64 hexadecimal digits")]
pub struct NotAHash;

/// The first byte of what stands for content that was compacted away; no record and no block of digests begins so.
const DROPPED: u8 = 0xff;

/// The hash of a blob, also of one whose content was compacted away.
pub(super) fn image_hash(blob: &[u8]) -> [u8; 32] {
    dropped_hash(blob).unwrap_or_else(|| Sha256::digest(blob).into())
}

/// What stands in place of content that was compacted away.
pub(super) fn dropped(blob: &[u8]) -> Vec<u8> {
    let mut out = vec![DROPPED];
    out.extend(image_hash(blob));
    out
}

/// The hash of content that was compacted away; `None` where the blob is the content.
pub(super) fn dropped_hash(blob: &[u8]) -> Option<[u8; 32]> {
    blob.split_first().filter(|(first, _)| **first == DROPPED).and_then(|(_, hash)| hash.try_into().ok())
}

/// The hash of a row's cells, shortened: nobody finds a second row with the same 128 bits.
pub(super) type RowDigest = [u8; 16];

/// Bytes of a row in a block of digests: its id and its digest.
pub(super) const ROW_IN_BLOCK: usize = 24;

/// Rows in a block of digests.
const ROWS_PER_BLOCK: usize = 4096;

/// The cells of a row on their way to its digest.
#[derive(Debug, Default)]
pub(super) struct Cells(Vec<u8>);

impl Cells {
    /// Begins a row.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The next cell.
    pub(super) fn push(&mut self, cell: Raw<'_>) {
        let (tag, bytes) = match cell {
            Raw::Null => return self.0.push(0),
            Raw::Integer(v) => return self.number(1, v.to_le_bytes()),
            // Adding zero makes minus zero zero, as the engine does when it stores one.
            Raw::Real(v) => return self.number(2, (v + 0.0).to_le_bytes()),
            Raw::Text(bytes) => (3, bytes),
            Raw::Blob(bytes) => (4, bytes),
        };
        self.number(tag, (bytes.len() as i64).to_le_bytes());
        self.0.extend_from_slice(bytes);
    }

    /// The next cell, as it is bound to a statement.
    pub(super) fn push_bound(&mut self, cell: &ToSqlOutput<'_>) {
        match cell {
            ToSqlOutput::Borrowed(raw) => self.push(*raw),
            ToSqlOutput::Owned(value) => self.push(value.into()),
            // No other output exists of values that we bind.
            _ => self.push(Raw::Null),
        }
    }

    fn number(&mut self, tag: u8, bytes: [u8; 8]) {
        self.0.push(tag);
        self.0.extend(bytes);
    }

    /// The digest of the row.
    pub(super) fn digest(&self) -> RowDigest {
        let whole: [u8; 32] = Sha256::digest(&self.0).into();
        *whole.first_chunk().expect("16 is less than 32")
    }
}

/// Writes the digests of rows that an entry brought. Sorts them by id.
pub(super) fn write_digests(
    conn: &Connection,
    (seq, layer): (i64, &str),
    rows: &mut [(i64, RowDigest)],
) -> Result<(), StoreError> {
    rows.sort_unstable();
    let mut insert = conn.prepare("INSERT INTO mutu_digest (seq, layer, block, \"rows\") VALUES (?1, ?2, ?3, ?4)")?;
    let mut block = Vec::with_capacity(ROWS_PER_BLOCK * ROW_IN_BLOCK);
    for (number, rows) in rows.chunks(ROWS_PER_BLOCK).enumerate() {
        block.clear();
        for (id, digest) in rows {
            block.extend(id.to_le_bytes());
            block.extend(digest);
        }
        insert.execute(params![seq, layer, number as i64, block])?;
    }
    Ok(())
}

/// What kind of entry of the record it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// An edit made here.
    #[default]
    Edit,
    /// A file taken into a layer.
    Import,
    /// Changes that another program made in the file, taken in.
    Outside,
    /// A part that was checked out, edited elsewhere and brought back.
    Merge,
    /// The record was taken over from a file of an older format: proof begins here.
    Upgrade,
    /// Old content was dropped; its hashes stay.
    Compact,
}

impl Kind {
    /// The word in the record.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Edit => "edit",
            Self::Import => "import",
            Self::Outside => "outside",
            Self::Merge => "merge",
            Self::Upgrade => "upgrade",
            Self::Compact => "compact",
        }
    }
}

/// The head of an entry of the record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head<'a> {
    pub(super) seq: i64,
    pub(super) at: &'a str,
    pub(super) author: &'a str,
    pub(super) note: &'a str,
    pub(super) kind: &'a str,
}

/// Completes an entry, all of whose content has been written: enters it with its hash.
pub(super) fn seal(conn: &Connection, head: Head<'_>) -> Result<Hash, StoreError> {
    enter(conn, head, &content_of(conn, head.seq, tables::has_checkins(conn)?)?)
}

/// The hashes of what a change was before and after; `None` where there was nothing.
pub(super) type Images = (Option<[u8; 32]>, Option<[u8; 32]>);

/// As [`seal`], for an entry whose changes are all known, in their order: they need not be read again.
pub(super) fn seal_changes<'c>(
    conn: &Connection,
    head: Head<'_>,
    changes: impl Iterator<Item = (&'c str, i64, Images)>,
) -> Result<Hash, StoreError> {
    let mut out = Layout(Sha256::new());
    for (ordinal, (layer, id, (before, after))) in changes.enumerate() {
        out.0.update("C");
        out.number(ordinal as i64);
        out.bytes(layer.as_bytes());
        out.number(id);
        out.image(before);
        out.image(after);
    }
    out.rest(conn, head.seq, tables::has_checkins(conn)?)?;
    enter(conn, head, &out.0.finalize().into())
}

fn enter(conn: &Connection, head: Head<'_>, content: &[u8; 32]) -> Result<Hash, StoreError> {
    let hash = entry_hash(&last_hash(conn)?, head, content);
    conn.prepare_cached(
        "INSERT INTO mutu_edit (seq, \"at\", author, note, kind, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![head.seq, head.at, head.author, head.note, head.kind, hash.0])?;
    Ok(hash)
}

/// The hash of the last entry, or of the beginning.
fn last_hash(conn: &Connection) -> Result<Hash, StoreError> {
    let sql = "SELECT seq, hash FROM mutu_edit ORDER BY seq DESC LIMIT 1";
    let last = conn.prepare_cached(sql)?.query_row([], |row| Ok((row.get(0)?, hash_in(row, 1)))).optional()?;
    match last {
        None => beginning(conn),
        Some((_, Some(hash))) => Ok(hash),
        Some((seq, None)) => {
            let seq: i64 = seq;
            Err(StoreError::Corrupt { what: format!("number {seq} of the record has no hash") })
        }
    }
}

/// The hash before the first entry.
pub(super) fn beginning(conn: &Connection) -> Result<Hash, StoreError> {
    Ok(Hash(Sha256::digest(format!("mutu workspace {}", tables::id(conn)?)).into()))
}

/// The hash in a column; `None` where it holds none.
pub(super) fn hash_in(row: &Row<'_>, place: usize) -> Option<Hash> {
    row.get_ref(place).ok()?.as_blob().ok()?.try_into().ok().map(Hash)
}

/// The hash of an entry.
pub(super) fn entry_hash(before: &Hash, head: Head<'_>, content: &[u8; 32]) -> Hash {
    let mut out = Layout(Sha256::new());
    out.0.update(before.0);
    out.number(head.seq);
    for text in [head.at, head.author, head.note, head.kind] {
        out.bytes(text.as_bytes());
    }
    out.0.update(content);
    Hash(out.0.finalize().into())
}

/// The hash over all that an entry wrote. `checkins`: whether the workspace has the tables of these.
pub(super) fn content_of(conn: &Connection, seq: i64, checkins: bool) -> Result<[u8; 32], StoreError> {
    let mut out = Layout(Sha256::new());
    out.rows(
        conn,
        seq,
        "C",
        "SELECT ordinal, layer, fid, before, after FROM mutu_change WHERE seq = ?1 ORDER BY ordinal",
        [Part::Number, Part::Text, Part::Number, Part::Image, Part::Image],
    )?;
    out.rest(conn, seq, checkins)?;
    Ok(out.0.finalize().into())
}

/// How a column enters the hash.
#[derive(Debug, Clone, Copy)]
enum Part {
    Number,
    Text,
    Image,
    Option,
}

/// The bytes that are hashed.
struct Layout(Sha256);

impl Layout {
    /// What an entry wrote beside its changes; check-ins where the file has tables of them.
    fn rest(&mut self, conn: &Connection, seq: i64, checkins: bool) -> Result<(), StoreError> {
        self.rows(
            conn,
            seq,
            "L",
            "SELECT ordinal, layer, parent, child FROM mutu_lineage WHERE seq = ?1 ORDER BY ordinal",
            [Part::Number, Part::Text, Part::Number, Part::Number],
        )?;
        self.rows(
            conn,
            seq,
            "I",
            "SELECT layer, definition, report, how, first_fid, last_fid FROM mutu_import WHERE seq = ?1",
            [Part::Text, Part::Text, Part::Text, Part::Text, Part::Option, Part::Option],
        )?;
        self.rows(
            conn,
            seq,
            "D",
            "SELECT layer, block, \"rows\" FROM mutu_digest WHERE seq = ?1 ORDER BY layer, block",
            [Part::Text, Part::Number, Part::Image],
        )?;
        self.rows(conn, seq, "K", "SELECT kept_from FROM mutu_compact WHERE seq = ?1", [Part::Number])?;
        if checkins {
            self.rows(
                conn,
                seq,
                "M",
                "SELECT checkout, layer, parent, log FROM mutu_checkin WHERE seq = ?1",
                [Part::Text, Part::Text, Part::Option, Part::Image],
            )?;
            self.rows(
                conn,
                seq,
                "B",
                "SELECT there, here, theirs FROM mutu_checkin_row WHERE seq = ?1 ORDER BY there",
                [Part::Number, Part::Number, Part::Image],
            )?;
        }
        Ok(())
    }

    fn rows<const N: usize>(
        &mut self,
        conn: &Connection,
        seq: i64,
        tag: &str,
        sql: &str,
        parts: [Part; N],
    ) -> Result<(), StoreError> {
        let mut statement = conn.prepare_cached(sql)?;
        let mut rows = statement.query([seq])?;
        while let Some(row) = rows.next()? {
            self.0.update(tag);
            for (place, part) in parts.iter().enumerate() {
                self.part(*part, row.get_ref(place)?);
            }
        }
        Ok(())
    }

    /// A cell of another type than its column's enters with a mark that no sound cell has.
    fn part(&mut self, part: Part, cell: Raw<'_>) {
        match (part, cell) {
            (Part::Number, Raw::Integer(v)) => self.number(v),
            (Part::Text, Raw::Text(bytes)) => self.bytes(bytes),
            (Part::Image | Part::Option, Raw::Null) => self.0.update([0]),
            (Part::Option, Raw::Integer(v)) => {
                self.0.update([1]);
                self.number(v);
            }
            (Part::Image, Raw::Blob(bytes)) => self.image(Some(image_hash(bytes))),
            (_, other) => {
                let mut cells = Cells::default();
                cells.push(other);
                self.0.update(b"another type");
                self.bytes(&cells.0);
            }
        }
    }

    fn image(&mut self, hash: Option<[u8; 32]>) {
        self.0.update([u8::from(hash.is_some())]);
        self.0.update(hash.as_ref().map_or(&[][..], |hash| hash));
    }

    fn number(&mut self, v: i64) {
        self.0.update(v.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as i64);
        self.0.update(bytes);
    }
}
