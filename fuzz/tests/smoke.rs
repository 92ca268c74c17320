//! A moment of every target, and whether the fuzzer sees what it is there to see.

use std::path::Path;
use std::process::{Command, Output};

fn fuzz(arguments: &[&str]) -> Output {
    let findings = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_vultus-fuzz"));
    command.args(arguments).arg("--findings").arg(findings.path());
    command.output().unwrap()
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn every_target_takes_damaged_inputs() {
    let output = fuzz(&["all", "--seconds", "2", "--runs", "400", "--patience", "60"]);
    assert!(output.status.success(), "{}", words(&output));
    let list = words(&fuzz(&[]));
    assert!(list.lines().count() > 20, "{list}");
    for target in list.lines() {
        assert!(words(&output).contains(&format!("{target}: ")), "{target} was not fed: {}", words(&output));
    }
}

#[test]
fn inputs_that_once_broke_something_break_nothing() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions");
    for target in std::fs::read_dir(folder).unwrap() {
        let target = target.unwrap().path();
        let name = target.file_name().unwrap().to_str().unwrap();
        let output = fuzz(&[name, "--patience", "60", "--replay", target.to_str().unwrap()]);
        assert!(output.status.success(), "{}", words(&output));
    }
}

#[test]
fn panics_hangs_memory_and_the_end_of_the_stack_are_seen() {
    for (trap, sign) in [
        ("trap-panic", "panicked: "),
        ("trap-abort", "died ("),
        ("trap-hang", "hung: "),
        ("trap-memory", "died ("),
        ("trap-stack", "died ("),
    ] {
        let output = fuzz(&[trap, "--seconds", "30", "--patience", "1"]);
        assert!(!output.status.success(), "{trap} was not seen");
        let words = words(&output);
        assert!(words.contains(sign) && words.contains("the input: "), "{trap}: {words}");
    }
}
