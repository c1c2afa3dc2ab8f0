//! What `dev` shows while it runs: one line for each run that ended, who owns which items, and what operators do. With `-v`
//! also starts, and what scripts print.
//!
//! Runs must never wait for a terminal, so whatever is shown goes through a bounded queue to a thread of its own. When the
//! queue is full, lines are left out and counted. When nobody reads any more, showing ends and the jobs go on.

use crate::output::{self, one_line, span, talk};
use anstyle::{AnsiColor, Style};
use async_trait::async_trait;
use clockwright::{Registry, Stream};
use clockwright_events::{Sink, SinkError};
use clockwright_fleet::view::{self, Condition, JobView};
use clockwright_model::{
    Event, Execution, Fire, InstanceId, Item, JobName, Millis, RunId, Settlement, ShardContext, Source,
};
use clockwright_registry::SharedRegistry;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::watch;

/// How many lines wait for the terminal at most.
const QUEUE: usize = 10_000;

/// How lines look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    /// Show starts and what scripts print too.
    pub(super) verbose: bool,
    colour: bool,
}

impl Look {
    /// Colours are for terminals, unless `NO_COLOR` is set.
    pub(super) fn new(verbose: bool) -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { verbose, colour: io::stdout().is_terminal() && !unwanted }
    }

    fn paint(self, style: Style, text: &str) -> String {
        if self.colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    fn time(self, at: Millis) -> String {
        self.paint(Style::new().dimmed(), &output::time(at))
    }

    /// The word for an outcome, in its colour.
    fn outcome(self, word: &str) -> String {
        let colour = match word {
            "succeeded" => AnsiColor::Green,
            "failed" => AnsiColor::Red,
            _ => AnsiColor::Yellow,
        };
        self.paint(colour.on_default(), word)
    }
}

/// Prints lines on stdout, from a thread of its own.
pub(super) struct Printer {
    lines: SyncSender<Option<String>>,
    left_out: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

/// Puts lines into the queue of a [`Printer`].
#[derive(Clone)]
pub(super) struct Pen {
    lines: SyncSender<Option<String>>,
    left_out: Arc<AtomicU64>,
}

impl Printer {
    pub(super) fn start() -> Self {
        let (lines, queue) = sync_channel(QUEUE);
        let left_out = Arc::new(AtomicU64::new(0));
        let missing = Arc::clone(&left_out);
        let thread = std::thread::spawn(move || write(&queue, &missing));
        Self { lines, left_out, thread }
    }

    pub(super) fn pen(&self) -> Pen {
        Pen { lines: self.lines.clone(), left_out: Arc::clone(&self.left_out) }
    }

    /// Prints what scripts print.
    pub(super) fn lines(
        &self,
        look: Look,
    ) -> impl Fn(&InstanceId, &ShardContext, Stream, &str) + Send + Sync + 'static {
        let pen = self.pen();
        move |instance, context, _, line| {
            let run = format!("{}/{} {} |", context.job, context.item, short(instance));
            let run = look.paint(Style::new().dimmed(), &run);
            pen.write(format!("{} {run} {}", look.time(output::now()), one_line(line)));
        }
    }

    /// Waits until everything is printed.
    pub(super) fn finish(self) {
        // The queue may be full; then the thread is at work, and an empty place comes.
        if self.lines.send(None).is_ok() {
            let _panicked = self.thread.join();
        }
    }
}

