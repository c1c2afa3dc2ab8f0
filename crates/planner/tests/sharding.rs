//! Sharding: Elastic-Job's results exactly, and what every strategy promises.

#![allow(clippy::unwrap_used, reason = "tests")]

use clockwright_model::InstanceId;
use clockwright_planner::sharding::{Strategy, descending, java_hash};
use proptest::prelude::{prop, prop_assert, prop_assert_eq, proptest};

fn ids(names: &[&str]) -> Vec<InstanceId> {
    names.iter().map(|name| InstanceId::from_wire(name)).collect()
}

/// The items of each instance, in the order of the instances.
fn shares(strategy: Strategy, job: &str, instances: &[InstanceId], count: u32) -> Vec<Vec<usize>> {
    let mut shares = vec![Vec::new(); instances.len()];
    for (item, owner) in strategy.assign(job, instances, count, &[]).into_iter().enumerate() {
        shares[owner.unwrap()].push(item);
    }
    shares
}

#[test]
fn instances_are_listed_in_javas_descending_order() {
    let mut listed = ids(&["10.0.0.10@-@300", "10.0.0.1@-@100", "10.0.0.2@-@200"]);
    descending(&mut listed);
    assert_eq!(listed, ids(&["10.0.0.2@-@200", "10.0.0.1@-@100", "10.0.0.10@-@300"]));
    // U+1F600 is written with surrogates, which sort before U+FF21 in UTF-16 and after it in UTF-8.
    let mut listed = ids(&["\u{1f600}", "\u{ff21}"]);
    descending(&mut listed);
    assert_eq!(listed, ids(&["\u{ff21}", "\u{1f600}"]));
}

#[test]
fn the_hash_is_that_of_java() {
    for (name, hash) in [
        ("test_job", -1_146_456_432),
        ("myJob", 104_343_153),
        ("elasticDemoJob", -168_480_187),
        ("foo_job", -680_622_908),
        ("polygenelubricants", i32::MIN),
        ("", 0),
    ] {
        assert_eq!(java_hash(name), hash, "{name}");
    }
}

#[test]
fn the_three_strategies_give_elastic_jobs_results() {
    use Strategy::{Average, OdevityByName, RotateByName};
    let listed = ids(&["10.0.0.2@-@200", "10.0.0.1@-@100", "10.0.0.10@-@300"]);
    let (first, middle, last) = (vec![0, 1, 6], vec![2, 3, 7], vec![4, 5]);
    let expected: [(Strategy, &str, u32, [Vec<usize>; 3]); 10] = [
        (Average, "any", 2, [vec![0], vec![1], vec![]]),
        (Average, "any", 8, [first.clone(), middle.clone(), last.clone()]),
        (Average, "any", 9, [vec![0, 1, 2], vec![3, 4, 5], vec![6, 7, 8]]),
        (Average, "any", 10, [vec![0, 1, 2, 9], vec![3, 4, 5], vec![6, 7, 8]]),
        (OdevityByName, "test_job", 8, [last.clone(), middle.clone(), first.clone()]),
        (OdevityByName, "myJob", 8, [first.clone(), middle.clone(), last.clone()]),
        (OdevityByName, "elasticDemoJob", 8, [first.clone(), middle.clone(), last.clone()]),
        (RotateByName, "elasticDemoJob", 8, [last.clone(), first.clone(), middle.clone()]),
        (RotateByName, "foo_job", 8, [middle.clone(), last.clone(), first.clone()]),
        (RotateByName, "test_job", 8, [first, middle, last]),
    ];
    for (strategy, job, count, result) in expected {
        assert_eq!(shares(strategy, job, &listed, count), result, "{strategy:?} {job} {count}");
    }
    let hosts = ids(&["h0", "h1", "h2"]);
    for (strategy, job, owners) in [
        (OdevityByName, "1", [0, 1]),
        (OdevityByName, "0", [2, 1]),
        (RotateByName, "1", [1, 2]),
        (RotateByName, "2", [2, 0]),
        (RotateByName, "3", [0, 1]),
    ] {
        assert_eq!(strategy.assign(job, &hosts, 2, &[]), owners.map(Some), "{strategy:?} {job}");
    }
}

#[test]
fn the_one_name_that_java_cannot_rotate_by_is_shared_out_all_the_same() {
    let plan = Strategy::RotateByName.assign("polygenelubricants", &ids(&["c", "b", "a"]), 3, &[]);
    assert_eq!(plan, [Some(2), Some(0), Some(1)]);
}

