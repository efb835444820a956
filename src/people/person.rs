//! Persons: adding, changing, removing them, and their passwords.

use std::sync::Arc;

use rusqlite::params;
use unicode_normalization::UnicodeNormalization;

use super::{
    LOCAL, People,
    error::PeopleError,
    now_ms,
    right::{Rights, Role},
    secret,
};

/// Somebody with a name.
#[derive(Clone)]
pub struct Person {
    /// Under which they sign in; letters of the Latin alphabet are the same small or capital.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Which layers and rows they see and may change.
    pub rights: Arc<Rights>,
    /// Whether they are kept out for the time being.
    pub is_disabled: bool,
    pub(super) password: Option<String>,
}

impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Person").field("name", &self.name).field("role", &self.role).finish_non_exhaustive()
    }
}

/// The longest name, characters.
const LONGEST_NAME: usize = 64;

/// A name in one composition.
fn checked_name(given: &str) -> Result<String, PeopleError> {
    let name: String = given.nfc().collect();
    let why = if name.is_empty() || name.chars().count() > LONGEST_NAME {
        "1 to 64 characters"
    } else if name.chars().any(|c| c.is_control() || (c.is_whitespace() && c != ' ') || "/\\:\u{feff}".contains(c)) {
        "no control characters, slashes or colons"
    } else if name.trim() != name {
        "no spaces around it"
    } else if name.eq_ignore_ascii_case(LOCAL) {
        "it stands for the person at the machine itself"
    } else {
        return Ok(name);
    };
    Err(PeopleError::BadName { given: given.to_owned(), why })
}

impl People {
    /// Everybody by name.
    #[must_use]
    pub fn everybody(&self) -> Vec<Arc<Person>> {
        self.register().people.values().cloned().collect()
    }

    /// Somebody by name.
    #[must_use]
    pub fn person(&self, name: &str) -> Option<Arc<Person>> {
        let name: String = name.nfc().collect();
        self.register().person(&name).cloned()
    }

    /// Adds somebody. Without a password only their tokens let them in.
    ///
    /// # Errors
    /// [`PeopleError`] where the name, the password or the rights cannot be, or there is somebody of that name.
    pub fn add(&self, name: &str, role: Role, rights: &Rights, password: Option<&str>) -> Result<(), PeopleError> {
        let name = checked_name(name)?;
        rights.check()?;
        if self.person(&name).is_some() {
            return Err(PeopleError::Exists(name));
        }
        let password = password.map(|password| secret::hash_password(&name, password)).transpose()?;
        self.change(|file| {
            let added = file.execute(
                "INSERT OR IGNORE INTO person (name, role, password, rights, made_at) VALUES (?, ?, ?, ?, ?)",
                params![name, role.as_str(), password, json_of(rights), now_ms()],
            )?;
            if added == 1 { Ok(()) } else { Err(PeopleError::Exists(name.clone())) }
        })
    }

    /// Gives somebody another role.
    ///
    /// # Errors
    /// [`PeopleError::Nobody`]; where the file cannot be written.
    pub fn set_role(&self, name: &str, role: Role) -> Result<(), PeopleError> {
        self.set(name, "UPDATE person SET role = ?2 WHERE name = ?1", &role.as_str())
    }

    /// Gives somebody other rights.
    ///
    /// # Errors
    /// As [`People::set_role`]; [`PeopleError::BadRights`].
    pub fn set_rights(&self, name: &str, rights: &Rights) -> Result<(), PeopleError> {
        rights.check()?;
        self.set(name, "UPDATE person SET rights = ?2 WHERE name = ?1", &json_of(rights))
    }

    /// Keeps somebody out, or lets them in again. Their sessions end.
    ///
    /// # Errors
    /// As [`People::set_role`].
    pub fn set_disabled(&self, name: &str, is_disabled: bool) -> Result<(), PeopleError> {
        self.set(name, "UPDATE person SET disabled = ?2 WHERE name = ?1", &is_disabled)?;
        self.end_sessions_of(name, None)
    }

    /// Gives somebody another password; their sessions end, but for the one that is kept.
    ///
    /// # Errors
    /// As [`People::set_role`]; [`PeopleError::BadPassword`].
    pub fn set_password(&self, name: &str, password: &str, kept: Option<&str>) -> Result<(), PeopleError> {
        let name = self.person(name).ok_or_else(|| PeopleError::Nobody(name.to_owned()))?.name.clone();
        let hash = secret::hash_password(&name, password)?;
        self.set(&name, "UPDATE person SET password = ?2 WHERE name = ?1", &hash)?;
        self.end_sessions_of(&name, kept)
    }

    /// Removes somebody with their tokens and sessions; what they changed keeps their name.
    ///
    /// # Errors
    /// As [`People::set_role`].
    pub fn remove(&self, name: &str) -> Result<(), PeopleError> {
        let name = self.person(name).ok_or_else(|| PeopleError::Nobody(name.to_owned()))?.name.clone();
        self.change(|file| {
            file.execute("DELETE FROM token WHERE person = ?1 COLLATE NOCASE", [&name])?;
            file.execute("DELETE FROM session WHERE person = ?1 COLLATE NOCASE", [&name])?;
            file.execute("DELETE FROM person WHERE name = ?1", [&name])?;
            Ok(())
        })
    }

    /// The name of the person whose password this is. Takes as long for a name that nobody has: about 20 ms and 19 MiB.
    #[must_use]
    pub fn is_password_of(&self, name: &str, password: &str) -> Option<String> {
        let person = self.person(name).filter(|person| !person.is_disabled);
        let hash = person.as_ref().and_then(|person| person.password.as_deref());
        secret::is_password(password, hash).then(|| person.map(|person| person.name.clone())).flatten()
    }

    fn set(&self, name: &str, sql: &str, value: &dyn rusqlite::ToSql) -> Result<(), PeopleError> {
        let name: String = name.nfc().collect();
        self.change(|file| match file.execute(sql, params![name, value])? {
            0 => Err(PeopleError::Nobody(name.clone())),
            _ => Ok(()),
        })
    }
}

pub(super) fn json_of(rights: &Rights) -> String {
    serde_json::to_string(rights).expect("names and texts are always JSON")
}
