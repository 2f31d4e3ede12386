//! Lists of a suite where a text is often written instead: what to write is said with the text itself.

use super::located::At;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// What parts what is wanted from what to write, in what is said of a value of another type.
pub(super) const WRITE: &str = "; write ";

/// How many characters of a text are shown in what to write.
const SHOWN: usize = 60;

/// A map that has one key which says what it is about.
pub(super) trait Keyed {
    /// The key.
    const KEY: &str;
}

/// A list of maps, or nothing.
pub(super) fn items<'de, D: Deserializer<'de>, T: Deserialize<'de> + Keyed>(
    deserializer: D,
) -> Result<Option<Vec<T>>, D::Error> {
    ItemsSeed(PhantomData).deserialize(deserializer)
}

/// The same for a value whose key was read by hand.
pub(super) struct ItemsSeed<T>(pub(super) PhantomData<T>);

impl<'de, T: Deserialize<'de> + Keyed> DeserializeSeed<'de> for ItemsSeed<T> {
    type Value = Option<Vec<T>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<Vec<T>>, D::Error> {
        let list = Option::<List<Item<T>>>::deserialize(deserializer)?;
        Ok(list.map(|List(items)| items.into_iter().map(|Item(item)| item).collect()))
    }
}

/// The same with the place of each item.
pub(super) struct PlacedItemsSeed<T>(pub(super) PhantomData<T>);

impl<'de, T: Deserialize<'de> + Keyed> DeserializeSeed<'de> for PlacedItemsSeed<T> {
    type Value = Option<Vec<At<T>>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<Vec<At<T>>>, D::Error> {
        let list = Option::<List<At<Item<T>>>>::deserialize(deserializer)?;
        let bare = |item: At<Item<T>>| At { value: item.value.0, place: item.place };
        Ok(list.map(|List(items)| items.into_iter().map(bare).collect()))
    }
}

/// A list of words, or nothing.
pub(super) fn words<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<At<String>>>, D::Error> {
    let list = Option::<List<Word>>::deserialize(deserializer)?;
    Ok(list.map(|List(words)| words.into_iter().map(|Word(word)| word).collect()))
}

/// What a list is of.
trait OfList {
    /// What to write where a text stands for the list.
    fn instead(text: &str) -> String;
}

/// One item.
struct Item<T>(T);

/// One word.
struct Word(At<String>);

/// A list.
struct List<T>(Vec<T>);

impl<T: Keyed> OfList for Item<T> {
    fn instead(text: &str) -> String {
        format!("`- {}: {}`", T::KEY, cut(text))
    }
}

impl<T: OfList> OfList for At<T> {
    fn instead(text: &str) -> String {
        T::instead(text)
    }
}

impl OfList for Word {
    fn instead(text: &str) -> String {
        format!("`[{}]`", cut(text))
    }
}

/// The start of a text.
fn cut(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        At::deserialize(deserializer).map(Self)
    }
}

impl<'de, T: Deserialize<'de> + OfList> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de> + OfList> Visitor<'de> for ListVisitor<T> {
            type Value = List<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a sequence")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<List<T>, E> {
                let wanted = format!("a sequence{WRITE}{}", T::instead(text));
                Err(E::invalid_type(Unexpected::Other("a text"), &wanted.as_str()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<List<T>, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = access.next_element()? {
                    items.push(item);
                }
                Ok(List(items))
            }
        }

        deserializer.deserialize_any(ListVisitor(PhantomData))
    }
}

impl<'de, T: Deserialize<'de> + Keyed> Deserialize<'de> for Item<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ItemVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de> + Keyed> Visitor<'de> for ItemVisitor<T> {
            type Value = Item<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Item<T>, E> {
                let wanted = format!("a map{WRITE}`- {}: {}`", T::KEY, cut(text));
                Err(E::invalid_type(Unexpected::Other("a text"), &wanted.as_str()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Item<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Item)
            }
        }

        deserializer.deserialize_any(ItemVisitor(PhantomData))
    }
}
