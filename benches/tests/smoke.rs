//! Every measurement still works, in a tiny size. No figure is judged here.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::process::Command;

#[test]
fn every_measurement_runs_and_gives_a_row_with_values() {
    let output = Command::new(env!("CARGO_BIN_EXE_clockwright-benches"))
        .args(["--smoke", "--output", "json"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = report["rows"].as_array().unwrap();
    for name in ["lateness", "throughput", "takeover", "memory", "start", "events"] {
        assert!(rows.iter().any(|row| row["measurement"] == name), "no row of {name}");
    }
    for row in rows {
        assert!(!row["product"].as_array().unwrap().is_empty(), "no value in {row}");
    }
}

#[test]
fn an_unknown_name_is_a_usage_error() {
    let output = Command::new(env!("CARGO_BIN_EXE_clockwright-benches")).arg("latenes").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("latenes"));
}
