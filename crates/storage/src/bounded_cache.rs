//! A map with a bound. When it is full, the value that was not used for the longest time goes.

use std::{
    hash::Hash,
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use lru::LruCache;

/// A map with a bound. Its values are shared.
pub(crate) struct BoundedCache<K, V>(Mutex<LruCache<K, Arc<V>>>);

impl<K: Eq + Hash + Clone, V> BoundedCache<K, V> {
    pub(crate) fn new(max: NonZeroUsize) -> Self {
        Self(Mutex::new(LruCache::new(max)))
    }

    /// The value of a key. It is made if there is none.
    pub(crate) fn get_or_insert(&self, key: &K, make: impl FnOnce() -> V) -> Arc<V> {
        Arc::clone(self.lock().get_or_insert_ref(key, || Arc::new(make())))
    }

    /// The value of a key, if there is one. This is no use of it.
    pub(crate) fn get(&self, key: &K) -> Option<Arc<V>> {
        self.lock().peek(key).map(Arc::clone)
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<K, Arc<V>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_that_was_not_used_for_the_longest_time_goes() {
        let cache = BoundedCache::new(NonZeroUsize::new(2).unwrap());
        cache.get_or_insert(&"a", || 1);
        cache.get_or_insert(&"b", || 2);
        assert_eq!(*cache.get_or_insert(&"a", || 9), 1);
        cache.get_or_insert(&"c", || 3);
        assert_eq!(
            [cache.get(&"a"), cache.get(&"b"), cache.get(&"c")].map(|value| value.is_some()),
            [true, false, true]
        );
        assert_eq!(cache.lock().len(), 2);
    }
}
