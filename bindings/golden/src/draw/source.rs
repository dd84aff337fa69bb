//! The deserializer that draws instead of reading.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use serde::de::value::U32Deserializer;
use serde::de::{self, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, SeqAccess, VariantAccess, Visitor};

use super::Random;
use super::coverage::{Place, Seen};

/// No collection of the wire is anywhere near as long.
const ENDLESS: usize = 1 << 20;

/// Why a type did not take what was drawn.
#[derive(Debug)]
pub(super) enum Refused {
    /// The innermost open sequence holds no more than this.
    TooLong {
        /// As many as it holds.
        capacity: usize,
    },
    /// Something else, in the type's own words.
    Other(String),
}

impl Display for Refused {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::TooLong { capacity } => write!(out, "more than {capacity} elements"),
            Refused::Other(reason) => out.write_str(reason),
        }
    }
}

impl std::error::Error for Refused {}

impl de::Error for Refused {
    fn custom<T: Display>(reason: T) -> Refused {
        Refused::Other(reason.to_string())
    }

    fn invalid_length(length: usize, _: &dyn de::Expected) -> Refused {
        Refused::TooLong { capacity: length.saturating_sub(1) }
    }
}

/// Where values come from, and what became of them in this attempt.
pub(super) struct Source {
    random: Random,
    /// What is known of capacities: a property of the type, found when it refuses.
    capacities: BTreeMap<Place, usize>,
    place: Place,
    /// The next integer is the key of an entry, and not below this.
    rising: Option<u64>,
    /// The last key drawn.
    key: u64,
    seen: Vec<Seen>,
}

impl Default for Source {
    fn default() -> Source {
        let (capacities, seen) = (BTreeMap::new(), Vec::new());
        Source { random: Random::new(0), capacities, place: ("", "", 0), rising: None, key: 0, seen }
    }
}

impl Source {
    /// Begins an attempt.
    pub(super) fn begin(&mut self, random: Random) {
        self.random = random;
        self.place = ("", "", 0);
        self.rising = None;
        self.seen.clear();
    }

    /// What the attempt had.
    pub(super) fn seen(&self) -> &[Seen] {
        &self.seen
    }

    /// The sequence in which the attempt ended holds `capacity`.
    pub(super) fn learn(&mut self, capacity: usize) {
        let known = self.capacities.insert(self.place, capacity);
        assert!(known.is_none_or(|known| known > capacity), "{:?} refuses less than it said it holds", self.place);
    }

    fn length(&mut self) -> usize {
        let drawn = match self.random.number() % 8 {
            0 => 0,
            1 => ENDLESS,
            _ => 1 + (self.random.number() % 4) as usize,
        };
        let capacity = self.capacities.get(&self.place).copied().unwrap_or(ENDLESS);
        let length = drawn.min(capacity);
        self.seen.push(match length {
            0 => Seen::Empty(self.place),
            full if full == capacity => Seen::Full(self.place),
            _ => Seen::Partial(self.place),
        });
        length
    }

    fn integer(&mut self, width: u64) -> Result<u64, Refused> {
        let value = match self.rising.take() {
            Some(least) => {
                self.key = least + self.random.number() % 3;
                self.key
            }
            None => match self.random.number() % (width + 2) {
                0 => 0,
                beyond if beyond > width => u64::MAX >> (64 - width),
                bits => (self.random.number() >> (64 - bits)) | (1 << (bits - 1)),
            },
        };
        if width < 64 && value >> width != 0 {
            return Err(Refused::Other(format!("{value} has more than {width} bits")));
        }
        Ok(value)
    }

    /// Draws inside of `place` and returns to where it was. After a refusal it
    /// stays, since that is where the refusal happened.
    fn inside<T>(&mut self, place: Place, draw: impl FnOnce(&mut Source) -> Result<T, Refused>) -> Result<T, Refused> {
        let around = std::mem::replace(&mut self.place, place);
        let drawn = draw(self)?;
        self.place = around;
        Ok(drawn)
    }
}

/// One value to be drawn.
pub(super) struct Value<'s> {
    source: &'s mut Source,
    /// It is an element of a sequence, and if it is a pair, its first half is
    /// a key, not below this.
    entry: Option<u64>,
}

