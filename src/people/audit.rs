//! The record of who changed what, who signed in and who was refused; secrets never stand in it.
//!
//! A thread of its own writes, so no request waits for the disk. Entries of changes and sign-ins are never given up: the
//! thread writes what waits before it ends. Refusals, which anybody can make many of, are dropped beyond a number that
//! waits, and the record says how many. Of each kind only so many are kept, so refusals never push changes out.

use std::{
    collections::VecDeque,
    path::Path,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
};

use rusqlite::{Connection, params};

use super::{error::PeopleError, file, now_ms};

/// Refusals that wait to be written; more are counted only.
const MOST_WAITING: usize = 4096;
/// Entries of one kind that are kept.
const MOST_KEPT: i64 = 200_000;
/// After so many entries written the oldest are looked at.
const PRUNED_EVERY: usize = 2000;
/// The longest text of an entry, characters.
const LONGEST: usize = 300;

/// What an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Something was changed: features, people, tokens.
    Change,
    /// Somebody signed in or out.
    SignIn,
    /// Somebody was refused.
    Refusal,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Change => "change",
            Self::SignIn => "sign-in",
            Self::Refusal => "refusal",
        }
    }
}

/// One entry to be written.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What it is about.
    pub kind: Kind,
    /// Who; empty for nobody known.
    pub who: String,
    /// From which address.
    pub address: String,
    /// What: method and path, never a query.
    pub what: String,
    /// What came of it.
    pub outcome: String,
}

/// An entry as it was written.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// What it is about.
    pub kind: String,
    /// Who.
    pub who: String,
    /// From which address.
    pub address: String,
    /// What.
    pub what: String,
    /// What came of it.
    pub outcome: String,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<(i64, Entry)>,
    dropped: u64,
    /// Whether entries were taken that are not in the file yet.
    is_writing: bool,
    is_over: bool,
}

#[derive(Debug, Default)]
struct Desk {
    queue: Mutex<Queue>,
    /// Something waits, or it is over.
    come: Condvar,
    /// All is written.
    done: Condvar,
}

impl Desk {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread that writes. Dropped, it writes what waits and ends.
#[derive(Debug)]
pub(super) struct Writer {
    desk: Arc<Desk>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(path: &Path) -> Result<Self, PeopleError> {
        let conn = file::connect(path)?;
        // What a power cut takes of the record is its last moment; the history of changes is kept by the workspace.
        conn.pragma_update(None, "synchronous", "NORMAL")?;
        let desk = Arc::new(Desk::default());
        let of_thread = Arc::clone(&desk);
        let thread = std::thread::Builder::new().name("audit".to_owned()).spawn(move || work(&of_thread, conn));
        let thread = thread.map_err(|source| PeopleError::Io { path: path.display().to_string(), source })?;
        Ok(Self { desk, thread: Some(thread) })
    }

    pub(super) fn record(&self, entry: Entry) {
        let mut queue = self.desk.queue();
        if entry.kind == Kind::Refusal && queue.waiting.len() >= MOST_WAITING {
            queue.dropped += 1;
            return;
        }
        queue.waiting.push_back((now_ms(), entry));
        self.desk.come.notify_one();
    }

