//! Held items, and edits of how many items the job has: what is removed by right is no loss, whoever has missed it, and what is held is
//! not lost by being removed.

use super::held::{GATHERED, firing, now, reasons, runs, seconds};
use super::stage::{Code, Desk, EACH_SECOND, NEVER, Who, job};
use clockwright_fleet::admin::From;
use clockwright_fleet::keys::Key;
use clockwright_model::{Item, Outcome};

fn count(desk: &mut Desk, items: u32) {
    desk.edit("a", |settings| settings.sharding_total_count = items);
}

/// Two instances of a job of 4 items, of which this one was held, and goes on since an operator said from where; and its owner.
fn resumed(item: Item) -> (Desk, Vec<Who>, Who) {
    let (mut desk, who) = firing(&[job("a", EACH_SECOND, 4)], 2);
    desk.delete("a", &Key::Cursor(item));
    desk.pass(2_000);
    desk.resume_item("a", item, From::Instant(now(&desk)));
    desk.pass(GATHERED);
    assert!(desk.cursor("a", item).unwrap().resumed > 0, "{}", desk.told());
    let owner = who.iter().copied().find(|who| desk.owns(*who, "a").contains(&item)).unwrap();
    (desk, who, owner)
}

/// From now on an item runs, and nobody holds it.
#[track_caller]
fn goes_on(desk: &mut Desk, item: Item) {
    let (since, told) = (desk.now, desk.told().matches("held").count());
    desk.pass(5_000);
    assert!(runs(desk, item, since) >= 3, "{}", desk.told());
    assert_eq!(desk.told().matches("held").count(), told, "{}", desk.told());
}

#[test]
fn an_item_that_went_and_came_back_is_not_held_by_an_instance_that_missed_both() {
    let (mut desk, _, owner) = resumed(3);
    desk.cut(owner);
    count(&mut desk, 2);
    desk.pass_until(3 * GATHERED, "it is removed", |desk| desk.text("a", &Key::Item(3)).is_none());
    count(&mut desk, 4);
    desk.pass(1_500);
    desk.mend(owner);
    goes_on(&mut desk, 3);
}

#[test]
fn an_item_that_went_is_no_loss_to_a_leader_that_missed_it() {
    let (mut desk, who) = firing(&[job("a", EACH_SECOND, 4)], 2);
    let (leader, other) = if desk.status(who[0], "a").leader { (who[0], who[1]) } else { (who[1], who[0]) };
    desk.cut(other);
    count(&mut desk, 2);
    desk.pass(1_500);
    assert_eq!(desk.text("a", &Key::Item(3)), None, "{}", desk.told());
    desk.leave(leader);
    count(&mut desk, 4);
    desk.mend(other);
    desk.pass(1_000);
    assert!(desk.cursor("a", 3).unwrap().held.is_none(), "{}", desk.told());
    goes_on(&mut desk, 3);
}

#[test]
fn an_item_is_not_held_by_what_is_known_of_settings_that_are_not_those_of_now() {
    let (mut desk, who, owner) = resumed(1);
    let leader = who.iter().copied().find(|who| desk.status(*who, "a").leader).unwrap();
    assert!(owner != leader);
    // The leader reads the settings anew; the owner learns of its new items before it learns of the settings.
    let config = desk.keys.of(&clockwright_model::JobName::new("a").unwrap(), &Key::Config);
    desk.delay_hints(move |path| *path == config);
    count(&mut desk, 1);
    desk.hear_everything(leader);
    desk.pass(1_500);
    assert_eq!(desk.text("a", &Key::Item(1)), None, "{}", desk.told());
    count(&mut desk, 4);
    desk.hear_everything(leader);
    goes_on(&mut desk, 1);
    desk.deliver_hints();
    goes_on(&mut desk, 1);
}

#[test]
fn what_passed_while_an_item_was_held_is_on_record_before_the_item_goes() {
    for answered in [false, true] {
        let (mut desk, _) = firing(&[job("a", EACH_SECOND, 4)], 2);
        desk.delete("a", &Key::Cursor(3));
        desk.pass(20_000);
        if answered {
            desk.resume_item("a", 3, From::Instant(now(&desk)));
        }
        count(&mut desk, 3);
        let removed = desk.now;
        desk.pass(GATHERED);
        assert_eq!(desk.text("a", &Key::Item(3)), None, "{answered}\n{}", desk.told());
        assert_eq!(reasons(&seconds(&desk, 3, 1_000, removed)), ["cursor_gone"], "{answered}");
        count(&mut desk, 4);
        goes_on(&mut desk, 3);
    }
}

#[test]
fn an_item_whose_cursor_cannot_be_read_goes_with_it_and_comes_back_with_another() {
    let (mut desk, _) = firing(&[job("a", EACH_SECOND, 4)], 2);
    desk.write("a", &Key::Cursor(3), "oops");
    desk.pass(2_000);
    count(&mut desk, 3);
    desk.pass(1_000);
    assert_eq!(desk.text("a", &Key::Item(3)), None, "{}", desk.told());
    count(&mut desk, 4);
    goes_on(&mut desk, 3);
}

#[test]
fn an_item_stays_held_when_the_count_is_raised_before_it_was_removed() {
    let (mut desk, _) = firing(&[job("a", EACH_SECOND, 4)], 2);
    desk.delete("a", &Key::Cursor(3));
    desk.pass(500);
    count(&mut desk, 2);
    desk.pass(1_000);
    count(&mut desk, 4);
    let since = desk.now;
    desk.pass(2 * GATHERED);
    assert_eq!(runs(&desk, 3, since), 0, "{}", desk.told());
    assert!(desk.cursor("a", 3).unwrap().held.is_some());
    assert!(runs(&desk, 2, since) > 5, "the others run");
    desk.resume_item("a", 3, From::Instant(now(&desk)));
    desk.pass(1_000);
    goes_on(&mut desk, 3);
    seconds(&desk, 3, 1_000, desk.now - 1_500);
}

#[test]
fn a_run_of_a_held_item_has_its_outcome_before_the_item_goes() {
    let (mut desk, _) = firing(&[job("a", NEVER, 4)], 2);
    desk.code("a", Code::Waits);
    desk.trigger("a");
    desk.delete("a", &Key::Cursor(3));
    desk.pass(1_000);
    count(&mut desk, 3);
    desk.pass(2 * GATHERED);
    assert!(desk.text("a", &Key::Item(3)).is_some(), "it still runs");
    desk.end_all("a");
    desk.pass(2 * GATHERED);
    assert_eq!(desk.text("a", &Key::Item(3)), None, "{}", desk.told());
    let outcomes = desk.outcomes("a");
    assert_eq!(outcomes.len(), 4, "{outcomes:#?}");
    assert!(outcomes.iter().all(|outcome| outcome.outcome == Outcome::Succeeded), "{outcomes:#?}");
}
