//! Persons: adding, changing, removing them, and their passwords.

use std::sync::Arc;

use rusqlite::{OptionalExtension, params};
use unicode_normalization::UnicodeNormalization;

use super::{
    LOCAL, People,
    error::PeopleError,
    now_ms,
    right::{Rights, Role},
    secret,
    session::end_sessions,
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
    /// Who they are at an identity provider.
    pub subject: Option<Subject>,
    pub(super) password: Option<String>,
}

/// Somebody as an identity provider knows them (`OpenID` Connect): what it calls itself, and what it calls them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// The issuer's address, to the letter as it writes it.
    pub issuer: String,
    /// The subject (`sub`): stable, and never given to another. Never a name or a letter address, which may be.
    pub subject: String,
}

/// Somebody to be added.
#[derive(Debug, Clone, Copy)]
pub struct NewPerson<'a> {
    /// The name.
    pub name: &'a str,
    /// What they may do.
    pub role: Role,
    /// What they see and may change.
    pub rights: &'a Rights,
    /// Without one they do not sign in by name.
    pub password: Option<&'a str>,
    /// Without one they do not sign in at an identity provider.
    pub subject: Option<&'a Subject>,
}

/// What is to be another of somebody; what is `None` stays as it is.
#[derive(Debug, Clone, Default)]
pub struct Altered {
    /// What they may do.
    pub role: Option<Role>,
    /// What they see and may change.
    pub rights: Option<Rights>,
    /// The password; their sessions end.
    pub password: Option<String>,
    /// Whether they are kept out; their sessions end.
    pub disabled: Option<bool>,
    /// Who they are at an identity provider; their sessions end.
    pub subject: Option<Option<Subject>>,
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

/// Refuses what can be no subject.
fn checked_subject(subject: &Subject) -> Result<&Subject, PeopleError> {
    let bad = |why: &str| Err(PeopleError::BadSubject(why.to_owned()));
    if !subject.issuer.starts_with("https://") && !subject.issuer.starts_with("http://") {
        return bad("an issuer is an address that begins with https:// (or http:// on this machine)");
    }
    let count = subject.subject.chars().count();
    if count == 0 || count > 255 || subject.subject.chars().chain(subject.issuer.chars()).any(char::is_control) {
        return bad("a subject has 1 to 255 characters and no control characters");
    }
    Ok(subject)
}

/// Links somebody with a subject, instead of the one they had.
fn link(file: &rusqlite::Transaction<'_>, name: &str, subject: &Subject) -> Result<(), PeopleError> {
    let which = params![subject.issuer, subject.subject];
    let taken = file
        .query_row("SELECT person FROM subject WHERE issuer = ? AND subject = ?", which, |row| row.get::<_, String>(0))
        .optional()?;
    if let Some(taken) = taken.filter(|taken| !taken.eq_ignore_ascii_case(name)) {
        return Err(PeopleError::SubjectTaken(taken));
    }
    file.execute("DELETE FROM subject WHERE person = ?", [name])?;
    let row = params![subject.issuer, subject.subject, name];
    file.execute("INSERT INTO subject (issuer, subject, person) VALUES (?, ?, ?)", row)?;
    Ok(())
}

/// What somebody has shown to be who they are. It is looked at again when their session begins: checking a password takes
/// time, in which they may have been given another one, or have gone.
#[derive(Debug)]
pub struct Proof {
    /// Whom it proves.
    pub(super) name: String,
    pub(super) by: By,
}

#[derive(Debug)]
pub(super) enum By {
    /// The hash that the password was checked against.
    Password(String),
    /// What an issuer vouches for.
    Subject(Subject),
}

impl Proof {
    /// Whom it proves.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// An administrator who has a way in.
const ACTIVE_ADMINISTRATOR: &str = "role = 'administrator' AND NOT disabled AND (password IS NOT NULL \
    OR EXISTS (SELECT 1 FROM subject WHERE subject.person = person.name) \
    OR EXISTS (SELECT 1 FROM token WHERE token.person = person.name COLLATE NOCASE))";

fn is_active_administrator(file: &rusqlite::Transaction<'_>, name: &str) -> Result<bool, PeopleError> {
    let sql = format!("SELECT count(*) FROM person WHERE name = ? AND {ACTIVE_ADMINISTRATOR}");
    let sql = sql.as_str();
    Ok(file.query_row(sql, [name], |row| row.get::<_, i64>(0))? > 0)
}

/// Refuses, inside the transaction that would do it, to take the last administrator away.
fn check_some_remain(file: &rusqlite::Transaction<'_>) -> Result<(), PeopleError> {
    let sql = format!("SELECT count(*) FROM person WHERE {ACTIVE_ADMINISTRATOR}");
    match file.query_row(&sql, [], |row| row.get::<_, i64>(0))? {
        0 => Err(PeopleError::LastAdministrator),
        _ => Ok(()),
    }
}

/// Ends all that lets in who has, or had, a name.
fn clear(file: &rusqlite::Transaction<'_>, name: &str) -> Result<(), PeopleError> {
    for table in ["token", "session", "subject"] {
        file.execute(&format!("DELETE FROM {table} WHERE person = ?1 COLLATE NOCASE"), [name])?;
    }
    Ok(())
}

fn dismiss(file: &rusqlite::Transaction<'_>, name: &str) -> Result<(), PeopleError> {
    clear(file, name)?;
    file.execute("DELETE FROM person WHERE name = ?1", [name])?;
    Ok(())
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
    /// As [`People::add_person`].
    pub fn add(&self, name: &str, role: Role, rights: &Rights, password: Option<&str>) -> Result<(), PeopleError> {
        self.add_person(&NewPerson { name, role, rights, password, subject: None })
    }

    /// Adds somebody.
    ///
    /// # Errors
    /// [`PeopleError`] where the name, the password, the rights or the subject cannot be, or there is somebody of that
    /// name, or with that subject.
    pub fn add_person(&self, new: &NewPerson<'_>) -> Result<(), PeopleError> {
        let name = checked_name(new.name)?;
        new.rights.check()?;
        let subject = new.subject.map(checked_subject).transpose()?;
        if self.person(&name).is_some() {
            return Err(PeopleError::Exists(name));
        }
        let password = new.password.map(|password| secret::hash_password(&name, password)).transpose()?;
        self.change(|file| {
            let added = file.execute(
                "INSERT OR IGNORE INTO person (name, role, password, rights, made_at) VALUES (?, ?, ?, ?, ?)",
                params![name, new.role.as_str(), password, json_of(new.rights), now_ms()],
            )?;
            if added != 1 {
                return Err(PeopleError::Exists(name.clone()));
            }
            // Nothing of somebody of that name who has gone is theirs.
            clear(file, &name)?;
            subject.map_or(Ok(()), |subject| link(file, &name, subject))
        })
    }

    /// Alters somebody, all of it or nothing. Where an administrator would be none any more, another one must be left:
    /// of two who demote each other at once, one is refused.
    ///
    /// # Errors
    /// [`PeopleError::Nobody`], [`PeopleError::LastAdministrator`], [`PeopleError::SubjectTaken`], and where a value cannot
    /// be.
    pub fn alter(&self, name: &str, altered: &Altered) -> Result<(), PeopleError> {
        let nobody = || PeopleError::Nobody(name.to_owned());
        let name = self.person(name).ok_or_else(nobody)?.name.clone();
        altered.rights.as_ref().map_or(Ok(()), Rights::check)?;
        altered.subject.iter().flatten().try_for_each(|subject| checked_subject(subject).map(drop))?;
        let password = altered.password.as_ref().map(|password| secret::hash_password(&name, password)).transpose()?;
        self.change(|file| {
            let was = is_active_administrator(file, &name)?;
            let found = file.execute(
                "UPDATE person SET role = coalesce(?2, role), rights = coalesce(?3, rights), \
                 password = coalesce(?4, password), disabled = coalesce(?5, disabled) WHERE name = ?1",
                params![
                    name,
                    altered.role.map(Role::as_str),
                    altered.rights.as_ref().map(json_of),
                    password,
                    altered.disabled
                ],
            )?;
            if found == 0 {
                return Err(nobody());
            }
            match &altered.subject {
                None => {}
                Some(None) => drop(file.execute("DELETE FROM subject WHERE person = ?", [&name])?),
                Some(Some(subject)) => link(file, &name, subject)?,
            }
            if was && !is_active_administrator(file, &name)? {
                check_some_remain(file)?;
            }
            if password.is_some() || altered.disabled.is_some() || altered.subject.is_some() {
                file.execute("DELETE FROM session WHERE person = ?1 COLLATE NOCASE", [&name])?;
            }
            Ok(())
        })
    }

    /// Removes somebody as [`People::remove`] does, and leaves an administrator where there is one.
    ///
    /// # Errors
    /// [`PeopleError::Nobody`], [`PeopleError::LastAdministrator`]; where the file cannot be written.
    pub fn dismiss(&self, name: &str) -> Result<(), PeopleError> {
        let name = self.person(name).ok_or_else(|| PeopleError::Nobody(name.to_owned()))?.name.clone();
        self.change(|file| {
            let was = is_active_administrator(file, &name)?;
            dismiss(file, &name)?;
            if was { check_some_remain(file) } else { Ok(()) }
        })
    }

    /// The person for whom an issuer vouches, kept out or not, and the proof of it. Names play no part in it.
    #[must_use]
    pub fn proof_by_subject(&self, subject: Subject) -> Option<(Arc<Person>, Proof)> {
        let person = self.person_of(&subject)?;
        let name = person.name.clone();
        Some((person, Proof { name, by: By::Subject(subject) }))
    }

    /// The person for whom an issuer vouches, kept out or not.
    #[must_use]
    pub fn person_of(&self, subject: &Subject) -> Option<Arc<Person>> {
        // Whom the command line has just linked, or is linked no more, is known at once: a session lasts.
        self.register_now().of_subject(subject).cloned()
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
        self.set_and_end_sessions(name, "UPDATE person SET disabled = ?2 WHERE name = ?1", &is_disabled, None)
    }

    /// Gives somebody another password; their sessions end, but for the one that is kept.
    ///
    /// # Errors
    /// As [`People::set_role`]; [`PeopleError::BadPassword`].
    pub fn set_password(&self, name: &str, password: &str, kept: Option<&str>) -> Result<(), PeopleError> {
        let name = self.person(name).ok_or_else(|| PeopleError::Nobody(name.to_owned()))?.name.clone();
        let hash = secret::hash_password(&name, password)?;
        self.set_and_end_sessions(&name, "UPDATE person SET password = ?2 WHERE name = ?1", &hash, kept)
    }

    /// Removes somebody with their tokens and sessions; what they changed keeps their name.
    ///
    /// # Errors
    /// As [`People::set_role`].
    pub fn remove(&self, name: &str) -> Result<(), PeopleError> {
        let name = self.person(name).ok_or_else(|| PeopleError::Nobody(name.to_owned()))?.name.clone();
        self.change(|file| dismiss(file, &name))
    }

    /// The name of the person whose password this is. Takes as long for a name that nobody has: about 20 ms and 19 MiB.
    #[must_use]
    pub fn is_password_of(&self, name: &str, password: &str) -> Option<String> {
        self.proof_by_password(name, password).map(|proof| proof.name)
    }

    /// As [`People::is_password_of`], to begin a session with.
    #[must_use]
    pub fn proof_by_password(&self, name: &str, password: &str) -> Option<Proof> {
        let known: String = name.nfc().collect();
        let person = self.register_now().person(&known).filter(|person| !person.is_disabled).cloned();
        let hash = person.as_ref().and_then(|person| person.password.clone());
        if !secret::is_password(password, hash.as_deref()) {
            return None;
        }
        Some(Proof { name: person?.name.clone(), by: By::Password(hash?) })
    }

    fn set_and_end_sessions(
        &self,
        name: &str,
        sql: &str,
        value: &dyn rusqlite::ToSql,
        kept: Option<&str>,
    ) -> Result<(), PeopleError> {
        let (name, kept) = (name.nfc().collect::<String>(), kept.map(secret::hash_of));
        self.change(|file| match file.execute(sql, params![name, value])? {
            0 => Err(PeopleError::Nobody(name.clone())),
            _ => end_sessions(file, &name, kept),
        })
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
