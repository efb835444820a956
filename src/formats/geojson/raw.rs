//! The members of GeoJSON objects as raw text, taken apart but not interpreted.
//!
//! Invariant: nothing is lost on the way: members keep their order, and a name that stands twice is seen.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize,
    de::{self, MapAccess, Visitor},
};
use serde_json::value::RawValue;

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

/// Text, borrowed where the source has it without escapes.
pub struct Text<'j>(pub Cow<'j, str>);

impl<'de: 'j, 'j> Deserialize<'de> for Text<'j> {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Of;
        impl<'de> Visitor<'de> for Of {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Of)
    }
}

/// The members of an object in order, also where a name stands twice.
pub struct Pairs<'j>(pub Vec<(Cow<'j, str>, &'j RawValue)>);

impl<'de: 'j, 'j> Deserialize<'de> for Pairs<'j> {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Of;
        impl<'de> Visitor<'de> for Of {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of properties")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some((Text(name), raw)) = map.next_entry()? {
                    pairs.push((name, raw));
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Of)
    }
}
