use super::*;

const JOB: i64 = 7;
const HERE: &str = "10.0.0.1";
const THERE: &str = "10.0.0.2";

fn hold(key: Key) -> Hold {
    Hold {
        project: 1,
        key,
        origin: Origin::Operator,
        by: "u".into(),
        by_name: "lina".into(),
        at: 5,
        reason: "why".into(),
    }
}

fn job(kind: Kind) -> Hold {
    hold(Key::of_job(JOB, kind, Origin::Operator))
}

fn host(job: i64, ip: &str, kind: Kind) -> Hold {
    hold(Key::of_host(job, ip, kind))
}

/// Two hosts, of which the second has Java instances.
fn found() -> Found {
    let hosts =
        [(HERE.to_owned(), Host::default()), (THERE.to_owned(), Host { java: true, ..Host::default() })];
    Found { hosts: hosts.into(), ..Found::default() }
}

/// The nodes after these steps.
fn after(found: &Found, steps: &[Node]) -> Found {
    let mut after = found.clone();
    for step in steps {
        match step.clone() {
            Node::Paused(note) => after.paused = note,
            Node::Host { ip, disabled } => after.hosts.entry(ip).or_default().disabled = disabled,
            Node::Drained { ip, drained } => after.hosts.get_mut(&ip).unwrap().drained = drained,
            Node::Item { item, disabled: true } => drop(after.items.insert(item)),
            Node::Item { item, disabled: false } => drop(after.items.remove(&item)),
        }
    }
    after
}

fn disabled(found: &Found) -> Vec<&str> {
    found.hosts.iter().filter(|(_, host)| host.disabled).map(|(ip, _)| ip.as_str()).collect()
}

/// Every hold that there can be, with what may stand beside it.
fn some() -> Vec<Hold> {
    let kinds = [Kind::Pause, Kind::Drain, Kind::Disable];
    let mut all: Vec<Hold> = kinds.into_iter().map(job).collect();
    for kind in [Kind::Drain, Kind::Disable] {
        all.extend([host(JOB, HERE, kind), host(0, HERE, kind), host(JOB, THERE, kind)]);
    }
    all.push(hold(Key::of_item(JOB, 1)));
    all.push(Hold { origin: Origin::Offline, ..hold(Key::of_job(JOB, Kind::Disable, Origin::Offline)) });
    all
}

#[test]
fn each_hold_stops_what_it_names() {
    let of = |holds: &[Hold]| after(&found(), &stops(holds, &found()));
    assert!(of(&[job(Kind::Pause)]).paused.is_some_and(|note| !note.drain && note.by == "lina"));
    assert_eq!(disabled(&of(&[job(Kind::Disable)])), [HERE, THERE]);
    assert_eq!(disabled(&of(&[host(JOB, HERE, Kind::Disable)])), [HERE]);
    assert_eq!(disabled(&of(&[host(0, THERE, Kind::Disable)])), [THERE], "in all jobs is in this one too");
    let drained = of(&[job(Kind::Drain)]);
    assert!(drained.paused.as_ref().is_some_and(|note| note.drain));
    assert_eq!(disabled(&drained), [THERE], "Java knows no pause");
    let drained = of(&[host(JOB, HERE, Kind::Drain)]);
    assert!(drained.hosts[HERE].drained && !drained.hosts[HERE].disabled && drained.paused.is_none());
    assert!(of(&[host(JOB, THERE, Kind::Drain)]).hosts[THERE].disabled);
    assert_eq!(of(&[hold(Key::of_item(JOB, 1))]).items, [1].into());
    let both = of(&[job(Kind::Drain), job(Kind::Pause)]);
    assert!(both.paused.is_some_and(|note| !note.drain), "a person's pause is no drain");
}

#[test]
fn h1_nothing_is_written_where_nodes_and_wishes_agree() {
    for one in some() {
        for other in some() {
            let holds = [one.clone(), other];
            let now = after(&found(), &stops(&holds, &found()));
            assert_eq!(stops(&holds, &now), [], "{holds:?}");
            let outside = outside(Policy::Keep, JOB, &holds, &now);
            assert_eq!(outside, Outside::default(), "{holds:?}");
        }
    }
}

#[test]
fn h2_nothing_that_others_did_starts_anything_unless_the_project_follows() {
    for one in some() {
        // Whatever it stops is started by somebody else; and somebody else stops all the rest.
        let outside = outside(Policy::Keep, JOB, std::slice::from_ref(&one), &found());
        assert!(
            outside.back.iter().all(Node::stops) && outside.lifted.is_empty() && outside.taken.is_empty()
        );
        assert_eq!(after(&found(), &outside.back), after(&found(), &stops(&[one], &found())));
    }
}

