//! Values that many rows have, each kept once.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

/// So few are not worth a look for those that nobody has any more.
const FEW: usize = 1_024;

/// The values, with some that nobody has any more.
#[derive(Debug)]
pub struct Pool<T: ?Sized> {
    each: HashSet<Arc<T>>,
    /// When there are so many, those that nobody has are let go.
    most: usize,
}

impl<T: ?Sized> Default for Pool<T> {
    fn default() -> Self {
        Self { each: HashSet::new(), most: FEW }
    }
}

impl<T: Eq + Hash + ?Sized> Pool<T> {
    /// What stands here for all that are equal to it.
    pub fn share(&mut self, value: &Arc<T>) -> Arc<T> {
        if let Some(there) = self.each.get(value) {
            return Arc::clone(there);
        }
        if self.each.len() >= self.most {
            self.each.retain(|value| Arc::strong_count(value) > 1);
            self.most = FEW.max(2 * self.each.len());
        }
        self.each.insert(Arc::clone(value));
        Arc::clone(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_equal_is_one_and_what_nobody_has_is_let_go() {
        let mut pool = Pool::<str>::default();
        let first = pool.share(&"nightly".into());
        assert!(Arc::ptr_eq(&first, &pool.share(&"nightly".into())));
        for number in 0..10 * FEW {
            pool.share(&number.to_string().into());
        }
        assert!(pool.each.len() <= FEW, "{}", pool.each.len());
        assert!(Arc::ptr_eq(&first, &pool.share(&"nightly".into())), "somebody has it");
    }
}
