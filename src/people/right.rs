//! Roles and rights: what somebody may do, and which layers and rows they see.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

use serde::{Deserialize, Serialize};

use crate::domain::schema::LayerId;

use super::error::PeopleError;

/// What somebody may do; each role may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads.
    Reader,
    /// Changes features.
    Editor,
    /// Changes whatever layers there are: imports, restores, decides about changes from outside. Sees every row.
    Manager,
    /// Decides about people.
    Administrator,
}

impl Role {
    /// All roles, the one that may least first.
    pub const ALL: [Self; 4] = [Self::Reader, Self::Editor, Self::Manager, Self::Administrator];

    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Editor => "editor",
            Self::Manager => "manager",
            Self::Administrator => "administrator",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = PeopleError;

    fn from_str(given: &str) -> Result<Self, PeopleError> {
        let found = Self::ALL.into_iter().find(|role| role.as_str() == given);
        found.ok_or_else(|| PeopleError::UnknownRole(given.to_owned()))
    }
}

/// Which layers and rows somebody sees and may change. They bind readers and editors; managers and administrators see
/// and change everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rights {
    /// Layers that may be read; all where none are named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read: Option<BTreeSet<LayerId>>,
    /// Layers that an editor may change; all that may be read where none are named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edit: Option<BTreeSet<LayerId>>,
    /// For a layer the filter (CQL2 text) that is true of the rows that may be seen.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rows: BTreeMap<LayerId, String>,
}

impl Rights {
    /// Whether nothing is kept back.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a layer may be read at all.
    #[must_use]
    pub fn reads(&self, layer: &LayerId) -> bool {
        self.read.as_ref().is_none_or(|layers| layers.contains(layer))
    }

    /// Whether an editor may change a layer.
    #[must_use]
    pub fn edits(&self, layer: &LayerId) -> bool {
        self.reads(layer) && self.edit.as_ref().is_none_or(|layers| layers.contains(layer))
    }

    /// Refuses rights that contradict themselves.
    ///
    /// # Errors
    /// [`PeopleError::BadRights`] where a layer may be changed or has a rule and may not be read.
    pub fn check(&self) -> Result<(), PeopleError> {
        let named = self.edit.iter().flatten().chain(self.rows.keys());
        match named.into_iter().find(|layer| !self.reads(layer)) {
            Some(layer) => Err(PeopleError::BadRights(format!(
                "layer {layer} is given to be edited, or has a rule for its rows, and is not among those that may be read"
            ))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_stand_in_order_and_have_their_words() {
        assert!(Role::ALL.is_sorted());
        for role in Role::ALL {
            assert_eq!(role.as_str().parse::<Role>().unwrap(), role);
            assert_eq!(serde_json::to_value(role).unwrap(), role.as_str());
        }
        assert!("root".parse::<Role>().is_err());
    }

    #[test]
    fn rights_name_layers_or_mean_all() {
        let id = |text: &str| text.parse::<LayerId>().unwrap();
        let all = Rights::default();
        assert!(all.is_everything() && all.reads(&id("parcels")) && all.edits(&id("parcels")));
        let rights: Rights =
            serde_json::from_str(r#"{"read":["parcels","parks"],"edit":["parcels"],"rows":{"parks":"name = 'x'"}}"#)
                .unwrap();
        assert!(rights.reads(&id("parks")) && !rights.edits(&id("parks")) && !rights.reads(&id("towns")));
        assert!(rights.check().is_ok());
        let torn: Rights = serde_json::from_str(r#"{"read":["parks"],"edit":["parcels"]}"#).unwrap();
        assert!(torn.check().is_err() && !torn.edits(&id("parcels")));
        assert!(serde_json::from_str::<Rights>(r#"{"reed":[]}"#).is_err());
    }
}
