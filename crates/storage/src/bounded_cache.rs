//! A map with a bound. When it is full, the value that was not used for the longest time goes.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

/// A map with a bound. Its values are shared.
pub(crate) struct BoundedCache<K, V> {
    max: usize,
    entries: Mutex<Entries<K, V>>,
}

struct Entries<K, V> {
    map: HashMap<K, (u64, Arc<V>)>,
    /// Counts uses.
    used: u64,
}

impl<K: Eq + Hash + Clone, V> BoundedCache<K, V> {
    pub(crate) fn new(max: usize) -> Self {
        Self { max, entries: Mutex::new(Entries { map: HashMap::new(), used: 0 }) }
    }

    /// The value of a key. It is made if there is none.
    pub(crate) fn get_or_insert(&self, key: &K, make: impl FnOnce() -> V) -> Arc<V> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.used += 1;
        let used = entries.used;
        if let Some((last_use, value)) = entries.map.get_mut(key) {
            *last_use = used;
            return Arc::clone(value);
        }
        if entries.map.len() >= self.max {
            // Rare, and a call to AWS follows: a search through all is cheap beside it.
            let oldest =
                entries.map.iter().min_by_key(|(_, (last_use, _))| *last_use).map(|(key, _)| key.clone());
            oldest.and_then(|key| entries.map.remove(&key));
        }
        let value = Arc::new(make());
        entries.map.insert(key.clone(), (used, Arc::clone(&value)));
        value
    }

    /// The value of a key, if there is one.
    pub(crate) fn get(&self, key: &K) -> Option<Arc<V>> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.map.get(key).map(|(_, value)| Arc::clone(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_that_was_not_used_for_the_longest_time_goes() {
        let cache = BoundedCache::new(2);
        cache.get_or_insert(&"a", || 1);
        cache.get_or_insert(&"b", || 2);
        assert_eq!(*cache.get_or_insert(&"a", || 9), 1);
        cache.get_or_insert(&"c", || 3);
        assert_eq!(
            [cache.get(&"a"), cache.get(&"b"), cache.get(&"c")].map(|value| value.is_some()),
            [true, false, true]
        );
        assert_eq!(cache.entries.lock().unwrap().map.len(), 2);
    }
}
