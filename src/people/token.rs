//! Tokens: for scripts, GDAL and QGIS. Shown once; of each only a hash is kept.

use std::sync::Arc;

use rusqlite::{Connection, params};

use super::{
    Identity, People,
    error::PeopleError,
    now_ms,
    person::json_of,
    register::{rights_of, role_of},
    right::{Rights, Role},
    secret::{self, Hash, Secret},
};

/// When a token was last used is written down once in so many milliseconds.
const USE_NOTED_AFTER: i64 = 60_000;

/// A token, without its secret.
#[derive(Debug, Clone)]
pub struct Token {
    /// Its number.
    pub id: i64,
    /// What it is called.
    pub name: String,
    /// Whose it is; nobody's has rights of its own.
    pub person: Option<String>,
    /// What it lets one do, at most what the person may.
    pub role: Role,
    /// What it shows, where it is nobody's.
    pub rights: Arc<Rights>,
    /// When it was made, in milliseconds since 1970.
    pub made_at: i64,
    /// When it ends.
    pub expires_at: Option<i64>,
    /// When it was last used, to the minute.
    pub used_at: Option<i64>,
}

/// A token to be made.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// What it is called; the history names it where it is nobody's.
    pub name: String,
    /// Whose it is.
    pub person: Option<String>,
    /// What it lets one do.
    pub role: Role,
    /// What it shows, where it is nobody's.
    pub rights: Rights,
    /// When it ends, in milliseconds since 1970.
    pub expires_at: Option<i64>,
}

#[derive(Debug)]
pub(super) struct Stored {
    pub(super) hash: Hash,
    pub(super) token: Token,
}

impl Stored {
    /// The name under which changes of a token that is nobody's are kept; a person's name has no colon.
    pub(super) fn author(&self) -> String {
        format!("token:{}", self.token.name)
    }
}

pub(super) fn read(conn: &Connection) -> Result<Vec<Stored>, PeopleError> {
    let mut statement = conn.prepare_cached(
        "SELECT hash, id, name, person, role, rights, made_at, expires_at, used_at FROM token ORDER BY id",
    )?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let token = Token {
            id: row.get(1)?,
            name: row.get(2)?,
            person: row.get(3)?,
            role: role_of(row, 4)?,
            rights: rights_of(row, 5)?,
            made_at: row.get(6)?,
            expires_at: row.get(7)?,
            used_at: row.get(8)?,
        };
        found.push(Stored { hash: row.get(0)?, token });
    }
    Ok(found)
}

impl People {
    /// Makes a token and shows it, once.
    ///
    /// # Errors
    /// [`PeopleError`] where the person is not there, the rights make no sense, or the file cannot be written.
    pub fn make_token(&self, new: &NewToken) -> Result<Secret, PeopleError> {
        new.rights.check()?;
        let person = match &new.person {
            None => None,
            Some(name) => Some(self.person(name).ok_or_else(|| PeopleError::Nobody(name.clone()))?.name.clone()),
        };
        if person.is_some() && !new.rights.is_everything() {
            let why = "a person's token shows what the person sees: give the rights to the person".to_owned();
            return Err(PeopleError::BadRights(why));
        }
        if new.name.is_empty() || new.name.chars().count() > 64 || new.name.chars().any(char::is_control) {
            let why = "a token's name has 1 to 64 characters and no control characters";
            return Err(PeopleError::BadName { given: new.name.clone(), why });
        }
        let secret = Secret::new("mutu_")?;
        self.change(|file| {
            file.execute(
                "INSERT INTO token (name, hash, person, role, rights, made_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
                params![
                    new.name,
                    secret.hash(),
                    person,
                    new.role.as_str(),
                    json_of(&new.rights),
                    now_ms(),
                    new.expires_at
                ],
            )?;
            Ok(())
        })?;
        Ok(secret)
    }

    /// All tokens by number, ended ones among them.
    #[must_use]
    pub fn tokens(&self) -> Vec<Token> {
        let mut tokens: Vec<Token> = self.register().tokens.values().map(|stored| stored.token.clone()).collect();
        tokens.sort_by_key(|token| token.id);
        tokens
    }

    /// Ends a token for good.
    ///
    /// # Errors
    /// [`PeopleError::NoToken`]; where the file cannot be written.
    pub fn revoke_token(&self, id: i64) -> Result<(), PeopleError> {
        self.change(|file| match file.execute("DELETE FROM token WHERE id = ?", [id])? {
            0 => Err(PeopleError::NoToken(id)),
            _ => Ok(()),
        })
    }

    /// Whose token this is; `None` for one that is unknown, ended or of somebody who is kept out.
    #[must_use]
    pub fn who_has_token(&self, shown: &str) -> Option<Identity> {
        self.of_token(&secret::hash_of(shown))
    }

    pub(super) fn of_token(&self, hash: &Hash) -> Option<Identity> {
        let known = Some(self.register()).filter(|register| register.tokens.contains_key(hash));
        // A token that the command line has just made is good at once.
        let register = known.unwrap_or_else(|| self.register_now());
        let stored = register.tokens.get(hash)?;
        let now = now_ms();
        if stored.token.expires_at.is_some_and(|end| end <= now) {
            return None;
        }
        let identity = register.of_token(stored)?;
        if stored.token.used_at.is_none_or(|last| now - last >= USE_NOTED_AFTER) {
            let noted = self.change(|file| {
                file.execute("UPDATE token SET used_at = ? WHERE id = ?", [now, stored.token.id])?;
                Ok(())
            });
            if let Err(error) = noted {
                // Who may come in does not hang on the note.
                tracing::error!(%error, "the use of a token cannot be noted");
            }
        }
        Some(identity)
    }
}