impl Pen {
    /// Shows a line in which nothing acts on a terminal that is not meant to.
    pub(super) fn write(&self, line: String) {
        if self.lines.try_send(Some(line)).is_err() {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn write(queue: &Receiver<Option<String>>, left_out: &AtomicU64) {
    let mut out = io::stdout();
    while let Ok(Some(line)) = queue.recv() {
        let missing = left_out.swap(0, Ordering::Relaxed);
        let note = if missing > 0 { format!("({missing} lines left out)\n") } else { String::new() };
        if writeln!(out, "{note}{line}").and_then(|()| out.flush()).is_err() {
            talk(
                "nobody reads what is shown any more: it ends here, and the jobs go on until Ctrl-C or SIGTERM",
            );
            return;
        }
    }
}

/// `#2`: the second instance of this process.
fn short(instance: &InstanceId) -> String {
    let number = instance.process().split_once('-').and_then(|(_, number)| number.parse::<u32>().ok());
    format!("#{}", number.unwrap_or(0).saturating_add(1))
}

/// Shows how fires ended: each once, and only what this process decided. An instance that takes an item over records its
/// last outcome again, so that none is lost with whoever decided it; that is for the record, not for the terminal.
pub(super) struct Outcomes {
    pen: Pen,
    look: Look,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// The keys of outcomes that were shown.
    shown: VecDeque<String>,
    /// Attempts that failed, of which it is not known yet whether that is the outcome or there will be another.
    failed: HashMap<(JobName, Item), (RunId, String)>,
}

/// How many outcomes are remembered as shown.
const REMEMBERED: usize = 2_000;

impl Outcomes {
    pub(super) fn new(pen: Pen, look: Look) -> Self {
        Self { pen, look, seen: Mutex::default() }
    }

    /// What there is to say of an event, if anything.
    fn tell(&self, event: &Event) -> Option<String> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Settlement(settled) => {
                let place = (settled.job.clone(), settled.item);
                if seen.failed.get(&place).is_some_and(|(run, _)| Some(*run) == settled.run_id) {
                    seen.failed.remove(&place);
                }
                seen.is_news(settled).then(|| describe(self.look, settled))
            }
            Event::Execution(execution) => {
                let place = (execution.job.clone(), execution.item);
                if execution.complete.is_none() {
                    // Whatever failed before was not the end of it.
                    let retried =
                        seen.failed.remove(&place).map(|(_, why)| again(self.look, execution, &why));
                    let started = self.look.verbose.then(|| started(self.look, execution));
                    return retried.into_iter().chain(started).reduce(|a, b| format!("{a}\n{b}"));
                }
                if !execution.success {
                    let why = execution.failure_cause.clone().unwrap_or_default();
                    seen.failed.insert(place, (execution.id, why));
                }
                None
            }
            Event::Status(_) | Event::Change(_) => None,
        }
    }
}

impl Seen {
    fn is_news(&mut self, settled: &Settlement) -> bool {
        let process = std::process::id().to_string();
        if settled.instance.process().split('-').next() != Some(process.as_str()) {
            return false;
        }
        let key = settled.key();
        if self.shown.contains(&key) {
            return false;
        }
        if self.shown.len() >= REMEMBERED {
            self.shown.pop_front();
        }
        self.shown.push_back(key);
        true
    }
}

#[async_trait]
impl Sink for Outcomes {
    async fn store(&self, batch: &[Event]) -> Result<(), SinkError> {
        for line in batch.iter().filter_map(|event| self.tell(event)) {
            self.pen.write(line);
        }
        Ok(())
    }

