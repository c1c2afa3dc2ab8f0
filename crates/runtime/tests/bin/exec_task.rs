//! Stands for the product's binary in the tests: a supervisor (`exec-task`), or an instance that holds one run (`hold`).

use clockwright_model::{JobName, RunId, ShardContext};
use clockwright_runtime::{
    Control, LineSink, ProcessRuntime, ProcessSettings, RunResult, RunSpec, Runtime, Shown, Supervisor,
    boottime, guard,
};
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::sync::watch;

fn main() -> ExitCode {
    if std::env::var_os("FORGETFUL").is_none()
        && let Some(code) = guard::if_asked()
    {
        return code;
    }
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[1..] {
        ["hold", run_id, lease, command] => hold(run_id, lease, command),
        ["crowd", number, command] => crowd(number, command),
        ["exec-task", ..] => forgetful(),
        _ => ExitCode::from(2),
    }
}

/// A program that was started as a supervisor and goes on to run jobs, since its `main` does not ask.
fn forgetful() -> ExitCode {
    guard::end_if_supervisor();
    let _ = writeln!(std::io::stdout(), "jobs would run here");
    ExitCode::SUCCESS
}

/// Runs one command under a lease of so many milliseconds that nobody renews, and passes on what it prints.
fn hold(run_id: &str, lease: &str, command: &str) -> ExitCode {
    let settings = ProcessSettings::new(command).expect("the test gives a good command line");
    let sink: LineSink = Arc::new(|_, _, line| {
        let _ = writeln!(std::io::stdout(), "{line}");
    });
    let lease = boottime() + lease.parse::<i64>().expect("the test gives a number");
    let context = context(RunId::parse(run_id).expect("the test gives an id"));
    let control = Control { lease: Some(watch::channel(lease).1), ..Control::unattended() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let spec = RunSpec { context, timeout: None, grace: 1_000 };
    let program = ProcessRuntime::new(Supervisor::this_program(), settings);
    let end = runtime.block_on(Shown::new(Arc::new(program), sink).run(spec, control));
    let _ = writeln!(std::io::stdout(), "{:?}", end.result);
    ExitCode::SUCCESS
}

/// Runs a command so many times at once, and tells how the runs ended that did not succeed.
fn crowd(number: &str, command: &str) -> ExitCode {
    let number = number.parse::<u64>().expect("the test gives a number");
    let settings = ProcessSettings::new(command).expect("the test gives a good command line");
    let program = ProcessRuntime::new(Supervisor::this_program(), settings);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let runs = (0..number).map(|n| {
        let spec = RunSpec { context: context(RunId::new(0, n.into())), timeout: None, grace: 1_000 };
        program.run(spec, Control::unattended())
    });
    for end in runtime.block_on(futures::future::join_all(runs)) {
        if end.result != RunResult::Succeeded {
            let _ = writeln!(std::io::stdout(), "{:?}", end.result);
        }
    }
    ExitCode::SUCCESS
}

fn context(run_id: RunId) -> ShardContext {
    ShardContext { run_id, ..ShardContext::example(JobName::new("held").expect("valid")) }
}
