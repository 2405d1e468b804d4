//! Places of clients: how many each holds at a time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::lock;

/// The number of places that each client holds. A client without a place has no entry.
pub(crate) type Held<K> = BTreeMap<K, usize>;

/// The places of one socket.
#[derive(Debug)]
pub(crate) struct Places<K> {
    held: Mutex<Held<K>>,
}

/// A place of a client, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place<K: Ord> {
    places: Arc<Places<K>>,
    client: K,
}

impl<K: Copy + Ord> Places<K> {
    /// Places that no client holds yet.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { held: Mutex::default() })
    }

    /// Takes a place for the client if `has_room` for one more than are held now.
    pub(crate) fn take(
        self: &Arc<Self>,
        client: K,
        has_room: impl FnOnce(&Held<K>) -> bool,
    ) -> Option<Place<K>> {
        let mut held = lock(&self.held);
        if !has_room(&held) {
            return None;
        }
        *held.entry(client).or_default() += 1;
        Some(Place { places: Arc::clone(self), client })
    }
}

impl<K: Ord> Drop for Place<K> {
    fn drop(&mut self) {
        let mut held = lock(&self.places.held);
        if let Some(own) = held.get_mut(&self.client) {
            *own -= 1;
            if *own == 0 {
                held.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_leaves_is_forgotten() {
        let places = Places::<u32>::new();
        let few = |held: &Held<u32>| held.values().sum::<usize>() < 2;
        let two = [places.take(7, few), places.take(7, few)];
        assert!(two.iter().all(Option::is_some) && places.take(8, few).is_none());
        drop(two);
        assert!(lock(&places.held).is_empty());
        assert!(places.take(8, few).is_some());
    }
}
