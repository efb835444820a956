//! Sessions of browsers, and the one-time key that begins the first one at one's own machine.

use std::sync::PoisonError;

use rusqlite::{Connection, params};

use super::{
    Identity, Means, People,
    error::PeopleError,
    now_ms,
    person::{By, Proof, Subject},
    secret::{self, Hash, Secret},
};

/// A session that is not used for so long ends, in milliseconds: 12 hours, a working day.
const LONGEST_IDLE: i64 = 12 * 3_600_000;
/// A session ends after so long in any case: 7 days.
const LONGEST: i64 = 7 * 24 * 3_600_000;
/// When a session was last used is written down once in so long.
const USE_NOTED_AFTER: i64 = 5 * 60_000;
/// A one-time key is good for so long: an hour.
const KEY_GOOD_FOR: i64 = 3_600_000;

#[derive(Debug)]
pub(super) struct Stored {
    pub(super) hash: Hash,
    /// `None` for the person at the machine itself.
    pub(super) person: Option<String>,
    made_at: i64,
    used_at: i64,
}

impl Stored {
    /// A clock that was set back does not make a session longer: its age is then unknown, and it ends.
    const fn is_good(&self, now: i64) -> bool {
        let (age, idle) = (now - self.made_at, now - self.used_at);
        age >= -USE_NOTED_AFTER && age < LONGEST && idle < LONGEST_IDLE
    }
}

/// What is kept of the key.
#[derive(Debug)]
pub(super) struct OneTime {
    hash: Hash,
    until: i64,
}

pub(super) fn read(conn: &Connection) -> Result<Vec<Stored>, PeopleError> {
    let mut statement = conn.prepare_cached("SELECT hash, person, made_at, used_at FROM session")?;
    let sessions = statement.query_map([], |row| {
        Ok(Stored { hash: row.get(0)?, person: row.get(1)?, made_at: row.get(2)?, used_at: row.get(3)? })
    })?;
    Ok(sessions.collect::<Result<_, _>>()?)
}

fn forget_ended(file: &rusqlite::Transaction<'_>, now: i64) -> Result<(), PeopleError> {
    let ended = params![now - LONGEST, now - LONGEST_IDLE];
    file.execute("DELETE FROM session WHERE made_at <= ? OR used_at <= ?", ended)?;
    Ok(())
}

/// Ends all sessions of somebody but the one that is kept.
pub(super) fn end_sessions(
    file: &rusqlite::Transaction<'_>,
    name: &str,
    kept: Option<Hash>,
) -> Result<(), PeopleError> {
    let which = params![name, kept];
    file.execute("DELETE FROM session WHERE person = ?1 COLLATE NOCASE AND (?2 IS NULL OR hash <> ?2)", which)?;
    Ok(())
}

impl People {
    /// Begins a session at the machine itself, and gives its secret for the browser to keep.
    ///
    /// # Errors
    /// [`PeopleError`] where the file cannot be written.
    pub fn begin_local_session(&self) -> Result<Secret, PeopleError> {
        let (secret, now) = (Secret::new("")?, now_ms());
        self.change(|file| {
            forget_ended(file, now)?;
            let kept = params![secret.hash(), now];
            file.execute("INSERT INTO session (hash, person, made_at, used_at) VALUES (?1, NULL, ?2, ?2)", kept)?;
            Ok(())
        })?;
        Ok(secret)
    }

    /// Begins a session of who has shown who they are, as [`People::begin_local_session`]; `None` where what they have
    /// shown is worth nothing any more.
    ///
    /// # Errors
    /// [`PeopleError`] where the file cannot be written.
    pub fn begin_session(&self, proof: &Proof) -> Result<Option<Secret>, PeopleError> {
        let (secret, now) = (Secret::new("")?, now_ms());
        let begun = self.change(|file| {
            forget_ended(file, now)?;
            let insert = "INSERT INTO session (hash, person, made_at, used_at) \
                          SELECT ?1, name, ?2, ?2 FROM person WHERE name = ?3 AND NOT disabled AND ";
            Ok(match &proof.by {
                By::Password(hash) => {
                    let shown = params![secret.hash(), now, proof.name, hash];
                    file.execute(&format!("{insert} password = ?4"), shown)?
                }
                By::Subject(Subject { issuer, subject }) => {
                    let is_linked =
                        "EXISTS (SELECT 1 FROM subject WHERE person = name AND issuer = ?4 AND subject = ?5)";
                    let shown = params![secret.hash(), now, proof.name, issuer, subject];
                    file.execute(&format!("{insert} {is_linked}"), shown)?
                }
            })
        })?;
        Ok((begun == 1).then_some(secret))
    }

    /// Whose session this is; `None` for one that is unknown or has ended.
    #[must_use]
    pub fn who_has_session(&self, shown: &str) -> Option<Identity> {
        self.of_session(&secret::hash_of(shown))
    }

    /// Whether somebody may still do what they might when they showed who they are.
    #[must_use]
    pub fn is_still(&self, identity: &Identity) -> bool {
        let now = match identity.means {
            Means::Session => self.of_session(&identity.proof),
            Means::Token => self.of_token(&identity.proof),
        };
        now.as_ref() == Some(identity)
    }

    fn of_session(&self, hash: &Hash) -> Option<Identity> {
        let register = self.register();
        let stored = register.sessions.get(hash)?;
        let now = now_ms();
        if !stored.is_good(now) {
            return None;
        }
        let identity = register.of_session(stored)?;
        if now - stored.used_at >= USE_NOTED_AFTER {
            let noted = self.change(|file| {
                file.execute("UPDATE session SET used_at = ? WHERE hash = ?", params![now, stored.hash])?;
                Ok(())
            });
            if let Err(error) = noted {
                tracing::error!(%error, "the use of a session cannot be noted");
            }
        }
        Some(identity)
    }

    /// Ends a session.
    ///
    /// # Errors
    /// [`PeopleError`] where the file cannot be written.
    pub fn end_session(&self, shown: &str) -> Result<(), PeopleError> {
        self.change(|file| {
            file.execute("DELETE FROM session WHERE hash = ?", [secret::hash_of(shown)])?;
            Ok(())
        })
    }

    /// Ends all sessions of somebody but the one that is kept.
    ///
    /// # Errors
    /// As [`People::end_session`].
    pub fn end_sessions_of(&self, name: &str, kept: Option<&str>) -> Result<(), PeopleError> {
        let kept = kept.map(secret::hash_of);
        self.change(|file| end_sessions(file, name, kept))
    }

    /// A key that signs one browser in at the machine itself, once and within the hour. An earlier one is void.
    ///
    /// # Errors
    /// [`PeopleError::NoRandomness`].
    pub fn one_time_key(&self) -> Result<Secret, PeopleError> {
        let key = Secret::new("")?;
        *self.one_time.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(OneTime { hash: key.hash(), until: now_ms() + KEY_GOOD_FOR });
        Ok(key)
    }

    /// Begins a session at the machine itself for who shows the one-time key; `None` where it is not the key, or it was
    /// used, or its time is over, or there are people by now.
    ///
    /// # Errors
    /// As [`People::begin_local_session`].
    pub fn redeem(&self, shown: &str) -> Result<Option<Secret>, PeopleError> {
        if self.has_people() {
            return Ok(None);
        }
        {
            let mut kept = self.one_time.lock().unwrap_or_else(PoisonError::into_inner);
            let shown = secret::hash_of(shown);
            if kept.as_ref().is_none_or(|kept| kept.hash != shown || kept.until <= now_ms()) {
                return Ok(None);
            }
            *kept = None;
        }
        self.begin_local_session().map(Some)
    }
}