impl<'s> Value<'s> {
    pub(super) fn new(source: &'s mut Source) -> Value<'s> {
        Value { source, entry: None }
    }
}

/// So many elements of a sequence, each beyond the one before if they are
/// entries of a map.
struct Elements<'s> {
    source: &'s mut Source,
    left: usize,
    least: u64,
}

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = Refused;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Refused> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        let (owner, field, depth) = self.source.place;
        let least = self.least;
        let element = |source: &mut Source| seed.deserialize(Value { source, entry: Some(least) });
        let element = self.source.inside((owner, field, depth + 1), element)?;
        self.least = self.source.key + 1;
        Ok(Some(element))
    }
}

/// The parts of a struct, a tuple or a variant, each in its place.
struct Parts<'s> {
    source: &'s mut Source,
    owner: &'static str,
    fields: std::slice::Iter<'static, &'static str>,
}

impl<'de> SeqAccess<'de> for Parts<'_> {
    type Error = Refused;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Refused> {
        let Some(field) = self.fields.next() else { return Ok(None) };
        self.source.inside((self.owner, field, 0), |source| seed.deserialize(Value::new(source))).map(Some)
    }
}

/// The parts of a tuple, which have no names; the first may be a key.
struct Unnamed<'s> {
    source: &'s mut Source,
    left: usize,
    key: Option<u64>,
}

impl<'de> SeqAccess<'de> for Unnamed<'_> {
    type Error = Refused;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Refused> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        self.source.rising = self.key.take();
        seed.deserialize(Value::new(self.source)).map(Some)
    }
}

macro_rules! integers {
    ($($deserialize:ident $visit:ident $type:ty),*) => {$(
        fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
            let value = self.source.integer(u64::from(<$type>::BITS))?;
            visitor.$visit(<$type>::try_from(value).map_err(de::Error::custom)?)
        }
    )*};
}

macro_rules! absent {
    ($($deserialize:ident)*) => {$(
        fn $deserialize<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Refused> {
            unimplemented_on_the_wire(stringify!($deserialize))
        }
    )*};
}

fn unimplemented_on_the_wire<T>(what: &str) -> Result<T, Refused> {
    panic!("the wire had nothing that asks for {what}: say in the table of this module how it is drawn")
}

impl<'de> Deserializer<'de> for Value<'_> {
    type Error = Refused;

    integers!(
        deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32, deserialize_u64 visit_u64 u64
    );

    absent!(
        deserialize_any deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_f32
        deserialize_f64 deserialize_char deserialize_str deserialize_string deserialize_bytes
        deserialize_byte_buf deserialize_map deserialize_identifier deserialize_ignored_any
    );

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_bool(self.source.random.number() & 1 == 1)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let some = self.source.random.number() & 1 == 1;
        self.source.seen.push(Seen::Option(self.source.place, some));
        if some { visitor.visit_some(Value::new(self.source)) } else { visitor.visit_none() }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let left = self.source.length();
        visitor.visit_seq(Elements { source: self.source, left, least: 0 })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Refused> {
        let key = self.entry.filter(|_| length == 2);
        visitor.visit_seq(Unnamed { source: self.source, left: length, key })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        visitor.visit_seq(Unnamed { source: self.source, left: length, key: None })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        owner: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        visitor.visit_seq(Parts { source: self.source, owner, fields: fields.iter() })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        owner: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let at = (self.source.random.number() % variants.len() as u64) as usize;
        self.source.seen.push(Seen::Variant(owner, variants, at));
        self.source.inside((owner, variants[at], 0), |source| visitor.visit_enum(Variant { source, at }))
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

struct Variant<'s> {
    source: &'s mut Source,
    at: usize,
}

impl<'de> EnumAccess<'de> for Variant<'_> {
    type Error = Refused;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Refused> {
        let at: U32Deserializer<Refused> = (self.at as u32).into_deserializer();
        Ok((seed.deserialize(at)?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = Refused;

    fn unit_variant(self) -> Result<(), Refused> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Refused> {
        seed.deserialize(Value::new(self.source))
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_seq(Unnamed { source: self.source, left: length, key: None })
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Refused> {
        let (owner, ..) = self.source.place;
        visitor.visit_seq(Parts { source: self.source, owner, fields: fields.iter() })
    }
}
