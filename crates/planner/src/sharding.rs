//! Who owns which item of a job: Elastic-Job's three strategies, and one that moves as few items as possible.

use clockwright_model::InstanceId;
use std::cmp::Reverse;
use std::collections::HashMap;

/// How the items of a job are shared out among its available instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Strategy {
    /// Equal blocks in the order of the instances; what is left over goes one by one to the first of them. The default.
    #[default]
    Average,
    /// [`Average`](Self::Average), with the order reversed for jobs whose name has an even hash.
    OdevityByName,
    /// [`Average`](Self::Average), with the order rotated by the hash of the job's name.
    RotateByName,
    /// Everybody keeps what they have as far as shares stay equal to within one item. Java peers do not know it.
    MinimalMoves,
}

/// A strategy that this scheduler does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no known sharding strategy; use AVG_ALLOCATION, ODEVITY, ROUND_ROBIN, MINIMAL_MOVES, or the class name of one of Elastic-Job's own strategies"
)]
pub struct UnknownStrategy(pub String);

/// Packages in which Elastic-Job's own strategies have lived over the years.
const PACKAGES: [&str; 3] =
    ["com.dangdang.ddframe.job.", "io.elasticjob.", "org.apache.shardingsphere.elasticjob."];

impl Strategy {
    /// Reads a `jobShardingStrategyClass` (2.x) or a `jobShardingStrategyType` (3.x). Empty is the default.
    ///
    /// # Errors
    /// [`UnknownStrategy`] for anything else, such as a user's own Java class, which cannot be executed here.
    pub fn parse(text: &str) -> Result<Strategy, UnknownStrategy> {
        let text = text.trim();
        let word = match PACKAGES.iter().any(|package| text.starts_with(package)) {
            true => text.rsplit('.').next().unwrap_or(text),
            false => text,
        };
        let is_class = word.len() != text.len();
        match (is_class, word) {
            (false, "" | "AVG_ALLOCATION") | (true, "AverageAllocationJobShardingStrategy") => {
                Ok(Strategy::Average)
            }
            (false, "ODEVITY") | (true, "OdevitySortByNameJobShardingStrategy") => {
                Ok(Strategy::OdevityByName)
            }
            (false, "ROUND_ROBIN")
            | (true, "RotateServerByNameJobShardingStrategy" | "RoundRobinByNameJobShardingStrategy") => {
                Ok(Strategy::RotateByName)
            }
            (false, "MINIMAL_MOVES") => Ok(Strategy::MinimalMoves),
            _ => Err(UnknownStrategy(text.to_owned())),
        }
    }

    /// What the 2.1.5 layout's `jobShardingStrategyClass` says: a class that Java peers have, empty for the default.
    /// [`MinimalMoves`](Self::MinimalMoves) has no such class; its own word is written, and a Java leader will refuse it.
    #[must_use]
    pub fn wire_class(self) -> &'static str {
        match self {
            Strategy::Average => "",
            Strategy::OdevityByName => {
                "com.dangdang.ddframe.job.lite.api.strategy.impl.OdevitySortByNameJobShardingStrategy"
            }
            Strategy::RotateByName => {
                "com.dangdang.ddframe.job.lite.api.strategy.impl.RotateServerByNameJobShardingStrategy"
            }
            Strategy::MinimalMoves => self.word(),
        }
    }

    /// The short word, as in 3.x's `jobShardingStrategyType`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Strategy::Average => "AVG_ALLOCATION",
            Strategy::OdevityByName => "ODEVITY",
            Strategy::RotateByName => "ROUND_ROBIN",
            Strategy::MinimalMoves => "MINIMAL_MOVES",
        }
    }

    /// Shares out the items `0..count` of a job.
    ///
    /// `instances_descending` are the available instances as [`descending`] sorts them; Elastic-Job's strategies depend on
    /// that order. `previous` are the owners so far, by item; it may be shorter or longer than `count` and may name
    /// instances that are gone. The answer has for each item the index of its instance; `None` only if there is no instance.
    #[must_use]
    pub fn assign(
        self,
        job: &str,
        instances_descending: &[InstanceId],
        count: u32,
        previous: &[Option<InstanceId>],
    ) -> Vec<Option<usize>> {
        let instances = instances_descending.len();
        let count = count as usize;
        if instances == 0 {
            return vec![None; count];
        }
        match self {
            Strategy::Average => average(instances, count, |place| place),
            Strategy::OdevityByName if java_hash(job) % 2 == 0 => {
                average(instances, count, |place| instances - 1 - place)
            }
            Strategy::OdevityByName => average(instances, count, |place| place),
            Strategy::RotateByName => {
                // Java's `Math.abs` leaves the least number negative and then fails; its true distance from 0 is meant.
                let offset = java_hash(job).unsigned_abs() as usize % instances;
                average(instances, count, |place| (place + offset) % instances)
            }
            Strategy::MinimalMoves => minimal_moves(instances_descending, count, previous),
        }
    }
}

/// Elastic-Job's average allocation; `order` tells which instance is at a place of the list.
fn average(instances: usize, count: usize, order: impl Fn(usize) -> usize) -> Vec<Option<usize>> {
    let share = count / instances;
    (0..count)
        .map(|item| if item < share * instances { item / share } else { item - share * instances })
        .map(|place| Some(order(place)))
        .collect()
}

/// Equal shares with as few items changing hands as possible.
///
/// Some shares are one larger than others when the items do not divide evenly. Those go to the instances that hold most
/// already, so that as few items as possible lie above a share, which are the ones that must move. Each instance keeps its
/// lowest items.
fn minimal_moves(
    instances: &[InstanceId],
    count: usize,
    previous: &[Option<InstanceId>],
) -> Vec<Option<usize>> {
    let index: HashMap<&InstanceId, usize> =
        instances.iter().enumerate().map(|(index, id)| (id, index)).collect();
    let mut plan: Vec<Option<usize>> = (0..count)
        .map(|item| previous.get(item)?.as_ref().and_then(|owner| index.get(owner).copied()))
        .collect();

    let mut held = vec![0usize; instances.len()];
    for owner in plan.iter().flatten() {
        held[*owner] += 1;
    }
    let mut by_held: Vec<usize> = (0..instances.len()).collect();
    by_held.sort_by_key(|instance| Reverse(held[*instance]));
    let mut room = vec![count / instances.len(); instances.len()];
    for instance in &by_held[..count % instances.len()] {
        room[*instance] += 1;
    }

    for owner in &mut plan {
        match *owner {
            Some(instance) if room[instance] > 0 => room[instance] -= 1,
            _ => *owner = None,
        }
    }
    let mut free =
        room.into_iter().enumerate().flat_map(|(instance, room)| std::iter::repeat_n(instance, room));
    for owner in plan.iter_mut().filter(|owner| owner.is_none()) {
        *owner = free.next();
    }
    plan
}

/// `String.hashCode` of Java: over UTF-16 code units, wrapping at 32 bits.
#[must_use]
pub fn java_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

/// Sorts ids as Elastic-Job lists its instances: descending in Java's string order, which is that of UTF-16 code units.
pub fn descending(ids: &mut [InstanceId]) {
    ids.sort_by(|a, b| b.as_str().encode_utf16().cmp(a.as_str().encode_utf16()));
}