#[test]
fn every_name_that_elastic_job_had_for_a_strategy_is_read() {
    for (strategy, texts) in [
        (
            Strategy::Average,
            &[
                "",
                "AVG_ALLOCATION",
                "com.dangdang.ddframe.job.lite.api.strategy.impl.AverageAllocationJobShardingStrategy",
                "org.apache.shardingsphere.elasticjob.infra.handler.sharding.impl.AverageAllocationJobShardingStrategy",
            ][..],
        ),
        (
            Strategy::OdevityByName,
            &["ODEVITY", "io.elasticjob.lite.api.strategy.impl.OdevitySortByNameJobShardingStrategy"],
        ),
        (
            Strategy::RotateByName,
            &[
                "ROUND_ROBIN",
                "com.dangdang.ddframe.job.lite.api.strategy.impl.RotateServerByNameJobShardingStrategy",
                "org.apache.shardingsphere.elasticjob.infra.handler.sharding.impl.RoundRobinByNameJobShardingStrategy",
            ],
        ),
        (Strategy::MinimalMoves, &["MINIMAL_MOVES"]),
    ] {
        for text in texts {
            assert_eq!(Strategy::parse(text), Ok(strategy), "{text}");
        }
        assert_eq!(Strategy::parse(strategy.wire_class()), Ok(strategy));
        assert_eq!(Strategy::parse(strategy.word()), Ok(strategy));
    }
    for unknown in ["com.example.MyStrategy", "AverageAllocationJobShardingStrategy", "avg"] {
        let error = Strategy::parse(unknown).unwrap_err().to_string();
        assert!(error.contains(unknown) && error.contains("MINIMAL_MOVES"), "{error}");
    }
}

#[test]
fn minimal_moves_gives_a_newcomer_its_share_and_nobody_else_anything() {
    let two = ids(&["b", "a"]);
    let before: Vec<_> = Strategy::MinimalMoves
        .assign("job", &two, 9, &[])
        .into_iter()
        .map(|o| o.map(|o| two[o].clone()))
        .collect();
    let three = ids(&["c", "b", "a"]);
    let after = Strategy::MinimalMoves.assign("job", &three, 9, &before);
    let moved: Vec<_> =
        (0..9).filter(|item| before[*item].as_ref() != after[*item].map(|o| &three[o])).collect();
    assert_eq!(moved.len(), 3);
    assert!(moved.iter().all(|item| after[*item] == Some(0)), "{after:?}");
}

proptest! {
    #[test]
    fn every_strategy_is_complete_and_even_and_minimal_moves_moves_least(
        instances in 0usize..9,
        count in 0u32..60,
        previous in prop::collection::vec(prop::option::of(0usize..12), 0..70),
        job in "[a-zA-Z0-9_]{1,12}",
    ) {
        let mut listed: Vec<_> = (0..instances).map(|n| InstanceId::of_process("10.0.0.1", n as u32, 0)).collect();
        descending(&mut listed);
        let previous: Vec<_> = previous.into_iter().map(|o| o.map(|n| InstanceId::of_process("10.0.0.1", n as u32, 0))).collect();
        for strategy in [Strategy::Average, Strategy::OdevityByName, Strategy::RotateByName, Strategy::MinimalMoves] {
            let plan = strategy.assign(&job, &listed, count, &previous);
            prop_assert_eq!(plan.len(), count as usize);
            if instances == 0 {
                prop_assert!(plan.iter().all(Option::is_none));
                continue;
            }
            let mut held = vec![0; instances];
            for owner in &plan {
                held[owner.unwrap()] += 1;
            }
            prop_assert!(held.iter().max().unwrap() - held.iter().min().unwrap() <= 1, "{:?}", held);
            if strategy == Strategy::MinimalMoves {
                let kept = plan.iter().enumerate().filter(|(item, owner)| {
                    previous.get(*item).and_then(Option::as_ref) == owner.map(|o| &listed[o])
                });
                prop_assert_eq!(kept.count(), most_kept(&listed, count as usize, &previous));
            }
        }
    }
}

/// The most items that can stay where they are in an even plan: everybody keeps up to the small share, and as many of
/// those that hold more as there are larger shares keep one item more.
fn most_kept(instances: &[InstanceId], count: usize, previous: &[Option<InstanceId>]) -> usize {
    let (share, larger) = (count / instances.len(), count % instances.len());
    let held: Vec<usize> = instances
        .iter()
        .map(|id| previous.iter().take(count).filter(|owner| owner.as_ref() == Some(id)).count())
        .collect();
    let kept: usize = held.iter().map(|held| (*held).min(share)).sum();
    kept + held.iter().filter(|held| **held > share).count().min(larger)
}
