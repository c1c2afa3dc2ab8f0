#![allow(clippy::unwrap_used, reason = "tests")]
use super::position::HOUR;
use super::*;
use crate::output::Stream;
use crate::{Control, RunEnd, RunResult, RunSpec, Runtime};
use clockwright_model::{Fire, JobName};

const NOON: Millis = 1_700_049_600_000;

fn context(run: u128, at: Millis) -> ShardContext {
    let example = ShardContext::example(JobName::new("j").unwrap());
    ShardContext { fire: Fire::Scheduled(at), run_id: RunId::new(at, run), ..example }
}

fn output(lines: &[&str]) -> Kept {
    let mut kept = Kept::default();
    lines.iter().for_each(|line| kept.print(format!("{line}\n").as_bytes()));
    kept
}

fn text(log: Option<RunLog>) -> Option<String> {
    Some(String::from_utf8_lossy(&log?.after(0)).into_owned())
}

async fn keep(logs: &Arc<RunLogs>, run: u128, lines: &[&str]) -> Option<LogPosition> {
    Arc::clone(logs).begin(&context(run, NOON)).end(output(lines)).await
}

fn logs(keep: KeepLogs) -> (RunLogs, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (RunLogs::new(folder.path().join("logs"), keep), folder)
}

fn names(logs: &RunLogs) -> Vec<String> {
    logs.files().unwrap().into_iter().map(|(name, _)| name.to_string()).collect()
}

#[test]
fn what_a_run_printed_reads_back_by_its_position_and_by_its_id_alone() {
    let (logs, folder) = logs(KeepLogs::default());
    let other = RunLogs::new(folder.path().join("logs"), KeepLogs::default());
    let mut kept = Vec::new();
    for n in 0..20 {
        // Two processes in turn, in the same file; lines of all kinds, one that looks like the head of a record too.
        let head = format!("{} j/0", RunId::new(NOON, 3));
        let lines = ["one", "", " 日本 ", &head, &n.to_string()];
        let writer = if n % 2 == 0 { &logs } else { &other };
        let position = writer.append(&context(n, NOON), &mut output(&lines), NOON + 5).unwrap();
        assert_eq!(LogPosition::parse(&position.to_string()), Some(position.clone()));
        kept.push((n, position, lines.join("\n") + "\n"));
    }
    assert_eq!(names(&logs), ["2023-11-15/12.log"]);
    for (n, position, text) in &kept {
        let run = RunId::new(NOON, *n);
        for position in [Some(position), None, Some(&kept[(*n as usize + 1) % 20].1)] {
            let log = logs.read(run, position).unwrap();
            assert_eq!(super::tests::text(log).as_ref(), Some(text), "{position:?}");
        }
    }
    assert_eq!(logs.read(RunId::new(NOON, 99), Some(&kept[0].1)).unwrap(), None);
}

#[test]
fn a_run_that_ended_hours_later_is_found_without_a_position() {
    let (logs, _folder) = logs(KeepLogs::default());
    logs.append(&context(1, NOON), &mut output(&["x"]), NOON + 30 * HOUR).unwrap();
    logs.append(&context(2, NOON), &mut output(&["y"]), NOON + 31 * HOUR).unwrap();
    assert_eq!(names(&logs), ["2023-11-16/18.log", "2023-11-16/19.log"]);
    assert_eq!(text(logs.read(RunId::new(NOON, 2), None).unwrap()).unwrap(), "y\n");
}

