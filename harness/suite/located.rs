//! Values of a suite file that know their place, and the shapes that the format has besides.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};
use serde_saphyr::{Location, Spanned};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// A place in a file, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The line.
    pub line: u64,
    /// The character in the line.
    pub column: u64,
}

impl Place {
    /// Where a document starts about which no more is known.
    pub(super) const START: Self = Self { line: 1, column: 1 };

    pub(super) fn of(location: Location) -> Option<Self> {
        (location != Location::UNKNOWN).then(|| Self { line: location.line(), column: location.column() })
    }
}

/// A value and its place: where it is written, also when an alias brings it elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<T>::deserialize(deserializer)?;
        let place = Place::of(spanned.defined).or_else(|| Place::of(spanned.referenced));
        Ok(Self { value: spanned.value, place: place.unwrap_or(Place::START) })
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// One text, or a list of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Texts {
    /// One.
    One(At<String>),
    /// A list.
    List(At<Vec<At<String>>>),
}

impl Texts {
    pub(super) fn as_slice(&self) -> &[At<String>] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::List(texts) => &texts.value,
        }
    }

    /// Where the first of them is, or the empty list.
    pub(super) fn place(&self) -> Place {
        match self {
            Self::One(text) => text.place,
            Self::List(texts) => texts.value.first().map_or(texts.place, |text| text.place),
        }
    }
}

/// What stands there, before its place is known. `NUMBERS`: a number alone is a text, too.
enum Bare<const NUMBERS: bool> {
    One(String),
    List(Vec<At<String>>),
}

impl<'de, const NUMBERS: bool> Deserialize<'de> for Bare<NUMBERS> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BareVisitor<const NUMBERS: bool>;

        impl<'de, const NUMBERS: bool> Visitor<'de> for BareVisitor<NUMBERS> {
            type Value = Bare<NUMBERS>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Bare::One(text.to_owned()))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
                if NUMBERS {
                    return Ok(Bare::One(number.to_string()));
                }
                Err(E::invalid_type(Unexpected::Unsigned(number), &self))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
                if NUMBERS {
                    return Ok(Bare::One(number.to_string()));
                }
                Err(E::invalid_type(Unexpected::Signed(number), &self))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = items.next_element()? {
                    texts.push(text);
                }
                Ok(Bare::List(texts))
            }
        }

        deserializer.deserialize_any(BareVisitor)
    }
}

impl<const NUMBERS: bool> From<At<Bare<NUMBERS>>> for Texts {
    fn from(bare: At<Bare<NUMBERS>>) -> Self {
        match bare.value {
            Bare::One(text) => Self::One(At { value: text, place: bare.place }),
            Bare::List(texts) => Self::List(At { value: texts, place: bare.place }),
        }
    }
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        At::<Bare<false>>::deserialize(deserializer).map(Self::from)
    }
}

/// Texts of which one alone may be a whole number without quotes, or nothing.
pub(super) fn numbers_too<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Texts>, D::Error> {
    Ok(Option::<At<Bare<true>>>::deserialize(deserializer)?.map(Texts::from))
}

/// [`numbers_too`], for the schema.
pub(super) struct NumbersToo;

impl JsonSchema for NumbersToo {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "NumbersToo".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [{ "type": ["string", "integer"] }, { "type": "array", "items": { "type": ["string", "number"] } }]
        })
    }
}

impl JsonSchema for Texts {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Texts".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // Items of a list may be numbers without quotes (`[sleep, 1]`): their text is taken as it is written.
        json_schema!({
            "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": ["string", "number"] } }]
        })
    }
}

/// A map whose keys are anybody's, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pairs<V>(pub(super) Vec<(At<String>, V)>);

impl<V> Default for Pairs<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Pairs<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor<V>(PhantomData<V>);

        impl<'de, V: Deserialize<'de>> Visitor<'de> for PairsVisitor<V> {
            type Value = Pairs<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<V>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(PairsVisitor(PhantomData))
    }
}

impl<V: JsonSchema> JsonSchema for Pairs<V> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("MapOf{}", V::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<V>();
        json_schema!({ "type": "object", "additionalProperties": value })
    }
}
