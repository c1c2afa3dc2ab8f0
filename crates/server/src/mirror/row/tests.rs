#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use clockwright_model::{JobKind, JobSettings};
use clockwright_registry::Stat;

const A: &str = "10.0.0.1@-@7";

struct Stage {
    job: JobName,
    row: Row,
    names: Names,
    leases: Leases,
}

impl Stage {
    /// A job of two items in this layout, with one instance that owns both.
    fn new(layout: Layout) -> Self {
        let job = JobName::new("report").unwrap();
        let settings = JobSettings::new(job.clone(), JobKind::Simple, "0 0 1 * * ?", 2);
        let mut stage = Self { job, row: Row::default(), names: Names::default(), leases: Leases::default() };
        stage.put(&Key::Job, layout.root(&settings), 0);
        stage.put(&Key::Config, &layout.write(&settings), 0);
        let id = InstanceId::from_wire(A);
        stage.put(&Key::Server("10.0.0.1".into()), layout.server(false), 0);
        stage.put(&Key::Instance(id.clone()), &layout.instance(&id), 77);
        for item in 0..2 {
            stage.put(&Key::Item(item), "", 0);
            stage.put(&Key::Owner(item), A, 0);
        }
        stage
    }

    fn put(&mut self, key: &Key, data: &str, session: i64) {
        let stat = Stat { owner: session, created_at: 5_000, ..Stat::default() };
        let node = Node { data: data.to_owned().into(), stat };
        self.row.put(&self.job, key, Some(&node), &mut self.names);
    }

    fn drop(&mut self, key: &Key) {
        self.row.put(&self.job, key, None, &mut self.names);
    }

    fn items(&self) -> Items {
        self.row.items(&self.names, &self.leases)
    }
}

#[test]
fn an_item_takes_24_bytes() {
    assert_eq!(size_of::<ItemRow>(), 24);
}

#[test]
fn each_node_shows_in_the_row_in_either_layout() {
    for layout in [Layout::V2, Layout::V3] {
        let mut stage = Stage::new(layout);
        assert_eq!(stage.row.status(), (JobStatus::Ok, None), "{layout}");
        assert_eq!(stage.items(), Items { total: 2, ..Items::default() });
        stage.put(&Key::Paused, r#"{"by":"li","reason":"month end"}"#, 0);
        assert_eq!(stage.row.status(), (JobStatus::Paused, Some("paused by li: month end".into())));
        stage.drop(&Key::Paused);
        stage.put(&Key::Server("10.0.0.1".into()), "DISABLED", 0);
        assert_eq!(stage.row.status().0, JobStatus::Disabled);
        stage.put(&Key::Server("10.0.0.1".into()), layout.server(false), 0);
        stage.put(&Key::Disabled(1), "", 0);
        stage.put(&Key::Running(0), "", 77);
        assert_eq!(stage.items(), Items { total: 2, running: 1, disabled: 1, unowned: 0 });
        let item = stage.row.items[0];
        assert_eq!(
            (stage.names.text(item.runner), item.since),
            (A, 5_000),
            "who, by the session; and since when"
        );
        stage.drop(&Key::Running(0));
        stage.drop(&Key::Owner(1));
        assert_eq!(stage.row.status().0, JobStatus::ShardingFlag);
        assert_eq!(stage.items(), Items { total: 2, running: 0, disabled: 1, unowned: 1 });
        stage.drop(&Key::Instance(InstanceId::from_wire(A)));
        assert_eq!(stage.row.status().0, JobStatus::Crashed);
        stage.put(&Key::Config, "{ cut off", 0);
        let (status, reason) = stage.row.status();
        assert!(status == JobStatus::Degraded && reason.is_some());
    }
}

#[test]
fn a_mark_of_3x_counts_while_whoever_made_it_is_there() {
    let mut stage = Stage::new(Layout::V3);
    stage.put(&Key::Running(0), A, 0);
    assert_eq!(stage.items().running, 1);
    stage.drop(&Key::Instance(InstanceId::from_wire(A)));
    assert_eq!(stage.items().running, 0, "it outlived its instance");
    let keys = clockwright_fleet::keys::Keys::new("ns").unwrap();
    let lease = Node { data: "".into(), stat: Stat { owner: 77, ..Stat::default() } };
    stage.leases.put(&keys, &keys.lease(&InstanceId::from_wire(A)), Some(&lease));
    assert_eq!(stage.items().running, 1, "its process is there all the same");
}

#[test]
fn a_mark_that_came_and_went_between_two_readings_is_remembered() {
    let mut stage = Stage::new(Layout::V2);
    stage.drop(&Key::Running(1));
    stage.row.ran(1, 9_000);
    let seen = |row: &Row| (row.items[0].since, row.items[1].since);
    assert_eq!(seen(&stage.row), (0, 9_000));
    let before = stage.row.clone();
    let mut anew = Stage::new(Layout::V2);
    anew.put(&Key::Running(0), "", 77);
    anew.row.remember(&before);
    assert_eq!(seen(&anew.row), (5_000, 9_000), "a mark that is there says it by itself");
    anew.row.ran(0, 9_500);
    assert_eq!(seen(&anew.row), (5_000, 9_000), "it came again");
    anew.drop(&Key::Running(0));
    anew.row.ran(0, 9_500);
    assert_eq!(seen(&anew.row), (9_500, 9_000));
}

#[test]
fn a_config_of_another_layout_has_all_nodes_read_again() {
    let mut stage = Stage::new(Layout::V2);
    let settings = JobSettings::new(stage.job.clone(), JobKind::Simple, "0 0 1 * * ?", 2);
    let node = |text: String| Node { data: text.into(), stat: Stat::default() };
    let (job, names) = (stage.job.clone(), &mut stage.names);
    assert!(stage.row.put(&job, &Key::Config, Some(&node(Layout::V2.write(&settings))), names));
    assert!(!stage.row.put(&job, &Key::Config, Some(&node(Layout::V3.write(&settings))), names));
}

#[test]
fn names_that_no_row_has_any_more_are_let_go() {
    let mut stage = Stage::new(Layout::V2);
    for number in 0..50 {
        let id = InstanceId::from_wire(&format!("10.0.0.1@-@{number}"));
        stage.put(&Key::Instance(id.clone()), "", 1);
        stage.drop(&Key::Instance(id));
    }
    let names = stage.names.swept(std::iter::once(&mut stage.row));
    assert_eq!(names.len(), 2, "an instance and its host");
    assert_eq!(names.text(stage.row.items[1].owner), A);
    assert_eq!(names.text(stage.row.hosts[0].0), "10.0.0.1");
}

#[test]
fn a_node_that_names_an_item_nobody_has_takes_no_memory() {
    let mut stage = Stage::new(Layout::V2);
    stage.put(&Key::Owner(4_000_000_000), A, 0);
    assert_eq!(stage.row.items.len(), 2);
}
