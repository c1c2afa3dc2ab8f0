//! Script jobs with real processes: what they are told, what they print, and that nothing of them survives.
#![allow(clippy::unwrap_used, reason = "tests")]

use clockwright_model::{FailureKind, Fire, JobName, Reason, RunId, ShardContext};
use clockwright_runtime::{
    Control, LineSink, ProcessRuntime, ProcessSettings, RunResult, RunSpec, Runtime, Shown, Stop, StopReason,
    Stream, Supervisor, boottime,
};
use clockwright_settings::ScriptSettings;
use heard::{Heard, hear};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};

mod heard;

const HOST: &str = env!("CARGO_BIN_EXE_clockwright-runtime-test-host");
/// No condition that these tests wait for takes nearly as long, even on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn new_run_id() -> RunId {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let unique = u128::from(std::process::id()) << 32 | u128::from(NEXT.fetch_add(1, Ordering::Relaxed));
    RunId::new(boottime(), unique)
}

fn spec() -> RunSpec {
    let context = ShardContext {
        task_id: "nightly report@-@2@-@READY@-@10.0.0.1@-@1".into(),
        sharding_total_count: 4,
        job_parameter: "p=1".into(),
        item: 2,
        sharding_parameter: Some("Zürich".into()),
        fire: Fire::Scheduled(1_700_000_000_000),
        attempt: 3,
        run_id: new_run_id(),
        token: 77,
        ..ShardContext::example(JobName::new("nightly report").unwrap())
    };
    RunSpec { context, timeout: None, grace: 10_000 }
}

fn runtime(settings: ProcessSettings) -> ProcessRuntime {
    ProcessRuntime::new(Supervisor { program: HOST.into(), args: vec!["exec-task".into()] }, settings)
}

fn settings(command: &str) -> ProcessSettings {
    ProcessSettings::new(command).unwrap()
}

/// Shells tell on stderr which of their children a signal ended, or not, depending on who comes first.
const QUIET: &str = "exec 2>/dev/null; ";

fn shell(script: &str) -> ProcessSettings {
    let mut settings = settings("sh -c");
    settings.command.arguments.push(script.to_owned());
    settings
}

async fn run(settings: ProcessSettings) -> Heard {
    hear(&runtime(settings), spec(), Control::unattended()).await
}

fn failure(kind: FailureKind, reason: Reason) -> RunResult {
    RunResult::Failed { kind, reason }
}

/// A run under way, of which a test reads the lines while it lasts and which it can stop.
struct Live {
    lines: mpsc::UnboundedReceiver<String>,
    stop: watch::Sender<Stop>,
    end: tokio::task::JoinHandle<Heard>,
    run_id: RunId,
}

fn start(settings: ProcessSettings, spec: RunSpec, lease: Option<watch::Receiver<i64>>) -> Live {
    let (send, lines) = mpsc::unbounded_channel();
    let sink: LineSink = Arc::new(move |_, _, line| drop(send.send(line.to_owned())));
    let shown = Shown::new(Arc::new(runtime(settings)), sink);
    let (stop, stopped) = watch::channel(Stop::No);
    let control = Control { stop: stopped, lease, ..Control::unattended() };
    let run_id = spec.context.run_id;
    let end = tokio::spawn(async move { hear(&shown, spec, control).await });
    Live { lines, stop, end, run_id }
}

impl Live {
    async fn line(&mut self) -> String {
        tokio::time::timeout(PATIENCE, self.lines.recv()).await.unwrap().expect("the run prints a line")
    }

    async fn end(self) -> Heard {
        tokio::time::timeout(PATIENCE, self.end).await.unwrap().unwrap()
    }
}

/// The living processes that belong to a run: those that have its id in their environment.
fn processes_of(run_id: RunId) -> Vec<i32> {
    let entry = format!("CLOCKWRIGHT_RUN_ID={run_id}").into_bytes();
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid: &i32| {
            fs::read(format!("/proc/{pid}/environ"))
                .is_ok_and(|all| all.split(|b| *b == 0).any(|e| e == entry))
        })
        .collect()
}

async fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn signal(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

/// The parent of a process: of a run's program, its supervisor.
fn parent_of(pid: i32) -> i32 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(')').unwrap().1.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_exit_code_decides() {
    assert_eq!(run(settings("true")).await.result, RunResult::Succeeded);
    assert_eq!(run(shell("exit 3")).await.result, failure(FailureKind::Job, Reason::ExitCode { code: 3 }));
    assert_eq!(
        run(shell("kill -9 $$")).await.result,
        failure(FailureKind::Job, Reason::KilledBySignal { signal: 9 })
    );
    assert_eq!(
        run(shell("kill -SEGV $$")).await.result,
        failure(FailureKind::Job, Reason::KilledBySignal { signal: 11 })
    );
}

#[tokio::test]
async fn what_cannot_be_started_is_named() {
    assert_eq!(
        run(settings("no-such-program --flag")).await.result,
        failure(
            FailureKind::Start,
            Reason::NotStarted {
                text: "cannot run `no-such-program`: no such file in any directory of PATH".into()
            }
        )
    );
    assert_eq!(
        run(settings("/etc/passwd")).await.result,
        failure(
            FailureKind::Start,
            Reason::NotStarted {
                text: "cannot run `/etc/passwd`: permission denied; is it a file that may be executed?"
                    .into()
            }
        )
    );
    let mut elsewhere = settings("true");
    elsewhere.directory = Some("/no/such/place".into());
    let RunResult::Failed { kind: FailureKind::Start, reason } = run(elsewhere).await.result else {
        panic!()
    };
    assert!(
        reason.to_string().starts_with("cannot run `true` in directory `/no/such/place`: No such file"),
        "{reason}"
    );
}

#[tokio::test]
async fn a_missing_supervisor_is_a_failed_start() {
    let supervisor = Supervisor { program: "/no/such/supervisor".into(), args: Vec::new() };
    let end = ProcessRuntime::new(supervisor, settings("true")).run(spec(), Control::unattended()).await;
    let RunResult::Failed { kind: FailureKind::Start, reason } = end.result else { panic!() };
    assert!(
        reason.to_string().starts_with("cannot start the supervisor `/no/such/supervisor`: No such file"),
        "{reason}"
    );
}

#[tokio::test]
async fn a_program_that_would_not_become_a_supervisor_is_not_started_as_one() {
    // These tests are such a program.
    let runtime = ProcessRuntime::new(Supervisor::this_program(), settings("true"));
    let RunResult::Failed { kind: FailureKind::Start, reason } =
        runtime.run(spec(), Control::unattended()).await.result
    else {
        panic!()
    };
    assert!(reason.to_string().contains("clockwright::exec_task_if_asked()"), "{reason}");
}

#[tokio::test]
async fn a_supervisor_that_becomes_something_else_ends_before_it_runs_jobs() {
    let mut started = Command::new(HOST);
    started.arg("exec-task").env("FORGETFUL", "1").env("CLOCKWRIGHT_EXEC_TASK", "1");
    let ended = started.output().unwrap();
    assert_eq!((ended.status.code(), ended.stdout), (Some(2), Vec::new()));
    let words = String::from_utf8(ended.stderr).unwrap();
    assert!(words.contains("clockwright::exec_task_if_asked()"), "{words}");
    let forgetful =
        Supervisor { program: "env".into(), args: ["FORGETFUL=1", HOST, "exec-task"].map(Into::into).into() };
    let end = ProcessRuntime::new(forgetful, settings("true")).run(spec(), Control::unattended()).await;
    let RunResult::Failed { kind: FailureKind::Start, reason } = end.result else { panic!() };
    assert!(reason.to_string().contains("clockwright::exec_task_if_asked()"), "{reason}");
}

#[tokio::test]
async fn what_a_supervisor_runs_may_be_a_program_with_supervisors_of_its_own() {
    let end = run(shell("echo ${CLOCKWRIGHT_EXEC_TASK-not there}")).await;
    assert_eq!(end.lines, ["not there"]);
}

#[tokio::test]
async fn the_program_gets_its_arguments_the_context_and_the_environment() {
    let mut settings = settings("printf '%s|%s\n' 'a  b' plain");
    settings.command.program = "/usr/bin/printf".into();
    settings.command.arguments[0] = "%s\\n".into();
    let end = run(settings).await;
    assert_eq!(end.lines[..2], ["a  b", "plain"]);
    assert_eq!(
        end.lines[2],
        r#"{"jobName":"nightly report","taskId":"nightly report@-@2@-@READY@-@10.0.0.1@-@1","shardingTotalCount":4,"jobParameter":"p\u003d1","shardingItem":2,"shardingParameter":"Zürich"}"#
    );

    let spec = spec();
    let (run_id, json) = (spec.context.run_id, spec.context.to_json());
    let mut settings = shell("env | grep ^CLOCKWRIGHT_ | sort; echo $EXTRA; pwd; cat");
    settings.env.insert("EXTRA".into(), "more".into());
    settings.directory = Some("/".into());
    let end = hear(&runtime(settings), spec, Control::unattended()).await;
    let expected = format!(
        "CLOCKWRIGHT_ATTEMPT=3 CLOCKWRIGHT_CONTEXT={json} CLOCKWRIGHT_FIRE_TIME=1700000000000 CLOCKWRIGHT_ITEM=2 CLOCKWRIGHT_JOB=nightly report \
         CLOCKWRIGHT_RUN_ID={run_id} CLOCKWRIGHT_SHARDING_PARAMETER=Zürich CLOCKWRIGHT_TOKEN=77 more /"
    );
    assert_eq!(end.lines.join(" "), expected);
}

#[tokio::test]
async fn a_process_that_serves_jobs_has_all_files_that_it_may_open_and_its_programs_as_many_as_before() {
    use rustix::process::{Resource, getrlimit};
    let before = getrlimit(Resource::Nofile);
    let raised = clockwright_runtime::limits::raise_open_files();
    assert!(raised >= before.current, "{raised:?}");
    assert_eq!(getrlimit(Resource::Nofile).current, raised);
    let end = run(shell("ulimit -Sn")).await;
    assert_eq!(end.lines, [before.current.map_or_else(|| "unlimited".to_owned(), |files| files.to_string())]);
}

#[tokio::test]
async fn a_program_that_takes_no_argument_gets_none_where_the_job_says_so() {
    let script = |line: &str, props: &[(&str, &str)]| {
        let props = props.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        ProcessSettings::of(ScriptSettings::parse(line, &props).unwrap(), Some(Path::new("/usr")))
    };
    let end = run(script("echo plain", &[("script.context", "env")])).await;
    assert_eq!(end.lines, ["plain"]);
    let props = [("script.shell", "true"), ("script.directory", "lib"), ("script.env.WHO", "me")];
    let end = run(script("echo $WHO in $(pwd) | tr a-z A-Z; echo \"$1\"", &props)).await;
    assert_eq!((end.lines[0].as_str(), &end.lines[1][..10]), ("ME IN /USR/LIB", "{\"jobName\""));
    assert_eq!(run(script("bin/true", &[])).await.result, RunResult::Succeeded);
}

#[tokio::test]
async fn variables_of_the_instance_are_not_passed_on() {
    let mut host = Command::new(HOST);
    let run_id = new_run_id().to_string();
    host.args(["hold", &run_id, "60000", "sh -c env"])
        .env("CLOCKWRIGHT_DATABASE_PASSWORD", "secret")
        .env("OTHER", "kept");
    let printed = String::from_utf8(host.output().unwrap().stdout).unwrap();
    assert!(printed.contains("OTHER=kept"), "{printed}");
    assert!(!printed.contains("secret"), "{printed}");
}

#[tokio::test]
async fn lines_come_live_with_their_stream_and_bytes_that_are_no_text_are_replaced() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = seen.clone();
    let shown = shell("echo out; sleep 0.05; echo err >&2; sleep 0.05; printf 'a\\377b\\r\\nlast'");
    let sink: LineSink = Arc::new(move |context, stream, line: &str| {
        sink.lock().unwrap().push((context.item, stream, line.to_owned()));
    });
    let shown = Shown::new(Arc::new(runtime(shown)), sink);
    let end = hear(&shown, spec(), Control::unattended()).await;
    assert_eq!(end.lines, ["out", "err", "a\u{fffd}b", "last"]);
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0], (2, Stream::Out, "out".to_owned()));
    assert_eq!(seen[1], (2, Stream::Err, "err".to_owned()));
    assert_eq!(seen.len(), 4);
}