#[test]
fn the_oldest_files_go_when_it_is_too_much_or_they_are_too_old() {
    let keep = KeepLogs { age: Duration::from_secs(10 * 3600), bytes: 16_000 };
    let (logs, _folder) = logs(keep);
    let line = "x".repeat(900);
    let put = |n: i64, at| logs.append(&context(n as u128, at), &mut output(&[&line]), at).unwrap();
    // Each record fills a file, and sixteen of them are all that may be kept.
    for n in 0..40 {
        put(n, NOON + n);
    }
    let kept = names(&logs);
    assert!(kept.len() >= 15 && kept.len() <= 17, "{kept:?}");
    assert_eq!(kept.last().unwrap(), "2023-11-15/12-39.log");
    assert_eq!(logs.read(RunId::new(NOON, 0), None).unwrap(), None);
    // A day later nothing of it is left but what is new, and the folder of the day before is gone.
    put(41, NOON + 24 * HOUR);
    put(42, NOON + 25 * HOUR);
    assert_eq!(names(&logs), ["2023-11-16/12.log", "2023-11-16/13.log"]);
    assert!(!logs.folder().join("2023-11-15").exists());
}

#[test]
fn a_file_that_was_deleted_beneath_is_made_again() {
    let (logs, _folder) = logs(KeepLogs::default());
    let first = logs.append(&context(1, NOON), &mut output(&["x"]), NOON).unwrap();
    std::fs::remove_dir_all(logs.folder()).unwrap();
    assert_eq!(logs.read(RunId::new(NOON, 1), Some(&first)).unwrap(), None);
    let second = logs.append(&context(2, NOON), &mut output(&["y"]), NOON).unwrap();
    assert_eq!(text(logs.read(RunId::new(NOON, 2), Some(&second)).unwrap()).unwrap(), "y\n");
}

#[test]
fn a_position_beyond_the_end_of_its_file_finds_nothing_and_takes_no_memory() {
    let (logs, _folder) = logs(KeepLogs::default());
    logs.append(&context(1, NOON), &mut output(&["x"]), NOON).unwrap();
    let beyond = LogPosition::parse(&format!("2023-11-15/12.log:{}+{}", u64::MAX / 2, u64::MAX)).unwrap();
    assert_eq!(logs.read(RunId::new(NOON, 2), Some(&beyond)).unwrap(), None);
    assert!(logs.read(RunId::new(NOON, 1), Some(&beyond)).unwrap().is_some(), "by its id");
}

#[test]
fn only_the_owner_may_read_what_runs_print() {
    let (logs, _folder) = logs(KeepLogs::default());
    let position = logs.append(&context(1, NOON), &mut output(&["secret"]), NOON).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(&logs.path(position.file)), 0o600);
    assert_eq!((mode(logs.folder()), mode(&logs.folder().join("2023-11-15"))), (0o700, 0o700));
}

