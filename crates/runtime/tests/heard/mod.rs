//! Runs something and takes down what it prints.

use clockwright_runtime::output::{Kept, Sink};
use clockwright_runtime::{Control, RunResult, RunSpec, Runtime, Stream};
use std::sync::{Arc, Mutex};

/// What became of a run.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) result: RunResult,
    /// What it printed, as far as it is kept; the first and the last lines.
    pub(crate) lines: Vec<String>,
    /// How many bytes between them are not kept.
    pub(crate) lost: u64,
}

#[derive(Default)]
struct Ear(Mutex<Kept>);

impl Sink for Ear {
    fn print(&self, _: Stream, bytes: &[u8]) {
        self.0.lock().unwrap().print(bytes);
    }

    fn lose(&self, bytes: u64) {
        self.0.lock().unwrap().lose(bytes);
    }
}

pub(crate) async fn hear(runtime: &dyn Runtime, spec: RunSpec, mut control: Control) -> Heard {
    let ear = Arc::new(Ear::default());
    control.output = control.output.and(ear.clone());
    let end = runtime.run(spec, control).await;
    let mut kept = ear.0.lock().unwrap();
    let mut text = String::from_utf8_lossy(kept.head()).into_owned();
    text.push_str(&String::from_utf8_lossy(kept.tail()));
    Heard { result: end.result, lines: text.lines().map(str::to_owned).collect(), lost: kept.lost() }
}
