//! The members of GeoJSON features as raw text, taken apart but not interpreted.
//!
//! Invariant: nothing is lost on the way: members keep their order, and a name that stands twice is seen.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize,
    de::{self, MapAccess, Visitor},
};
use serde_json::value::RawValue;

pub use crate::domain::json::{Pairs, Text};

/// The members of a feature, not yet interpreted.
#[derive(Default)]
pub struct Members<'j> {
    pub kind: Option<Cow<'j, str>>,
    pub id: Option<&'j RawValue>,
    pub geometry: Option<&'j RawValue>,
    pub properties: Option<&'j RawValue>,
    pub foreign: Vec<Cow<'j, str>>,
}

impl<'de: 'j, 'j> Deserialize<'de> for Members<'j> {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Of;
        impl<'de> Visitor<'de> for Of {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a feature")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Members::default();
                while let Some(Text(name)) = map.next_key()? {
                    let raw: &RawValue = map.next_value()?;
                    let place = match name.as_ref() {
                        "type" => {
                            members.kind = serde_json::from_str::<Text<'_>>(raw.get()).ok().map(|text| text.0);
                            continue;
                        }
                        "id" => &mut members.id,
                        "geometry" => &mut members.geometry,
                        "properties" => &mut members.properties,
                        "bbox" => continue,
                        _ => {
                            members.foreign.push(name);
                            continue;
                        }
                    };
                    if place.replace(raw).is_some() {
                        return Err(de::Error::custom(format!("the member {name:?} stands twice")));
                    }
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Of)
    }
}
