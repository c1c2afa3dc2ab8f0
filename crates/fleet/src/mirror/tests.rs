#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::cursor::Claim;
use clockwright_model::{Fire, JobName, Outcome, RunId, Source};
use clockwright_planner::Range;
use clockwright_registry::{ConnectOptions, Embedded, EmbeddedSession, Registry};
use std::sync::Arc;

/// What both the registry's clock and ours show.
const NOW: Millis = 1_700_000_000_000;

/// A registry, and two mirrors of one job: one that takes in what is written, and one that is read.
struct Stage {
    session: Arc<EmbeddedSession>,
    keys: Keys,
    job: JobName,
    mirror: Mirror,
}

impl Stage {
    fn new(layout: Layout) -> Self {
        let session = Embedded::in_memory_with(|| NOW).connect(ConnectOptions::default()).unwrap();
        let (keys, job) = (Keys::new("ns").unwrap(), JobName::new("a").unwrap());
        Self { session, keys, job, mirror: Mirror::new(layout) }
    }

    /// Carries out a commit, takes it in, and compares with what a fresh reading shows.
    async fn write(&mut self, writes: Vec<Write>) -> Commit {
        let ops = writes.iter().map(|write| write.encode(&self.keys, &self.job)).collect();
        let commit = self.session.commit(ops).await.unwrap();
        let writer = Writer { session: self.session.terms().session, now: NOW };
        self.mirror.take_in(writes.clone(), &commit, writer);
        let read = self.read().await;
        assert_eq!(format!("{:#?}", self.mirror), format!("{read:#?}"), "after {writes:#?}");
        commit
    }

    async fn read(&self) -> Mirror {
        let mut mirror = Mirror::new(self.mirror.layout);
        for (path, mut node) in self.session.tree(&self.keys.job(&self.job)).await.unwrap() {
            // Of its children a node's writer knows nothing, and nobody asks the mirror.
            (node.stat.children, node.stat.children_changed) = (0, 0);
            mirror.put(&self.keys.parse(&path).unwrap().1, Some(&node));
        }
        mirror
    }

    fn me(&self) -> InstanceId {
        InstanceId::of_process("10.0.0.1", 7, 0)
    }

    fn claim(&self, outcome: Option<Outcome>, token: i64) -> Claim {
        Claim {
            fire: Fire::Scheduled(NOW),
            attempt: 1,
            run_id: RunId::new(NOW, 5),
            owner: self.me(),
            session: self.session.terms().session,
            source: Source::Schedule,
            at: NOW,
            token,
            outcome,
        }
    }
}

fn empty(key: Key) -> Write {
    Write::create(key, Bytes::new())
}

async fn fill(stage: &mut Stage) {
    use Key::{
        Config, Election, ElectionLatch, Failover, FailoverItems, FailoverLatch, Instances, Items, Job,
        Leader, Servers, Sharding, SystemTime, Triggers,
    };
    let root = clockwright_registry::Op::create(stage.keys.root().clone(), "");
    stage.session.commit(vec![root]).await.unwrap();
    stage.write(vec![Write::create(Job, "SCRIPT"), Write::create(Config, "one")]).await;
    let parents = [
        Servers,
        Instances,
        Triggers,
        Leader,
        Election,
        ElectionLatch,
        Sharding,
        Failover,
        FailoverItems,
        FailoverLatch,
        Items,
        SystemTime,
    ];
    stage.write(parents.into_iter().map(empty).collect()).await;
    let me = stage.me();
    stage
        .write(vec![
            Write::create(Key::Server(me.ip().into()), "DISABLED"),
            Write::create_ephemeral(Key::Instance(me.clone()), "one"),
            Write::create_ephemeral(Key::ElectionInstance, me.to_string()),
            empty(Key::Necessary),
            Write::create_ephemeral(Key::Processing, Bytes::new()),
            empty(Key::Epoch),
            empty(Key::Item(0)),
            Write::cursor(0, Box::new(Cursor::starting(NOW, 1, None)), None),
        ])
        .await;
}

