//! What a variable or a label should be: a text, or in words.

use super::Scalar;
use crate::suite::located::At;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer};
use std::borrow::Cow;
use std::fmt;

/// What a variable or a label should be.
#[derive(Debug, Clone)]
pub(in crate::suite) enum Value {
    /// A text; `absent` is the word for one that should not be there.
    Text(At<String>),
    /// In words.
    Told(Told),
}

/// What a variable or a label should be, in words.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Value")]
pub(in crate::suite) struct Told {
    /// A regular expression that should match somewhere in it.
    pub(in crate::suite) matches: Option<At<String>>,
    /// Exactly this, also where it is the word absent.
    #[schemars(with = "Option<Scalar>")]
    pub(in crate::suite) is: Option<At<String>>,
    /// Whether it should not be there.
    pub(in crate::suite) absent: Option<At<bool>>,
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// What stands there, before its place is known.
        enum Bare {
            Text(String),
            Told(Told),
        }

        struct BareVisitor;

        impl<'de> Visitor<'de> for BareVisitor {
            type Value = Bare;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, `{matches: REGEX}` or `absent`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Bare, E> {
                Ok(Bare::Text(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Bare, A::Error> {
                Err(Error::invalid_type(serde::de::Unexpected::Seq, &self))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Bare, A::Error> {
                Told::deserialize(MapAccessDeserializer::new(map)).map(Bare::Told)
            }
        }

        impl<'de> Deserialize<'de> for Bare {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(BareVisitor)
            }
        }

        let bare = At::<Bare>::deserialize(deserializer)?;
        Ok(match bare.value {
            Bare::Text(text) => Self::Text(At { value: text, place: bare.place }),
            Bare::Told(told) => Self::Told(told),
        })
    }
}

impl JsonSchema for Value {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "TextOrValue".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let told = generator.subschema_for::<Told>();
        json_schema!({ "anyOf": [{ "type": "string" }, told] })
    }
}