#[tokio::test]
async fn the_end_of_a_long_line_is_kept() {
    let progress = shell(
        "i=0; while [ $i -lt 3000 ]; do printf '\\r%s of 3000 blocks' $i; i=$((i+1)); done; printf '\\rchecksum differs'",
    );
    let end = run(progress).await;
    assert!(end.lines[0].ends_with("\rchecksum differs"), "{:?}", end.lines);
    assert_eq!((end.lines.len(), end.lost), (1, 0));
    let long = run(shell("head -c 1000000 /dev/zero | tr '\\0' x; printf '\"partial\"}'")).await;
    assert!(long.lines[0].ends_with("x\"partial\"}"));
    assert_eq!(long.lines[0].len() as u64 + long.lost, 1_000_010);
}

#[tokio::test]
async fn a_run_that_takes_too_long_is_ended() {
    let mut spec = spec();
    spec.timeout = Some(200);
    let run_id = spec.context.run_id;
    let end = runtime(shell("sleep 1000 & sleep 1000")).run(spec, Control::unattended()).await;
    assert_eq!(end.result, failure(FailureKind::Timeout, Reason::TimedOut { limit: 200 }));
    assert_eq!(processes_of(run_id), Vec::<i32>::new());
}

#[tokio::test]
async fn a_program_that_is_stopped_may_tidy_up_and_is_not_a_success() {
    let mut live = start(
        shell(&format!("{QUIET} trap 'echo tidied; exit 0' TERM; echo ready; while :; do sleep 0.01; done")),
        spec(),
        None,
    );
    assert_eq!(live.line().await, "ready");
    live.stop.send_replace(Stop::Now(StopReason::Shutdown));
    let end = live.end().await;
    assert_eq!(end.result, RunResult::Stopped(StopReason::Shutdown));
    assert_eq!(end.lines, ["ready", "tidied"]);
}

