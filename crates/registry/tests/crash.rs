//! A registry whose process is killed at any moment holds a prefix of the commits, and every acknowledged one.
//!
//! The test starts itself again as another process, which commits in several sessions at once and prints what was
//! acknowledged; it is killed with SIGKILL after a number of acknowledgements, and the directory is opened again.
#![allow(clippy::unwrap_used, reason = "tests")]

use clockwright_registry::{ConnectOptions, Embedded, Op, OpenError, Path, Registry};
use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

/// Names the directory to the process that is going to be killed.
const DIRECTORY: &str = "CLOCKWRIGHT_TEST_CRASH_DIRECTORY";
const WRITERS: usize = 3;

fn path(text: &str) -> Path {
    Path::new(text).unwrap()
}

/// What a writer keeps: a counter, a list of nodes as long as the counter says, and a node that comes and goes.
fn step(writer: usize, n: usize) -> Vec<Op> {
    let home = path("/").join(&format!("w{writer}"));
    let mut ops = vec![
        Op::set_if(home.clone(), n.to_string(), i32::try_from(n).unwrap() - 1),
        Op::create(home.join(&format!("n{n}")), vec![b'x'; 10 * (n % 50)]),
        Op::create_ephemeral(home.join(&format!("e{n}")), ""),
    ];
    let flag = home.join("flag");
    ops.push(if n % 2 == 1 { Op::create(flag, n.to_string()) } else { Op::delete(flag) });
    ops
}

/// The process that is killed: not a test by itself.
#[test]
fn the_process_that_is_killed() {
    let Some(dir) = std::env::var_os(DIRECTORY) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let registry = Embedded::open(dir.as_ref()).await.unwrap();
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..WRITERS {
            let session = registry.connect(ConnectOptions::default()).unwrap();
            writers.spawn(async move {
                let home = path("/").join(&format!("w{writer}"));
                let node = session.read(std::slice::from_ref(&home)).await.unwrap().remove(0);
                let mut n = match node {
                    Some(node) => std::str::from_utf8(&node.data).unwrap().parse().unwrap(),
                    None => session.commit(vec![Op::create(home, "0")]).await.map(|_| 0_usize).unwrap(),
                };
                loop {
                    n += 1;
                    let done = session.commit(step(writer, n)).await.unwrap();
                    let line = format!("\nack {writer} {n} {}\n", done.transaction);
                    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
                }
            });
        }
        writers.join_next().await;
    });
}

/// Runs the process until it has acknowledged so many commits, kills it, and returns what it has acknowledged to each
/// writer, and the largest transaction number it has told.
fn run_and_kill(dir: &std::path::Path, acknowledgements: usize) -> (HashMap<usize, usize>, i64) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_process_that_is_killed", "--nocapture"])
        .env(DIRECTORY, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (mut acknowledged, mut transaction, mut count) = (HashMap::new(), 0, 0);
    let mut killed = false;
    // After the kill the pipe still holds acknowledgements that were printed before: they count like the others.
    while let Some(Ok(line)) = lines.next() {
        let Some(ack) = line.strip_prefix("ack ") else { continue };
        let numbers: Vec<i64> = ack.split(' ').filter_map(|word| word.parse().ok()).collect();
        let [writer, n, number] = numbers[..] else { continue };
        acknowledged.insert(usize::try_from(writer).unwrap(), usize::try_from(n).unwrap());
        transaction = number.max(transaction);
        count += 1;
        if count == acknowledgements && !killed {
            child.kill().unwrap();
            killed = true;
        }
    }
    assert!(killed, "the process ended by itself after {count} commits");
    child.wait().unwrap();
    (acknowledged, transaction)
}

#[tokio::test]
async fn a_killed_process_leaves_a_prefix_of_its_commits_with_every_acknowledged_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut told = 0;
    for acknowledgements in [1, 40, 7, 300, 111, 650] {
        let (acknowledged, transaction) = run_and_kill(dir.path(), acknowledgements);
        assert!(transaction > told, "a transaction number came again: {transaction} after {told}");
        told = transaction;
        let registry = Embedded::open(dir.path()).await.unwrap();
        let session = registry.connect(ConnectOptions::default()).unwrap();
        for writer in 0..WRITERS {
            let home = path("/").join(&format!("w{writer}"));
            let tree: HashMap<Path, _> = session.tree(&home).await.unwrap().into_iter().collect();
            let Some(node) = tree.get(&home) else {
                assert!(!acknowledged.contains_key(&writer));
                continue;
            };
            let n: usize = std::str::from_utf8(&node.data).unwrap().parse().unwrap();
            assert!(
                n >= acknowledged.get(&writer).copied().unwrap_or(0),
                "writer {writer} lost an acknowledged commit"
            );
            // Exactly what commits 1 to n leave, of each node, and nothing of another one.
            assert_eq!(usize::try_from(node.stat.version).unwrap(), n);
            for n in 1..=n {
                assert_eq!(tree[&home.join(&format!("n{n}"))].data.len(), 10 * (n % 50));
            }
            let flag = tree.get(&home.join("flag")).map(|node| node.data.clone());
            assert_eq!(flag, (n % 2 == 1).then(|| n.to_string().into()));
            assert_eq!(tree.len(), 1 + n + n % 2, "no ephemeral node is left");
        }
        registry.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_directory_in_use_by_another_process_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_process_that_is_killed", "--nocapture"])
        .env(DIRECTORY, dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.find(|line| line.as_ref().is_ok_and(|line| line.starts_with("ack "))).unwrap().unwrap();
    let error = Embedded::open(dir.path()).await.err().unwrap();
    let expected = child.id();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(matches!(error, OpenError::InUse { pid: Some(pid), .. } if pid == expected), "{error}");
    Embedded::open(dir.path()).await.unwrap();
}