    fn name(&self) -> &str {
        "terminal"
    }
}

fn started(look: Look, execution: &Execution) -> String {
    format!("{} {}/{} started", look.time(execution.start), execution.job, execution.item)
}

fn again(look: Look, execution: &Execution, why: &str) -> String {
    let word = look.paint(AnsiColor::Yellow.on_default(), "failed, trying again");
    let why = one_line(why.lines().next().unwrap_or_default()).into_owned();
    format!("{} {}/{} {word}: {why}", look.time(execution.start), execution.job, execution.item)
}

/// `12:00:02 hello/0 failed in 1.203 s on #2 at attempt 3 (by hand): exit code 1`.
fn describe(look: Look, settled: &Settlement) -> String {
    let Settlement { job, item, instance, outcome, .. } = settled;
    let mut line = format!("{} {job}/{item} {}", look.time(settled.at), look.outcome(outcome.word()));
    if let Some(start) = settled.start {
        line.push_str(&format!(" in {} on {}", span(settled.at - start), short(instance)));
    }
    if settled.attempt > 1 {
        line.push_str(&format!(" at attempt {}", settled.attempt));
    }
    line.push_str(match settled.source {
        Source::Trigger => " (by hand)",
        Source::Misfire => " (made up for)",
        Source::Failover => " (taken over)",
        Source::Schedule | Source::Retry => "",
    });
    if let (Some((from, count)), Fire::Scheduled(to)) = (&settled.range, &settled.fire) {
        line.push_str(&format!(" ({count} fires, {} to {})", output::time(*from), output::time(*to)));
    }
    let reason = outcome.reason();
    if !reason.is_empty() {
        line.push_str(&format!(": {}", one_line(reason.lines().next().unwrap_or_default())));
    }
    line
}

/// Shows who owns which items, and what operators do to jobs, each time that changes, until the session ends.
pub(super) async fn states(
    registry: Registry,
    session: SharedRegistry,
    mut jobs: watch::Receiver<Vec<JobName>>,
    pen: Pen,
    look: Look,
) {
    let Ok(mut hints) = session.watch(registry.keys().root()).await else { return };
    let mut owners: BTreeMap<JobName, String> = BTreeMap::new();
    let mut conditions: BTreeMap<JobName, String> = BTreeMap::new();
    loop {
        let shown = jobs.borrow_and_update().clone();
        for job in &shown {
            let Ok(seen) = view::job(&*session, registry.keys(), job.as_str(), output::now()).await else {
                continue;
            };
            let time = look.time(output::now());
            if let Some(text) = sharing(&seen)
                && owners.get(job) != Some(&text)
            {
                pen.write(format!("{time} {job}: {text}"));
                owners.insert(job.clone(), text);
            }
            let condition = held(&seen);
            let before = conditions.insert(job.clone(), condition.clone());
            if before.as_ref() != Some(&condition) && (before.is_some() || condition != FIRES) {
                let word = look.paint(AnsiColor::Yellow.on_default(), &condition);
                pen.write(format!("{time} {job}: {word}"));
            }
        }
        // Many nodes change together; one look serves for all, and a lost hint costs seconds.
        tokio::select! {
            hint = hints.recv() => if hint.is_none() { return },
            Ok(()) = jobs.changed() => {}
            () = tokio::time::sleep(ANYWAY) => {}
        }
        tokio::time::sleep(SETTLE).await;
        while hints.try_recv().is_ok() {}
    }
}

/// How long changes are gathered before the next look.
const SETTLE: Duration = Duration::from_millis(150);

/// How long after a look the next one is made anyway.
const ANYWAY: Duration = Duration::from_secs(5);

const FIRES: &str = "fires again";

/// What keeps a job from firing, or that nothing does.
fn held(job: &JobView) -> String {
    match (job.condition(), &job.brief.reason) {
        (Condition::Paused, reason) => {
            one_line(reason.as_deref().unwrap_or("paused by an operator")).into_owned()
        }
        (Condition::Disabled, _) => "disabled on every server".into(),
        (Condition::Held, Some(reason)) => one_line(reason).into_owned(),
        (Condition::Degraded, Some(reason)) => format!("cannot be used: {}", one_line(reason)),
        _ => FIRES.into(),
    }
}

/// `items 0,1 on #1; 2 on #2`, or `None` while some item has no owner.
fn sharing(job: &JobView) -> Option<String> {
    let parts = job.sharing()?.into_iter().map(|(owner, items)| {
        let items: Vec<String> = items.iter().map(ToString::to_string).collect();
        format!("{} on {}", items.join(","), short(&InstanceId::from_wire(owner)))
    });
    let parts: Vec<String> = parts.collect();
    (!parts.is_empty()).then(|| format!("items {}", parts.join("; ")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use clockwright_model::{ExecutionSource, FailureKind, Outcome};

    const PLAIN: Look = Look { verbose: false, colour: false };

    fn execution(id: RunId, complete: Option<Millis>, why: Option<&str>) -> Event {
        Event::Execution(Execution {
            id,
            job: JobName::new("a").unwrap(),
            task_id: "t".into(),
            hostname: "h".into(),
            ip: "10.0.0.1".into(),
            item: 0,
            source: ExecutionSource::NormalTrigger,
            start: 1_000,
            complete,
            success: complete.is_some() && why.is_none(),
            failure_cause: why.map(ToOwned::to_owned),
        })
    }

    fn settlement(run: RunId, attempt: u32, outcome: Outcome) -> Event {
        Event::Settlement(Settlement {
            namespace: "jobs".into(),
            claimed: Some(1_000),
            job: JobName::new("a").unwrap(),
            item: 0,
            fire: Fire::Scheduled(1_000),
            range: None,
            outcome,
            attempt,
            run_id: Some(run),
            token: 7,
            source: Source::Schedule,
            instance: InstanceId::of_process("10.0.0.1", std::process::id(), 1),
            start: Some(1_000),
            at: 1_012,
            log: None,
        })
    }

    fn outcomes(look: Look) -> Outcomes {
        let (lines, _queue) = sync_channel(1);
        Outcomes::new(Pen { lines, left_out: Arc::default() }, look)
    }

    #[test]
    fn a_run_is_one_line_with_its_time_its_outcome_and_a_short_name_for_its_instance() {
        let shown = outcomes(PLAIN);
        let run = RunId::new(1_000, 1);
        let time = output::time(1_012);
        assert_eq!(shown.tell(&execution(run, None, None)), None, "starts are for -v");
        assert_eq!(shown.tell(&execution(run, Some(1_012), None)), None);
        let line = shown.tell(&settlement(run, 1, Outcome::Succeeded)).unwrap();
        assert_eq!(line, format!("{time} a/0 succeeded in 12 ms on #2"));
        assert_eq!(shown.tell(&settlement(run, 1, Outcome::Succeeded)), None, "once");
        let verbose = outcomes(Look { verbose: true, colour: false });
        let line = verbose.tell(&execution(run, None, None)).unwrap();
        assert_eq!(line, format!("{} a/0 started", output::time(1_000)));
        let painted = Look { verbose: false, colour: true }.outcome("failed");
        assert!(painted.starts_with('\u{1b}') && painted.contains("failed"), "{painted:?}");
    }

    #[test]
    fn a_failed_attempt_is_told_when_it_is_tried_again_and_not_twice_when_it_is_the_outcome() {
        let shown = outcomes(PLAIN);
        let (first, second) = (RunId::new(1_000, 1), RunId::new(1_000, 2));
        assert_eq!(shown.tell(&execution(first, Some(1_010), Some("no \u{1b}[2Jdisk\nat all"))), None);
        let line = shown.tell(&execution(second, None, None)).unwrap();
        assert_eq!(line, format!("{} a/0 failed, trying again: no \\x1b[2Jdisk", output::time(1_000)));
        shown.tell(&execution(second, Some(1_012), Some("no disk")));
        let outcome = Outcome::Failed { kind: FailureKind::Job, reason: "no disk".into() };
        let line = shown.tell(&settlement(second, 2, outcome)).unwrap();
        assert!(line.ends_with(" at attempt 2: no disk"), "{line}");
        assert_eq!(
            shown.tell(&execution(RunId::new(1_000, 3), None, None)),
            None,
            "it was told as the outcome"
        );
    }
}
