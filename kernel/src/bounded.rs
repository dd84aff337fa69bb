//! A canonical bounded map: equal contents have equal bytes.
//!
//! Of heapless only `Vec` and `String` are `Clone + Eq + Hash`, so this is a
//! thin wrapper that keeps the entries sorted and refuses unsorted input.

use heapless::Vec;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

/// The map holds as many entries as it can. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Full;

/// A map of at most `N` entries, sorted by key. On the wire it is the sorted
/// list of its entries; anything else is refused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Map<K, V, const N: usize> {
    entries: Vec<(K, V), N>,
}

impl<K: Ord, V, const N: usize> Map<K, V, N> {
    /// A map without entries.
    pub const fn new() -> Self {
        Map { entries: Vec::new() }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether there is no room for another key.
    pub fn is_full(&self) -> bool {
        self.entries.is_full()
    }

    /// The value at `key`.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.place(key).ok().and_then(|at| self.entries.get(at)).map(|(_, value)| value)
    }

    /// Whether there is an entry at `key`.
    pub fn contains(&self, key: &K) -> bool {
        self.place(key).is_ok()
    }

    /// Puts `value` at `key`, in place of what was there.
    ///
    /// # Errors
    /// When the key is new and there is no room for it.
    pub fn insert(&mut self, key: K, value: V) -> Result<(), Full> {
        match self.place(&key) {
            Ok(at) => {
                if let Some((_, old)) = self.entries.get_mut(at) {
                    *old = value;
                }
                Ok(())
            }
            Err(at) => self.entries.insert(at, (key, value)).map_err(|_| Full),
        }
    }

    /// The value at `key`, put there by `make` where there was none.
    ///
    /// # Errors
    /// When the key is new and there is no room for it.
    pub fn entry(&mut self, key: K, make: impl FnOnce() -> V) -> Result<&mut V, Full> {
        let at = match self.place(&key) {
            Ok(at) => at,
            Err(at) => {
                self.entries.insert(at, (key, make())).map_err(|_| Full)?;
                at
            }
        };
        self.entries.get_mut(at).map(|(_, value)| value).ok_or(Full)
    }

    /// Takes the value at `key` out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        self.place(key).ok().map(|at| self.entries.remove(at).1)
    }

    /// Keeps the entries that `keep` accepts.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &V) -> bool) {
        self.entries.retain(|(key, value)| keep(key, value));
    }

    /// Drops every entry.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// The entries in order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    fn place(&self, key: &K) -> Result<usize, usize> {
        self.entries.binary_search_by(|(other, _)| other.cmp(key))
    }
}

impl<K: Ord, V, const N: usize> Default for Map<K, V, N> {
    fn default() -> Self {
        Map::new()
    }
}

impl<'de, K, V, const N: usize> Deserialize<'de> for Map<K, V, N>
where
    K: Deserialize<'de> + Ord,
    V: Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entries = Vec::<(K, V), N>::deserialize(deserializer)?;
        let mut pairs = entries.iter().zip(entries.iter().skip(1));
        if pairs.all(|(left, right)| left.0 < right.0) {
            Ok(Map { entries })
        } else {
            Err(D::Error::custom("keys are not in strictly rising order"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_of_insertion_leaves_no_trace() {
        let mut left = Map::<u8, u8, 3>::new();
        let mut right = Map::<u8, u8, 3>::new();
        for key in [2, 0, 1] {
            left.insert(key, key).unwrap();
        }
        for key in [0, 1, 2] {
            right.insert(key, key).unwrap();
        }
        assert_eq!(left, right);
        assert_eq!(left.insert(3, 3), Err(Full));
        assert_eq!(left.insert(1, 9), Ok(()), "a known key needs no room");
        assert_eq!(left.len(), 3);
    }

    #[test]
    fn unsorted_and_repeated_keys_are_refused() {
        let decode = |bytes: &[u8]| postcard::from_bytes::<Map<u8, u8, 4>>(bytes).is_ok();
        assert!(decode(&[2, 1, 7, 2, 7]));
        assert!(!decode(&[2, 2, 7, 1, 7]));
        assert!(!decode(&[2, 1, 7, 1, 7]));
        assert!(!decode(&[5, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0]), "more than it can hold");
    }
}