#[tokio::test]
async fn the_grace_period_holds_for_children_that_outlive_their_parent() {
    let child = "trap 'sleep 0.2; echo child tidied; exit' TERM; echo ready; while :; do sleep 0.01; done";
    let mut live = start(shell(&format!("{QUIET} sh -c \"{child}\" & wait")), spec(), None);
    assert_eq!(live.line().await, "ready");
    live.stop.send_replace(Stop::Now(StopReason::Cancelled));
    assert_eq!(live.end().await.lines, ["ready", "child tidied"]);
}

#[tokio::test]
async fn a_program_that_ignores_sigterm_is_killed_after_the_grace_period() {
    let mut spec = spec();
    spec.grace = 300;
    let mut live = start(shell("trap '' TERM; echo ready; while :; do sleep 0.01; done"), spec, None);
    assert_eq!(live.line().await, "ready");
    let asked = Instant::now();
    live.stop.send_replace(Stop::Now(StopReason::Cancelled));
    let run_id = live.run_id;
    assert_eq!(live.end().await.result, RunResult::Stopped(StopReason::Cancelled));
    assert!(asked.elapsed() >= Duration::from_millis(300), "{:?}", asked.elapsed());
    assert!(asked.elapsed() < Duration::from_millis(3_200), "the supervisor did it, not the instance for it");
    assert_eq!(processes_of(run_id), Vec::<i32>::new());
}