#[tokio::test]
async fn a_run_that_printed_nothing_leaves_no_record_and_a_folder_that_cannot_be_written_no_failure() {
    let (logs, folder) = logs(KeepLogs::default());
    let logs = Arc::new(logs);
    assert_eq!(keep(&logs, 1, &[]).await, None);
    assert!(!logs.folder().exists());
    let blocked = Arc::new(RunLogs::new(folder.path().join("file/logs"), KeepLogs::default()));
    std::fs::write(folder.path().join("file"), "").unwrap();
    assert_eq!(keep(&blocked, 1, &["x"]).await, None);
    assert!(keep(&logs, 1, &["x"]).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_hangs_is_waited_for_once() {
    let (logs, _folder) = logs(KeepLogs::default());
    let logs = Arc::new(logs);
    // Whoever has the turn does not come back.
    let hung = Arc::clone(&logs.turn).acquire_owned().await.unwrap();
    let begin = tokio::time::Instant::now();
    assert_eq!(keep(&logs, 1, &["x"]).await, None);
    assert_eq!(begin.elapsed(), PATIENCE);
    for n in 2..100 {
        assert_eq!(keep(&logs, n, &["x"]).await, None);
    }
    assert_eq!(begin.elapsed(), PATIENCE);
    drop(hung);
    assert_eq!(logs.turn.available_permits(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_answers_again_is_trusted_again() {
    let (logs, _folder) = logs(KeepLogs::default());
    let logs = Arc::new(logs);
    let hung = Arc::clone(&logs.turn).acquire_owned().await.unwrap();
    assert_eq!(keep(&logs, 1, &["x"]).await, None);
    drop(hung);
    // The first one that is not waited for is written all the same, which proves that the disk is well.
    let _ = keep(&logs, 2, &["x"]).await;
    drop(logs.turn.acquire().await.unwrap());
    assert!(keep(&logs, 3, &["x"]).await.is_some());
}

/// Prints what it is told to, piece by piece, and ends when there is nothing more.
struct Talker(tokio::sync::Mutex<tokio::sync::mpsc::UnboundedReceiver<(Stream, &'static [u8])>>);

#[async_trait]
impl Runtime for Talker {
    async fn run(&self, _: RunSpec, control: Control) -> RunEnd {
        while let Some((stream, bytes)) = self.0.lock().await.recv().await {
            control.output.print(stream, bytes);
        }
        RunEnd::silent(RunResult::Succeeded)
    }
}

/// A run that says what is sent to it.
fn talking(
    logs: &Arc<RunLogs>,
) -> (tokio::sync::mpsc::UnboundedSender<(Stream, &'static [u8])>, tokio::task::JoinHandle<RunEnd>) {
    let (say, said) = tokio::sync::mpsc::unbounded_channel();
    let talker = Logged::new(Arc::new(Talker(tokio::sync::Mutex::new(said))), Arc::clone(logs) as _);
    let spec = RunSpec { context: context(7, NOON), timeout: None, grace: 0 };
    (say, tokio::spawn(async move { talker.run(spec, Control::unattended()).await }))
}

/// Waits until the run's log has this text and this state, and returns it.
async fn shown(logs: &RunLogs, until: &str, state: LogState) -> RunLog {
    let look = async {
        loop {
            if let Some(log) = logs.running(RunId::new(NOON, 7)).unwrap()
                && (text(Some(log.clone())).unwrap().as_str(), log.state()) == (until, state)
            {
                return log;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), look).await.expect("it is shown")
}

#[tokio::test]
async fn what_a_run_prints_is_shown_while_it_runs_and_kept_once_it_has_ended() {
    let (logs, _folder) = logs(KeepLogs::default());
    let logs = Arc::new(logs);
    let (say, end) = talking(&logs);
    say.send((Stream::Out, b"one\n")).unwrap();
    shown(&logs, "one\n", LogState::Running).await;
    say.send((Stream::Out, b"half a l")).unwrap();
    say.send((Stream::Err, b"oh\n")).unwrap();
    say.send((Stream::Out, b"ine\xff\n")).unwrap();
    let all = b"one\nhalf a l\noh\nine\xff\n";
    shown(&logs, &String::from_utf8_lossy(all), LogState::Running).await;
    drop(say);
    let position = end.await.unwrap().log;
    let run = RunId::new(NOON, 7);
    assert_eq!(logs.running(run).unwrap(), None);
    let log = logs.read(run, position.as_ref()).unwrap().unwrap();
    assert_eq!((log.after(0), log.state()), (all.to_vec(), LogState::Ended));
}

#[tokio::test]
async fn what_a_run_printed_that_was_cut_off_with_its_process_stays() {
    let (logs, _folder) = logs(KeepLogs::default());
    let logs = Arc::new(logs);
    let (say, end) = talking(&logs);
    say.send((Stream::Out, b"last words\n")).unwrap();
    shown(&logs, "last words\n", LogState::Running).await;
    // As the end of a process ends it: without a word. A write that was under way on a thread of its own ends first.
    end.abort();
    assert!(end.await.is_err());
    shown(&logs, "last words\n", LogState::CutOff).await;
    let log = logs.read(RunId::new(NOON, 7), None).unwrap().unwrap();
    assert_eq!((text(Some(log.clone())).unwrap().as_str(), log.state()), ("last words\n", LogState::CutOff));
}