#[tokio::test]
async fn a_mirror_that_took_in_a_commit_shows_what_a_fresh_reading_shows() {
    for layout in [Layout::V2, Layout::V3] {
        let mut stage = Stage::new(layout);
        fill(&mut stage).await;
        let me = stage.me();
        // A plan, and edits of nodes that are there.
        stage
            .write(vec![
                Write::set_if(Key::Epoch, me.to_string(), 0),
                Write::create(Key::Owner(0), me.to_string()),
                Write::delete(Key::Necessary),
                Write::delete(Key::Processing),
            ])
            .await;
        stage
            .write(vec![
                Write::set(Key::Job, "HTTP"),
                Write::set_if(Key::Config, "two", 0),
                Write::set(Key::Server(me.ip().into()), ""),
                Write::set_if(Key::Instance(me.clone()), "TRIGGER", 0),
                Write::set(Key::Epoch, Bytes::new()),
            ])
            .await;
        assert_eq!(stage.mirror.epoch, Some(2));
        // All else that an item can have.
        stage
            .write(vec![
                empty(Key::FailoverItem(0)),
                Write::create(Key::FailoverItem(1), "10.0.0.9@-@1"),
                empty(Key::Trigger(me.clone())),
                empty(Key::Disabled(0)),
                empty(Key::Misfire(0)),
                Write::create_ephemeral(Key::Taken(0), me.to_string()),
                Write::create(Key::Failovering(0), me.to_string()),
                empty(Key::CurrentTime),
                Write::create(Key::Paused, r#"{"by":"ann","reason":"so","at":1}"#),
            ])
            .await;
        let all = [
            Key::FailoverItem(1),
            Key::Trigger(me.clone()),
            Key::Disabled(0),
            Key::Misfire(0),
            Key::Taken(0),
            Key::Failovering(0),
            Key::Paused,
        ];
        stage.write(all.into_iter().map(Write::delete).collect()).await;
        stage.write(vec![Write::delete(Key::ElectionInstance), Write::delete(Key::Owner(0))]).await;
        stage.write(vec![Write::delete(Key::Instance(me)), Write::delete_if(Key::Config, 1)]).await;
    }
}

#[tokio::test]
async fn a_claim_that_was_taken_in_has_its_token_and_its_completion_keeps_it() {
    let mut stage = Stage::new(Layout::V3);
    fill(&mut stage).await;
    let mut cursor = Cursor::starting(NOW, 1, None);
    cursor.gap =
        vec![Range { from: 1, to: 2, count: 2, outcome: Outcome::Coalesced { into: Fire::Scheduled(NOW) } }];
    cursor.run = Some(Box::new(stage.claim(None, 0)));
    let commit = stage
        .write(vec![
            Write::check(Key::Epoch, 0),
            Write::cursor(0, Box::new(cursor.clone()), Some(0)),
            Write::create_ephemeral(Key::Running(0), stage.me().to_string()),
        ])
        .await;
    let nodes = stage.mirror.item(0).unwrap();
    assert_eq!(nodes.cursor.version(), Some(1));
    let token = nodes.cursor.cursor().unwrap().running().unwrap().token;
    assert_eq!(token, commit.transaction);
    assert!(nodes.running.as_ref().unwrap().is_of(&stage.me(), stage.session.terms().session));
    cursor.run = Some(Box::new(stage.claim(Some(Outcome::Succeeded), token)));
    stage.write(vec![Write::cursor(0, Box::new(cursor), Some(1)), Write::delete(Key::Running(0))]).await;
    let nodes = stage.mirror.item(0).unwrap();
    assert!(nodes.running.is_none());
    assert_eq!(nodes.cursor.cursor().unwrap().run.as_ref().unwrap().token, token);
}

#[tokio::test]
async fn a_place_in_a_queue_is_known_by_the_name_that_the_registry_gave_it() {
    let mut stage = Stage::new(Layout::V2);
    fill(&mut stage).await;
    for latch in [Key::ElectionLatchNode, Key::FailoverLatchNode] {
        let key = latch("_c_1-latch-".into());
        let change = Change::Create(Bytes::new().into(), Mode::EphemeralSequential);
        stage.write(vec![Write { key, change }]).await;
    }
    let names: Vec<&String> = stage.mirror.election_latch.keys().collect();
    assert_eq!(names, ["_c_1-latch-0000000000"]);
    assert_eq!(stage.mirror.failover_latch.len(), 1);
    stage.write(vec![Write::delete(Key::ElectionLatchNode("_c_1-latch-0000000000".into()))]).await;
    assert!(stage.mirror.election_latch.is_empty());
}

#[test]
fn a_cursor_that_is_forgotten_is_read_again_before_anything_is_believed_of_it() {
    let mut mirror = Mirror::new(Layout::V2);
    let cursor = Box::new(Cursor::starting(NOW, 1, None));
    mirror.item_mut(0).cursor = CursorNode::known(cursor, 3, 9);
    mirror.forget_cursor(0);
    assert_eq!(mirror.item(0).unwrap().cursor.version(), None);
    assert!(matches!(mirror.item(0).unwrap().cursor, CursorNode::Unread));
}
