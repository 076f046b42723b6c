//! Too little room: for memory, for a file, on a disk. What is written is there whole, or as it was.
//!
//! A limit of the size of files needs no rights, and refuses a write as a full disk does where its signal is ignored; where it is
//! not, it kills the run in the middle of the write. A full disk itself is a small one in a namespace of the run's own: where a
//! user may have none, that is said and left out.

use std::io::Write as _;
use std::process::{Command, Stdio};

use provision_tests::run::{Ran, binary, finished};
use provision_tests::stage::Stage;
use serde_json::Value;

use super::{ended_well, sample, try_each};
use crate::clouds::{AWS, AZURE, CloudFixture, GCP};

/// What is written in each run, and what was there before.
const COMMANDS: [&[&str]; 3] = [
    &["plan", "--out", "set.json", "--trace", "trace.jsonl"],
    &["apply", "--yes", "--trace", "trace.jsonl"],
    &["output", "--format", "json", "--reveal", "--out", "settings.json"],
];
const FORMER: &str = "{\"former\": true}";

/// Signals that end a run whose memory is over, or whose file is: SIGABRT, SIGSEGV, SIGXFSZ, SIGBUS.
const ENDED_BY: [i32; 4] = [6, 11, 25, 7];

/// The command in the words of a shell, which becomes its process.
fn under(stage: &Stage, shell: &str, arguments: &[&str]) -> Ran {
    let mut command = Command::new("sh");
    command.args(["-c", shell, "sh"]).arg(binary()).args(arguments.iter().map(|argument| stage.fill(argument)));
    command.current_dir(stage.path()).env_clear().env("PATH", std::env::var("PATH").unwrap_or_default());
    command.envs(stage.environment()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    finished(command.spawn().unwrap())
}

/// Run a command of a cloud where there is too little room; then look at its files, and do the same with enough.
fn cramped(shell: &str, cloud: &CloudFixture, arguments: &[&str]) -> Result<(), String> {
    let stage = cloud.planned();
    if arguments[0] == "output" {
        cloud.apply(&stage);
    }
    ["set.json", "settings.json"].iter().for_each(|name| stage.write(name, FORMER));
    let ran = under(&stage, shell, &[&[cloud.name], arguments].concat());
    let said = format!("{} {arguments:?} under {shell}", cloud.name);
    if ran.signal.is_none_or(|signal| !ENDED_BY.contains(&signal)) || ran.stderr.contains("panicked") {
        // Where there is no room for its libraries, the program is not begun.
        let codes = if shell.starts_with("ulimit -v") { &[0, 1, 4, 5, 127][..] } else { &[0, 1, 4, 5] };
        ended_well(&ran, codes, &said)?;
    }
    files_are_whole(&stage, &ran, arguments)
        .map_err(|what| format!("{said}: {what}\nexit {}\n{}", ran.code, ran.stderr))?;
    cloud.apply(&stage);
    cloud.is_in_sync(&stage);
    Ok(())
}

/// Each file is as before or a whole document, and a new one if the run that was to write it succeeded; a trace has whole lines but for its last, and
/// one that lacks some says so.
fn files_are_whole(stage: &Stage, ran: &Ran, arguments: &[&str]) -> Result<(), String> {
    for name in ["set.json", "settings.json"] {
        let text = stage.read(name);
        serde_json::from_str::<Value>(&text).map_err(|error| format!("{name} is damaged: {error}"))?;
        if ran.code == 0 && arguments.contains(&name) && text == FORMER {
            return Err(format!("{name} was not written"));
        }
    }
    let trace = stage.read_if_there("trace.jsonl");
    let cut = !trace.is_empty() && !trace.ends_with('\n');
    let whole = trace.lines().count() - usize::from(cut);
    if trace.lines().take(whole).any(|line| serde_json::from_str::<Value>(line).is_err()) {
        return Err("a line of the trace is damaged".to_owned());
    }
    let ended = ran.signal.is_none();
    if cut && ended && !ran.stderr.contains("the trace is not complete") {
        Err("the trace is cut off, and nobody says so".to_owned())
    } else {
        Ok(())
    }
}

/// A try of each shell, cloud and command.
type Try = (String, &'static CloudFixture, &'static [&'static str]);

fn tries(shells: &[String]) -> Vec<Try> {
    let of = |shell: &String| {
        [&AWS, &GCP, &AZURE]
            .into_iter()
            .flat_map(|cloud| COMMANDS.map(|command| (shell.clone(), cloud, command)))
            .collect::<Vec<_>>()
    };
    shells.iter().flat_map(of).collect()
}

#[test]
fn address_space() {
    let shells: Vec<_> = [40, 60, 70, 80, 90, 100, 110, 120, 130, 140, 160, 200, 300]
        .iter()
        .map(|mib| format!("ulimit -v {}; exec \"$@\"", mib * 1024))
        .collect();
    try_each("address space", &sample(&tries(&shells), 11), |(shell, cloud, command)| cramped(shell, cloud, command));
}

#[test]
fn size_of_files() {
    // In blocks of 512 bytes.
    let shells: Vec<_> = [0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89]
        .iter()
        .flat_map(|blocks| ["trap '' XFSZ; ", ""].map(|ignored| format!("{ignored}ulimit -f {blocks}; exec \"$@\"")))
        .collect();
    try_each("size of files", &sample(&tries(&shells), 19), |(shell, cloud, command)| cramped(shell, cloud, command));
}

/// The working folder is on a disk of so many KiB; what is left on it is taken out.
fn on_a_disk(kib: usize) -> String {
    format!(
        "mkdir -p disk && exec unshare --user --map-root-user --mount sh -c 'mount -t tmpfs -o size={kib}k none disk && \
         cp *.toml *.json disk && cd disk && {{ \"$@\"; code=$?; cd ..; cp disk/*.json . ; cp disk/trace.jsonl . 2>/dev/null; exit $code; }}' sh \"$@\""
    )
}

#[test]
fn full_disks() {
    let probe = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"])
        .output();
    if !probe.is_ok_and(|output| output.status.success()) {
        let _ =
            writeln!(std::io::stderr(), "skipped: full disks, no namespace with a disk of its own can be made here");
        return;
    }
    let shells: Vec<_> = [12, 16, 20, 24, 28, 32, 40, 48].map(on_a_disk).to_vec();
    try_each("full disks", &sample(&tries(&shells), 7), |(shell, cloud, command)| cramped(shell, cloud, command));
}

/// The folder of a sandbox: what could not be kept is not acknowledged, and the next run goes on from what was.
#[test]
fn folder_of_a_sandbox() {
    let clouds = [
        ("aws", include_str!("../../../plans/aws.toml")),
        ("gcp", include_str!("../../../plans/gcp.toml")),
        ("azure", include_str!("../../../plans/azure.toml")),
    ];
    let all: Vec<_> = [0, 1, 2, 4, 8, 16, 24, 32, 48, 64, 96]
        .iter()
        .flat_map(|blocks| clouds.map(|cloud| (*blocks, cloud)))
        .collect();
    try_each("folder of a sandbox", &sample(&all, 4), |(blocks, (cloud, text))| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("plan.toml"), text).unwrap();
        let run = |shell: &str, command: &str| {
            let mut process = Command::new("sh");
            process.args(["-c", shell, "sh"]).arg(binary()).args([
                cloud,
                command,
                "plan.toml",
                "--sandbox",
                "--timeout",
                "60",
            ]);
            process.args((command == "apply").then_some("--yes")).current_dir(folder.path());
            process.env_clear().env("PATH", std::env::var("PATH").unwrap_or_default());
            finished(process.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
        };
        let ran = run(&format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\""), "apply");
        ended_well(&ran, &[0, 1, 5], &format!("{cloud} apply with {blocks} blocks"))?;
        for command in ["apply", "drift"] {
            ended_well(&run("exec \"$@\"", command), &[0], &format!("{cloud} {command} after {blocks} blocks"))?;
        }
        Ok(())
    });
}