#[test]
fn h3_an_operation_lifts_what_it_stopped_and_nothing_that_another_wish_stops() {
    for one in some() {
        for other in some().into_iter().filter(|other| other.key != one.key) {
            let both = after(&found(), &stops(&[one.clone(), other.clone()], &found()));
            let holds = [other];
            // As an operation does it: what is missing is stopped too, here the note that says which kind of pause it is.
            let mut steps = stops(&holds, &both);
            steps.extend(starts(&holds, std::slice::from_ref(&one.key), &both));
            let left = after(&both, &steps);
            assert_eq!(stops(&holds, &left), [], "{one:?} lifted beside {holds:?}");
            let alone = after(&found(), &stops(&holds, &found()));
            assert_eq!(left, alone, "{one:?} lifted beside {holds:?}");
        }
    }
}

#[test]
fn a_host_whose_node_went_with_its_disable_is_made_again_where_one_job_was_to_be_kept_off_it() {
    let mut now = found();
    now.hosts.remove(HERE);
    let back = |hold: Hold| outside(Policy::Keep, JOB, &[hold], &now).back;
    assert_eq!(back(host(JOB, HERE, Kind::Disable)), [Node::Host { ip: HERE.into(), disabled: true }]);
    assert_eq!(back(host(0, HERE, Kind::Disable)), [], "nobody knows whether this job knew it");
    assert_eq!(back(host(JOB, HERE, Kind::Drain)), [], "there is nobody to drain");
}

#[test]
fn what_somebody_else_stopped_becomes_a_wish_of_that_node_alone() {
    let mut now = found();
    now.hosts.get_mut(HERE).unwrap().disabled = true;
    now.hosts.get_mut(THERE).unwrap().drained = true;
    now.paused = Some(PauseNote::default());
    now.items.insert(3);
    let expected = [
        Key::of_job(JOB, Kind::Pause, Origin::Outside),
        Key::of_host(JOB, HERE, Kind::Disable),
        Key::of_host(JOB, THERE, Kind::Drain),
        Key::of_item(JOB, 3),
    ];
    for policy in [Policy::Keep, Policy::Follow] {
        let outside = outside(policy, JOB, &[], &now);
        assert_eq!(outside.taken, expected);
        assert!(outside.back.is_empty() && outside.lifted.is_empty());
    }
}

#[test]
fn a_host_that_a_drain_disabled_is_no_wish_of_somebody_else_when_java_has_left() {
    let mut now = after(&found(), &stops(&[job(Kind::Drain)], &found()));
    now.hosts.get_mut(THERE).unwrap().java = false;
    assert_eq!(outside(Policy::Keep, JOB, &[job(Kind::Drain)], &now), Outside::default());
    let lifted = starts(&[], &[job(Kind::Drain).key], &now);
    assert_eq!(disabled(&after(&now, &lifted)), Vec::<&str>::new());
}

#[test]
fn a_project_that_follows_gives_up_the_wish_that_names_just_that() {
    let of = |holds: &[Hold]| outside(Policy::Follow, JOB, holds, &found());
    let one = host(JOB, HERE, Kind::Disable);
    assert_eq!(of(std::slice::from_ref(&one)).lifted, std::slice::from_ref(&one.key));
    let all = job(Kind::Disable);
    assert_eq!(
        of(std::slice::from_ref(&all)).lifted,
        std::slice::from_ref(&all.key),
        "all hosts were enabled"
    );
    let mut half = found();
    half.hosts.get_mut(THERE).unwrap().disabled = true;
    let outside = outside(Policy::Follow, JOB, &[all], &half);
    assert!(outside.lifted.is_empty());
    assert_eq!(outside.back, [Node::Host { ip: HERE.into(), disabled: true }], "one host is not the job");
    let everywhere = host(0, HERE, Kind::Disable);
    assert_eq!(of(std::slice::from_ref(&everywhere)).back.len(), 1, "one job is not all jobs");
    let offline = Hold { origin: Origin::Offline, ..hold(Key::of_job(JOB, Kind::Disable, Origin::Offline)) };
    assert_eq!(of(&[offline]).back.len(), 2, "what is offline stays so");
}

#[test]
fn what_stands_still_all_the_same_is_named() {
    let holds = [host(0, HERE, Kind::Disable), job(Kind::Pause), hold(Key::of_item(JOB, 1))];
    let of =
        |key: Key| still_held(&holds, &[key]).into_iter().map(|hold| hold.key.clone()).collect::<Vec<_>>();
    assert_eq!(of(Key::of_host(JOB, HERE, Kind::Disable)), [holds[0].key.clone(), holds[1].key.clone()]);
    assert_eq!(of(Key::of_host(JOB, THERE, Kind::Disable)), [holds[1].key.clone()]);
    assert_eq!(of(Key::of_item(JOB, 1)), [holds[2].key.clone()]);
}