#[tokio::test]
async fn what_a_program_leaves_behind_is_killed_sessions_of_its_own_and_daemons_included() {
    let script = "setsid sleep 1000 & (setsid sh -c 'sleep 1000 & sleep 1000' &) ; sleep 1000 & \
                  (trap '' HUP TERM; setsid sh -c 'while :; do sleep 1000; done' &) ; echo started";
    let spec = spec();
    let run_id = spec.context.run_id;
    let begun = Instant::now();
    let end = hear(&runtime(shell(script)), spec, Control::unattended()).await;
    assert_eq!((end.result, end.lines), (RunResult::Succeeded, vec!["started".to_owned()]));
    assert_eq!(processes_of(run_id), Vec::<i32>::new());
    assert!(begun.elapsed() < PATIENCE);
}

#[tokio::test]
async fn a_stop_reaches_descendants_in_other_sessions() {
    let tidy = "trap 'echo bye; exit' TERM; echo ready; while :; do sleep 0.01; done";
    let mut live = start(shell(&format!("{QUIET} setsid sh -c \"{tidy}\" & sleep 1000")), spec(), None);
    assert_eq!(live.line().await, "ready");
    live.stop.send_replace(Stop::Now(StopReason::Cancelled));
    let run_id = live.run_id;
    let asked = Instant::now();
    assert_eq!(live.end().await.lines, ["ready", "bye"]);
    assert!(asked.elapsed() < Duration::from_secs(9), "nobody had to wait for the grace period");
    assert_eq!(processes_of(run_id), Vec::<i32>::new());
}

#[tokio::test]
async fn a_gigabyte_of_output_neither_blocks_nor_fills_memory() {
    let script = "echo first; head -c 1G /dev/zero | tr '\\0' x; echo; echo; head -c 100M /dev/zero | tr '\\0' '\\n'; \
                  grep -E 'VmHWM' /proc/$PPID/status; echo last";
    let end = run(shell(script)).await;
    assert_eq!(end.result, RunResult::Succeeded);
    let lines = &end.lines;
    assert_eq!((lines[0].as_str(), lines.last().unwrap().as_str()), ("first", "last"));
    let kept: usize = lines.iter().map(|line| line.len() + 1).sum();
    assert!(kept <= 128 << 10, "{kept} bytes kept");
    assert!(end.lost > (1_123 << 20), "{}", end.lost);
    let peak = &lines[lines.len() - 2];
    let peak: u64 = peak.split_whitespace().nth(1).expect(peak).parse().unwrap();
    assert!(peak < 24 << 10, "the supervisor took {peak} KiB");
}

#[tokio::test]
async fn an_endless_printer_can_be_stopped() {
    let mut live = start(settings("yes"), spec(), None);
    live.line().await;
    live.stop.send_replace(Stop::Now(StopReason::Cancelled));
    let end = live.end().await;
    assert_eq!(end.result, RunResult::Stopped(StopReason::Cancelled));
    assert!(end.lines[0].starts_with("{\"jobName\""));
}

#[tokio::test]
async fn a_lease_that_passes_ends_the_run_without_grace_and_a_renewed_one_does_not() {
    let (renew, lease) = watch::channel(boottime() + 700);
    let mut live =
        start(shell("trap '' TERM; echo ready; while :; do sleep 0.01; done"), spec(), Some(lease));
    assert_eq!(live.line().await, "ready");
    let until = boottime() + 1_500;
    renew.send_replace(until);
    let run_id = live.run_id;
    assert_eq!(live.end().await.result, RunResult::Stopped(StopReason::LeaseLost));
    assert!(boottime() >= until, "the renewal was heeded");
    assert!(boottime() < until + 5_000, "the grace period is for stop requests");
    assert_eq!(processes_of(run_id), Vec::<i32>::new());
}

