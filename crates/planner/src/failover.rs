//! Who should be the first to take over an item whose owner died.

use clockwright_model::{InstanceId, Item};

/// Which survivor should try first to take an orphaned item.
///
/// Its new owner by the current plan, if that one is available: it will run the item's next fire anyway. Until there is a
/// new plan the orphans are spread over the survivors by item number, so that they do not all queue for one of them.
/// This is advice that saves contention; who really takes the item is decided by the claim. `None` when nobody is left.
///
/// All instances must pass `available` in the same order for their advice to agree.
#[must_use]
pub fn choose<'a>(
    item: Item,
    owner: Option<&InstanceId>,
    available: &'a [InstanceId],
) -> Option<&'a InstanceId> {
    if let Some(owner) = owner
        && let Some(found) = available.iter().find(|instance| *instance == owner)
    {
        return Some(found);
    }
    available.get((item as usize).checked_rem(available.len())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(names: &[&str]) -> Vec<InstanceId> {
        names.iter().map(|name| InstanceId::from_wire(name)).collect()
    }

    #[test]
    fn the_new_owner_takes_its_own_item() {
        let available = ids(&["c", "b", "a"]);
        assert_eq!(choose(0, Some(&InstanceId::from_wire("a")), &available), Some(&available[2]));
    }

    #[test]
    fn orphans_without_a_living_owner_are_spread() {
        let available = ids(&["c", "b", "a"]);
        let dead = InstanceId::from_wire("dead");
        let takers: Vec<_> = (0..4).map(|item| choose(item, Some(&dead), &available)).collect();
        assert_eq!(
            takers,
            [Some(&available[0]), Some(&available[1]), Some(&available[2]), Some(&available[0])]
        );
        assert_eq!(choose(1, None, &available), Some(&available[1]));
    }

    #[test]
    fn nobody_left_means_nobody() {
        assert_eq!(choose(3, None, &[]), None);
    }
}
