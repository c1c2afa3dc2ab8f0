//! Room for so many at once, and for so many of each: connections of an address, streams of somebody.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// Who is in.
#[derive(Debug)]
pub(crate) struct Room<K>(Arc<Mutex<Counts<K>>>);

#[derive(Debug)]
struct Counts<K> {
    all: usize,
    each: HashMap<K, usize>,
}

/// A place that somebody has; given back when it is dropped.
#[derive(Debug)]
pub struct Place<K: Eq + Hash> {
    room: Arc<Mutex<Counts<K>>>,
    whose: K,
}

impl<K> Default for Room<K> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Counts { all: 0, each: HashMap::new() })))
    }
}

impl<K: Eq + Hash + Clone> Room<K> {
    /// One more place of somebody, if fewer than `most` are taken in all, and fewer than `each` of theirs.
    ///
    /// # Errors
    /// There is no room; so many are theirs.
    pub(crate) fn enter(&self, whose: K, most: usize, each: usize) -> Result<Place<K>, usize> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let theirs = counts.each.get(&whose).copied().unwrap_or_default();
        if counts.all >= most || theirs >= each {
            return Err(theirs);
        }
        counts.all += 1;
        counts.each.insert(whose.clone(), theirs + 1);
        Ok(Place { room: Arc::clone(&self.0), whose })
    }
}

impl<K> Room<K> {
    /// How many places are taken.
    pub(crate) fn taken(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).all
    }
}

impl<K: Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        let mut counts = self.room.lock().unwrap_or_else(PoisonError::into_inner);
        counts.all -= 1;
        if let Some(theirs) = counts.each.get_mut(&self.whose) {
            *theirs -= 1;
            if *theirs == 0 {
                counts.each.remove(&self.whose);
            }
        }
    }
}