#[tokio::test]
async fn nothing_is_started_without_a_lease_or_after_a_stop() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let touch = || settings(&format!("rm {}", file.path().display()));
    let (_renew, lease) = watch::channel(boottime());
    let control = Control { lease: Some(lease), ..Control::unattended() };
    let end = runtime(touch()).run(spec(), control).await;
    assert_eq!(end.result, RunResult::Stopped(StopReason::LeaseLost));
    let stop = watch::channel(Stop::Now(StopReason::Shutdown)).1;
    let end = runtime(touch()).run(spec(), Control { stop, ..Control::unattended() }).await;
    assert_eq!(end.result, RunResult::Stopped(StopReason::Shutdown));
    assert!(file.path().exists());
}

#[tokio::test]
async fn a_killed_supervisor_takes_its_run_along() {
    let mut live = start(shell("setsid sleep 1000 & echo $PPID; sleep 1000"), spec(), None);
    let supervisor: i32 = live.line().await.parse().unwrap();
    signal(supervisor, Signal::KILL);
    let run_id = live.run_id;
    let end = live.end().await;
    let RunResult::Failed { kind: FailureKind::OwnerLost, reason } = end.result else {
        panic!("{:?}", end.result)
    };
    assert!(reason.to_string().contains("signal: 9"), "{reason}");
    assert_eq!(processes_of(run_id), Vec::<i32>::new());
}

#[tokio::test]
async fn a_frozen_supervisor_is_replaced_by_its_parent_after_the_lease() {
    let (_renew, lease) = watch::channel(boottime() + 2_000);
    let mut live = start(shell("setsid sleep 1000 & echo $PPID; sleep 1000"), spec(), Some(lease));
    let supervisor: i32 = live.line().await.parse().unwrap();
    signal(supervisor, Signal::STOP);
    let run_id = live.run_id;
    assert_eq!(live.end().await.result, RunResult::Stopped(StopReason::LeaseLost));
    assert_eq!(processes_of(run_id), Vec::<i32>::new());
}

#[tokio::test]
async fn dropping_the_run_kills_its_processes() {
    let mut live = start(shell("setsid sleep 1000 & echo ready; sleep 1000"), spec(), None);
    live.line().await;
    live.end.abort();
    let run_id = live.run_id;
    wait_until("the processes are gone", || processes_of(run_id).is_empty()).await;
}

/// An instance in a process of its own, with one run that has started and printed a line.
fn instance(lease: i64) -> (std::process::Child, BufReader<std::process::ChildStdout>, RunId) {
    instance_with(
        lease,
        r#"sh -c 'setsid sleep 1000 & (setsid sh -c "sleep 1000" &); echo ready; sleep 1000'"#,
    )
}

fn instance_with(
    lease: i64,
    script: &str,
) -> (std::process::Child, BufReader<std::process::ChildStdout>, RunId) {
    let run_id = new_run_id();
    let mut child = Command::new(HOST)
        .args(["hold", &run_id.to_string(), &lease.to_string(), script])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut printed = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    printed.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    (child, printed, run_id)
}

#[tokio::test]
async fn the_run_of_a_frozen_instance_is_gone_when_its_lease_is_over() {
    let begun = boottime();
    let (mut instance, mut printed, run_id) = instance(3_000);
    let pid = i32::try_from(instance.id()).unwrap();
    signal(pid, Signal::STOP);
    let alive = processes_of(run_id);
    assert!(alive.len() >= 3 || boottime() >= begun + 3_000, "{alive:?}");
    wait_until("the processes are gone", || processes_of(run_id).is_empty()).await;
    let gone = boottime();
    assert!(gone >= begun + 3_000, "not before the lease is over");
    assert!(gone < begun + 3_000 + 3_000, "{} ms after the lease", gone - begun - 3_000);
    signal(pid, Signal::CONT);
    let mut line = String::new();
    printed.read_line(&mut line).unwrap();
    assert_eq!(line, "Stopped(LeaseLost)\n");
    instance.wait().unwrap();
}

