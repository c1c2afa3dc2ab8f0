//! The floor of claims and completions: the very transactions that the engine sends, sent without the engine.
//!
//! One namespace with the nodes of so many jobs, the same paths, the same sizes of data. A claim of a job checks its epoch
//! and, for each item, sets the cursor under its version and creates the `running` mark; a completion sets the cursors
//! again and deletes the marks. Groups share transactions through the same [`Batcher`] with as many on their way as the engine allows
//! itself. Nothing is decided, parsed, run or recorded.

use crate::backend::Backend;
use crate::fleet::SESSION;
use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use clockwright_fleet::cursor::{Claim, Cursor};
use clockwright_fleet::keys::{Key, Keys};
use clockwright_model::{Fire, InstanceId, JobName, Outcome, RunId, Source};
use clockwright_registry::{Batcher, Commit, Error, Op, Path, SharedRegistry};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Transactions on their way at once, as in the engine.
const IN_FLIGHT: usize = 8;

/// The nodes of some jobs, and a session to change them with.
pub(crate) struct Raw {
    registry: SharedRegistry,
    batcher: Batcher,
    jobs: Vec<RawJob>,
    claimed: Bytes,
    completed: Bytes,
    done: UnboundedSender<(usize, Result<Commit, Error>)>,
    answers: UnboundedReceiver<(usize, Result<Commit, Error>)>,
}

struct RawJob {
    epoch: Path,
    items: Vec<(Path, Path)>,
    version: i32,
    running: bool,
}

impl Raw {
    pub(crate) async fn open(
        backend: &Backend,
        namespace: &str,
        jobs: usize,
        items: u32,
    ) -> anyhow::Result<Self> {
        let registry = backend.connector(SESSION)().await?;
        let keys = Keys::new(namespace)?;
        registry.commit(vec![Op::create(keys.root().clone(), Bytes::new())]).await?;
        let (claimed, completed) = cursors(registry.terms().session);
        let batcher = Batcher::new(registry.clone(), IN_FLIGHT);
        let (done, answers) = unbounded_channel();
        let mut raw = Self { registry, batcher, jobs: Vec::new(), claimed, completed, done, answers };
        for number in 0..jobs {
            let job = JobName::new(&format!("raw-{number:05}"))?;
            let create = |key: &Key| Op::create(keys.of(&job, key), Bytes::new());
            let mut ops: Vec<Op> =
                [Key::Job, Key::Leader, Key::Sharding, Key::Epoch, Key::Items].iter().map(create).collect();
            let mut nodes = Vec::new();
            for item in 0..items {
                ops.push(create(&Key::Item(item)));
                let (cursor, running) =
                    (keys.of(&job, &Key::Cursor(item)), keys.of(&job, &Key::Running(item)));
                ops.push(Op::create(cursor.clone(), raw.completed.clone()));
                nodes.push((cursor, running));
            }
            let epoch = keys.of(&job, &Key::Epoch);
            raw.jobs.push(RawJob { epoch, items: nodes, version: 0, running: false });
            raw.submit(number, ops);
        }
        for _ in 0..jobs {
            let (_, answer) = raw.answers.recv().await.context("the batcher ended")?;
            answer?;
        }
        Ok(raw)
    }

    /// The registry's session.
    pub(crate) fn registry(&self) -> &SharedRegistry {
        &self.registry
    }

    /// Claims the items of all jobs at once, and completes them. Returns how long the claims took.
    pub(crate) async fn burst(&mut self) -> anyhow::Result<Duration> {
        let start = Instant::now();
        self.all().await?;
        let took = start.elapsed();
        self.all().await?;
        Ok(took)
    }

    async fn all(&mut self) -> anyhow::Result<()> {
        for job in 0..self.jobs.len() {
            self.turn(job);
        }
        for _ in 0..self.jobs.len() {
            self.answer().await?;
        }
        Ok(())
    }

    /// All jobs claim and complete as fast as they can. Returns the runs per second.
    pub(crate) async fn rate(&mut self, time: Duration) -> anyhow::Result<f64> {
        let start = Instant::now();
        let mut runs = 0;
        for job in 0..self.jobs.len() {
            self.turn(job);
        }
        let mut under_way = self.jobs.len();
        while under_way > 0 {
            let job = self.answer().await?;
            if !self.jobs[job].running {
                runs += self.jobs[job].items.len();
            }
            // What was claimed is completed even when the time is over.
            if self.jobs[job].running || start.elapsed() < time {
                self.turn(job);
            } else {
                under_way -= 1;
            }
        }
        Ok(runs as f64 / start.elapsed().as_secs_f64())
    }

    /// Sends the next claim or completion of a job.
    fn turn(&mut self, number: usize) {
        let job = &mut self.jobs[number];
        let mut ops = Vec::with_capacity(1 + 2 * job.items.len());
        if !job.running {
            ops.push(Op::check_if(job.epoch.clone(), 0));
        }
        let data = if job.running { &self.completed } else { &self.claimed };
        for (cursor, running) in &job.items {
            ops.push(Op::set_if(cursor.clone(), data.clone(), job.version));
            ops.push(if job.running {
                Op::delete(running.clone())
            } else {
                Op::create_ephemeral(running.clone(), Bytes::new())
            });
        }
        job.version += 1;
        job.running = !job.running;
        self.submit(number, ops);
    }

    fn submit(&self, number: usize, ops: Vec<Op>) {
        let done = self.done.clone();
        self.batcher.submit(ops, move |answer| drop(done.send((number, answer))));
    }

    async fn answer(&mut self) -> anyhow::Result<usize> {
        let (number, answer) = self.answers.recv().await.ok_or_else(|| anyhow!("the batcher ended"))?;
        answer?;
        Ok(number)
    }
}

/// What the engine writes at a claim and at a completion.
fn cursors(session: i64) -> (Bytes, Bytes) {
    let at = 1_700_000_000_000;
    let claim = |outcome| Claim {
        fire: Fire::Scheduled(at),
        attempt: 1,
        run_id: RunId::new(at, 1 << 70),
        owner: InstanceId::of_process("127.0.0.1", std::process::id(), 0),
        session,
        source: Source::Schedule,
        at,
        token: at,
        outcome,
    };
    let bytes = |outcome| {
        let run = Some(Box::new(claim(outcome)));
        let cursor = Cursor { run, ..Cursor::starting(at, u32::MAX, None) };
        Bytes::from(cursor.to_bytes())
    };
    (bytes(None), bytes(Some(Outcome::Succeeded)))
}
