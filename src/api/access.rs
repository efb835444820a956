//! Who asks, and what they may: decided once for each request, before its handler.
//!
//! Without people ([`Access::everything`]) everything is allowed: a library, a test, a bench. A server has a
//! [`super::gate::Gate`], which makes an access of each request's token or cookie.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    domain::schema::LayerId,
    people::{Identity, LOCAL, Means, Rights, Role},
};

use super::error::ApiError;

/// What the one who asks is called and may do.
#[derive(Debug, Clone)]
pub(super) struct Access {
    /// Who, as the history of changes names them.
    author: String,
    /// The person, where it is one.
    person: Option<String>,
    /// What they may do; `None` for somebody unknown, who reads where reading needs no account.
    role: Option<Role>,
    rights: Arc<Rights>,
    identity: Option<Arc<Identity>>,
}

/// The layers that somebody may change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Editable {
    All,
    Some(BTreeSet<LayerId>),
}

impl Access {
    /// Everything: the person at their own machine.
    pub(super) fn everything() -> Self {
        let role = Some(Role::Administrator);
        Self { author: LOCAL.to_owned(), person: None, role, rights: Arc::default(), identity: None }
    }

    /// Somebody who has not shown who they are.
    pub(super) fn of_nobody() -> Self {
        Self { author: String::new(), person: None, role: None, rights: Arc::default(), identity: None }
    }

    /// Somebody who has.
    pub(super) fn of(identity: Identity) -> Self {
        let Identity { author, person, role, rights, .. } = identity.clone();
        Self { author, person, role: Some(role), rights, identity: Some(Arc::new(identity)) }
    }

    /// Who, as the history of changes names them; empty for somebody unknown.
    pub(super) fn author(&self) -> &str {
        &self.author
    }

    /// The person who asks, where it is one.
    pub(super) fn person(&self) -> Option<&str> {
        self.person.as_deref()
    }

    /// What they may do; `None` for somebody unknown.
    pub(super) const fn role(&self) -> Option<Role> {
        self.role
    }

    /// How they showed who they are.
    pub(super) fn means(&self) -> Option<Means> {
        self.identity.as_ref().map(|identity| identity.means)
    }

    /// Who they showed to be.
    pub(super) fn identity(&self) -> Option<&Identity> {
        self.identity.as_deref()
    }

    /// What keeps layers or rows from them; `None` where they see everything.
    pub(super) fn blinkers(&self) -> Option<&Arc<Rights>> {
        let binds = self.role.is_none_or(|role| role < Role::Manager);
        (binds && !self.rights.is_everything()).then_some(&self.rights)
    }

    /// Which layers they may change.
    pub(super) fn editable(&self) -> Editable {
        match self.role {
            None | Some(Role::Reader) => Editable::Some(BTreeSet::new()),
            Some(Role::Editor) => match (&self.rights.edit, &self.rights.read) {
                (Some(edit), _) => Editable::Some(edit.iter().filter(|id| self.rights.edits(id)).cloned().collect()),
                (None, Some(read)) => Editable::Some(read.clone()),
                (None, None) => Editable::All,
            },
            Some(Role::Manager | Role::Administrator) => Editable::All,
        }
    }

    /// Refuses who may not change a layer.
    ///
    /// # Errors
    /// 401 for somebody unknown; 404, as for a layer that is not there, where they may not read it; 403.
    pub(super) fn check_edit(&self, layer: &LayerId) -> Result<(), ApiError> {
        self.check_role(Role::Editor)?;
        if self.blinkers().is_some_and(|rights| !rights.reads(layer)) {
            return Err(ApiError::not_found(format!("there is no layer {:?}", layer.as_str())));
        }
        match self.editable() {
            Editable::Some(layers) if !layers.contains(layer) => {
                Err(ApiError::forbidden(format!("you may read layer {layer} and not change it")))
            }
            _ => Ok(()),
        }
    }

    /// Refuses who may not do what concerns whole layers: import, restore, decide about changes from outside.
    ///
    /// # Errors
    /// 401 for somebody unknown; 403.
    pub(super) fn check_manage(&self) -> Result<(), ApiError> {
        self.check_role(Role::Manager)
    }

    /// Refuses who may not decide about people.
    ///
    /// # Errors
    /// 401 for somebody unknown; 403.
    pub(super) fn check_administer(&self) -> Result<(), ApiError> {
        self.check_role(Role::Administrator)
    }

    /// Refuses who has a lesser role.
    ///
    /// # Errors
    /// 401 for somebody unknown; 403.
    pub(super) fn check_role(&self, least: Role) -> Result<(), ApiError> {
        match self.role {
            None => Err(ApiError::sign_in_required()),
            Some(role) if role < least => {
                Err(ApiError::forbidden(format!("this needs the role of {least}, and yours is {role}")))
            }
            Some(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(role: Role, rights: &str) -> Access {
        let rights = Arc::new(serde_json::from_str(rights).unwrap());
        Access { author: "li".to_owned(), person: Some("li".to_owned()), role: Some(role), rights, identity: None }
    }

    fn status(refused: Result<(), ApiError>) -> u16 {
        refused.map_or_else(|error| error.status().as_u16(), |()| 200)
    }

    #[test]
    fn each_role_may_do_what_its_word_says() {
        let parcels = "parcels".parse().unwrap();
        let rows = |access: &Access| {
            [access.check_edit(&parcels), access.check_manage(), access.check_administer()].map(status)
        };
        assert_eq!(rows(&Access::of_nobody()), [401, 401, 401]);
        assert_eq!(rows(&access(Role::Reader, "{}")), [403, 403, 403]);
        assert_eq!(rows(&access(Role::Editor, "{}")), [200, 403, 403]);
        assert_eq!(rows(&access(Role::Editor, r#"{"edit":["parks"]}"#)), [403, 403, 403]);
        assert_eq!(rows(&access(Role::Editor, r#"{"read":["parks"]}"#)), [404, 403, 403]);
        assert_eq!(rows(&access(Role::Manager, r#"{"read":["parks"]}"#)), [200, 200, 403]);
        assert_eq!(rows(&access(Role::Administrator, "{}")), [200, 200, 200]);
        assert_eq!(rows(&Access::everything()), [200, 200, 200]);
    }

    #[test]
    fn blinkers_bind_readers_and_editors_only() {
        let narrow = r#"{"rows":{"parcels":"town = 'x'"}}"#;
        assert!(access(Role::Reader, narrow).blinkers().is_some() && access(Role::Editor, narrow).blinkers().is_some());
        assert!(access(Role::Manager, narrow).blinkers().is_none() && access(Role::Reader, "{}").blinkers().is_none());
    }
}