#[tokio::test]
async fn output_that_a_frozen_instance_does_not_take_holds_up_nobody() {
    let (mut instance, _printed, run_id) = instance_with(3_000, "sh -c 'echo ready; exec yes'");
    signal(i32::try_from(instance.id()).unwrap(), Signal::STOP);
    wait_until("the processes are gone", || processes_of(run_id).is_empty()).await;
    instance.kill().unwrap();
    instance.wait().unwrap();
}

#[tokio::test]
async fn the_run_of_a_killed_instance_is_gone() {
    let (mut instance, _printed, run_id) = instance(600_000);
    let supervisor = parent_of(*processes_of(run_id).iter().min().unwrap());
    instance.kill().unwrap();
    instance.wait().unwrap();
    wait_until("the processes are gone", || processes_of(run_id).is_empty()).await;
    wait_until("the supervisor is gone", || {
        fs::read_to_string(format!("/proc/{supervisor}/stat")).map_or(true, |stat| stat.contains(") Z "))
    })
    .await;
}

#[tokio::test]
async fn a_program_dies_with_its_supervisor_even_while_the_instance_is_frozen() {
    let (mut instance, _printed, run_id) = instance(600_000);
    let program = *processes_of(run_id).iter().min().unwrap();
    signal(i32::try_from(instance.id()).unwrap(), Signal::STOP);
    signal(parent_of(program), Signal::KILL);
    wait_until("the program is gone", || !processes_of(run_id).contains(&program)).await;
    signal(i32::try_from(instance.id()).unwrap(), Signal::CONT);
    wait_until("its children are gone", || processes_of(run_id).is_empty()).await;
    instance.wait().unwrap();
}

#[tokio::test]
async fn a_run_has_a_session_of_its_own_and_no_terminal() {
    let end = run(shell("cut -d' ' -f6,7 /proc/self/stat; echo $PPID 0")).await;
    assert_eq!(end.lines[0], end.lines[1], "session and terminal");
}

#[tokio::test]
async fn a_hundred_runs_at_once_all_end_as_they_should() {
    let runtime = Arc::new(runtime(shell("echo $CLOCKWRIGHT_ITEM; exit $((CLOCKWRIGHT_ITEM % 2))")));
    let runs: Vec<_> = (0..100)
        .map(|item| {
            let runtime = runtime.clone();
            let mut spec = spec();
            spec.context.item = item;
            tokio::spawn(async move { hear(&*runtime, spec, Control::unattended()).await })
        })
        .collect();
    for (item, run) in runs.into_iter().enumerate() {
        let end = run.await.unwrap();
        assert_eq!(end.lines, [item.to_string()]);
        assert_eq!(end.result == RunResult::Succeeded, item % 2 == 0);
    }
}

#[test]
fn more_runs_at_once_than_the_process_may_have_files_for_wait_for_each_other() {
    let mut few = Command::new("sh");
    let ended = few.args(["-c", "ulimit -n 24; exec \"$0\" crowd 30 true", HOST]);
    let ended = ended.output().unwrap();
    let words = String::from_utf8_lossy(&ended.stdout).into_owned() + &String::from_utf8_lossy(&ended.stderr);
    assert_eq!((ended.status.success(), words.as_str()), (true, ""));
}

#[test]
fn a_supervisor_without_orders_ends_with_its_input() {
    let mut child =
        Command::new(HOST).arg("exec-task").stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    assert!(child.wait().unwrap().success());
    let refused =
        Command::new(HOST).arg("exec-task").stdin(fs::File::open("/proc/cpuinfo").unwrap()).output().unwrap();
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).starts_with("supervisor of a run: frame of kind"));
}

#[tokio::test]
async fn a_run_that_is_dropped_leaves_no_process() {
    let mut live = start(shell("trap '' TERM; setsid sleep 600 & echo up; sleep 600"), spec(), None);
    assert_eq!(live.line().await, "up");
    let run_id = live.run_id;
    assert!(!processes_of(run_id).is_empty());
    live.end.abort();
    wait_until("what was run is gone", || processes_of(run_id).is_empty()).await;
}
