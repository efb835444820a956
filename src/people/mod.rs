//! People: who may sign in, what each may do, and the record of what was done and refused.
//!
//! They live in a file of their own beside the workspace (`NAME.gpkg.people`), so that handing the GeoPackage over never
//! hands over secrets. The file belongs to its owner alone (mode 0600) and holds no secret as it is: passwords as
//! argon2id hashes, tokens and sessions as SHA-256 of 256 random bits.
//!
//! Not here: what a request is allowed (`api::access`) and how a row rule is evaluated (`engine::filter`); a rule is kept
//! as the text that was written.
//!
//! Invariants: what answers "who is this" is an immutable picture behind a swap ([`register::Register`]), renewed within
//! a tenth of a second when another process has changed the file. A session of nobody in particular ("local") is good
//! only while there are no people.

mod audit;
mod error;
mod file;
mod person;
mod register;
mod right;
mod secret;
mod session;
mod throttle;
mod token;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use arc_swap::ArcSwap;
use rusqlite::Connection;

pub use audit::{Entry, Kind, Recorded};
pub use error::PeopleError;
pub use person::{Altered, NewPerson, Person, Proof, Subject};
pub use register::{Identity, Means};
pub use right::{Rights, Role};
pub use secret::Secret;
pub use throttle::{Throttle, TooMany};
pub use token::{NewToken, Token};

use register::Register;

/// The author of what is done at one's own machine, where there are no people.
pub const LOCAL: &str = "local";

/// A change by another process is seen after so long at most, in milliseconds.
const SEEN_AFTER: i64 = 100;

/// The people of a workspace.
#[derive(Debug)]
pub struct People {
    path: PathBuf,
    notice: Option<String>,
    file: Mutex<Connection>,
    register: ArcSwap<Register>,
    /// When the file was last looked at.
    looked_at: AtomicI64,
    /// The engine's number of changes by others, when the register was read.
    data_version: AtomicI64,
    audit: audit::Writer,
    one_time: Mutex<Option<session::OneTime>>,
}

impl People {
    /// Where the people of a workspace are kept.
    #[must_use]
    pub fn path_of(workspace: &Path) -> PathBuf {
        // By whatever name the workspace is opened, its people are the same.
        let real = workspace.canonicalize();
        let mut name = real.as_deref().unwrap_or(workspace).as_os_str().to_owned();
        name.push(".people");
        PathBuf::from(name)
    }

    /// Opens the people of a workspace; makes their file, with nobody in it, where there is none.
    ///
    /// # Errors
    /// [`PeopleError`] where the file cannot be read and written, others may read it and that cannot be mended, or it is
    /// not ours.
    pub fn open(workspace: &Path) -> Result<Self, PeopleError> {
        let path = Self::path_of(workspace);
        let (conn, notice) = file::open(&path)?;
        let audit = audit::Writer::start(&path)?;
        let people = Self {
            path,
            notice,
            file: Mutex::new(conn),
            register: ArcSwap::default(),
            looked_at: AtomicI64::new(now_ms()),
            data_version: AtomicI64::new(0),
            audit,
            one_time: Mutex::new(None),
        };
        people.renew(&people.locked())?;
        Ok(people)
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was mended when the file was opened.
    #[must_use]
    pub fn notice(&self) -> Option<&str> {
        self.notice.as_deref()
    }

    /// Whether there is anybody: then nobody reads without signing in.
    #[must_use]
    pub fn has_people(&self) -> bool {
        !self.register().people.is_empty()
    }

    /// Writes down who did what, or was refused; does not wait for the disk.
    pub fn record(&self, entry: Entry) {
        self.audit.record(entry);
    }

    /// The last entries of the record, the newest first.
    ///
    /// # Errors
    /// [`PeopleError`] where the file cannot be read.
    pub fn recorded(&self, count: usize) -> Result<Vec<Recorded>, PeopleError> {
        self.audit.flush();
        audit::last(&self.locked(), count)
    }

    /// Waits until all that was recorded is in the file.
    pub fn finish(&self) {
        self.audit.flush();
    }

    fn locked(&self) -> MutexGuard<'_, Connection> {
        // A transaction that a panic left unfinished was rolled back when it was dropped.
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The picture of everybody as the file is now: for who shows something that is not known, and for who signs in.
    fn register_now(&self) -> Arc<Register> {
        self.looked_at.store(now_ms(), Ordering::Relaxed);
        self.look_or_tell();
        self.register.load_full()
    }

    /// The picture of everybody, as new as a tenth of a second.
    fn register(&self) -> Arc<Register> {
        let now = now_ms();
        let last = self.looked_at.load(Ordering::Relaxed);
        let is_due = (now - last).abs() >= SEEN_AFTER;
        if is_due && self.looked_at.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.look_or_tell();
        }
        self.register.load_full()
    }

    /// Where the file cannot be read for a moment, what was known stays known; the next look is soon.
    fn look_or_tell(&self) {
        if let Err(error) = self.look() {
            tracing::error!(%error, "the people's file cannot be read");
        }
    }

    fn look(&self) -> Result<(), PeopleError> {
        let conn = self.locked();
        if file::data_version(&conn)? != self.data_version.load(Ordering::Relaxed) {
            self.renew(&conn)?;
        }
        Ok(())
    }

    /// Reads everybody anew.
    fn renew(&self, conn: &Connection) -> Result<(), PeopleError> {
        let version = file::data_version(conn)?;
        self.register.store(Arc::new(Register::read(conn)?));
        self.data_version.store(version, Ordering::Relaxed);
        Ok(())
    }

    /// Changes the file, all or nothing, and shows the change to every question that comes afterwards.
    fn change<T>(
        &self,
        work: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<T, PeopleError>,
    ) -> Result<T, PeopleError> {
        let mut conn = self.locked();
        let transaction = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let done = work(&transaction)?;
        transaction.commit()?;
        self.renew(&conn)?;
        Ok(done)
    }
}

/// Now, in milliseconds since 1970-01-01T00:00:00Z.
fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis() as i64)
}