    /// Waits until all that was recorded is in the file.
    pub(super) fn flush(&self) {
        let mut queue = self.desk.queue();
        while !queue.is_over && (queue.is_writing || !queue.waiting.is_empty()) {
            queue = self.desk.done.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.desk.queue().is_over = true;
        self.desk.come.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been told when it happened.
            let _ = thread.join();
        }
    }
}

fn work(desk: &Desk, mut conn: Connection) {
    let mut written = 0;
    loop {
        let (batch, dropped) = {
            let mut queue = desk.queue();
            queue.is_writing = false;
            desk.done.notify_all();
            while queue.waiting.is_empty() && !queue.is_over {
                queue = desk.come.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
            if queue.waiting.is_empty() {
                return;
            }
            queue.is_writing = true;
            (std::mem::take(&mut queue.waiting), std::mem::take(&mut queue.dropped))
        };
        written += batch.len();
        let prune = written >= PRUNED_EVERY;
        if prune {
            written = 0;
        }
        if let Err(error) = write(&mut conn, &batch, dropped, prune) {
            tracing::error!(%error, entries = batch.len(), "the audit record cannot be written");
            for (at, entry) in batch {
                // What the file cannot take, the log keeps.
                let (kind, who, address) = (entry.kind.as_str(), entry.who, entry.address);
                tracing::error!(at, kind, who, address, what = entry.what, outcome = entry.outcome, "audit");
            }
        }
    }
}

fn write(conn: &mut Connection, batch: &VecDeque<(i64, Entry)>, dropped: u64, prune: bool) -> Result<(), PeopleError> {
    let transaction = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    {
        let mut insert = transaction
            .prepare_cached("INSERT INTO audit (at, kind, who, address, what, outcome) VALUES (?, ?, ?, ?, ?, ?)")?;
        for (at, entry) in batch {
            let (what, outcome) = (shortened(&entry.what), shortened(&entry.outcome));
            insert.execute(params![at, entry.kind.as_str(), shortened(&entry.who), entry.address, what, outcome])?;
        }
        if dropped > 0 {
            let what = format!("{dropped} refusals more, too many at a time to be written one by one");
            insert.execute(params![now_ms(), Kind::Refusal.as_str(), "", "", what, ""])?;
        }
    }
    if prune {
        for kind in [Kind::Change, Kind::SignIn, Kind::Refusal] {
            transaction.execute(
                "DELETE FROM audit WHERE kind = ?1 AND id <= \
                 (SELECT id FROM audit WHERE kind = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
                params![kind.as_str(), MOST_KEPT],
            )?;
        }
    }
    transaction.commit()?;
    Ok(())
}

/// A text without control characters, not longer than an entry may be.
fn shortened(text: &str) -> String {
    let clean = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().take(LONGEST).map(clean).collect()
}

/// The last entries, the newest first.
pub(super) fn last(conn: &Connection, count: usize) -> Result<Vec<Recorded>, PeopleError> {
    let mut statement =
        conn.prepare_cached("SELECT at, kind, who, address, what, outcome FROM audit ORDER BY id DESC LIMIT ?")?;
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let entries = statement.query_map([count], |row| {
        Ok(Recorded {
            at: row.get(0)?,
            kind: row.get(1)?,
            who: row.get(2)?,
            address: row.get(3)?,
            what: row.get(4)?,
            outcome: row.get(5)?,
        })
    })?;
    Ok(entries.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: Kind, number: usize) -> Entry {
        let (who, address) = ("li".to_owned(), "10.0.0.9".to_owned());
        Entry { kind, who, address, what: format!("{number}"), outcome: "ok\u{1b}[2J".to_owned() }
    }

    #[test]
    fn a_flood_of_refusals_loses_no_change_and_says_what_it_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.people");
        let (conn, _) = file::open(&path).unwrap();
        let writer = Writer::start(&path).unwrap();
        for number in 0..20_000 {
            writer.record(entry(Kind::Refusal, number));
            if number % 10 == 0 {
                writer.record(entry(Kind::Change, number));
            }
        }
        drop(writer);
        let count = |kind: &str| {
            let sql = "SELECT count(*) FROM audit WHERE kind = ?";
            conn.query_row(sql, [kind], |row| row.get::<_, i64>(0)).unwrap()
        };
        assert_eq!(count("change"), 2000);
        let told: i64 = conn
            .query_row(
                "SELECT count(*) + coalesce(sum(cast(what AS INTEGER)) FILTER (WHERE who = ''), 0) \
                 - count(*) FILTER (WHERE who = '') FROM audit WHERE kind = 'refusal'",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(told, 20_000);
        let entries = last(&conn, 10_000).unwrap();
        let outcome = entries.iter().find(|entry| entry.who == "li").map(|entry| entry.outcome.as_str());
        assert_eq!(outcome, Some("ok\u{fffd}[2J"), "nothing that commands a terminal is kept");
    }
}
