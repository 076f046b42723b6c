//! Command lines and change sets of any kind.

use provision_sandbox::fault::Nth;
use serde_json::Value;

use super::{Random, ended_well, rounds, try_each};
use crate::clouds::{AWS, AZURE, GCP};

/// Words of the command line, and some that are none.
const WORDS: [&str; 44] = [
    "aws",
    "gcp",
    "azure",
    "plan",
    "apply",
    "drift",
    "destroy",
    "output",
    "init",
    "validate",
    "schema",
    "show",
    "sandbox",
    "reset",
    "completions",
    "bash",
    "provision.toml",
    "none.toml",
    ".",
    "/dev/null",
    "/dev/zero",
    "--json",
    "--yes",
    "--out",
    "--format",
    "junit",
    "json",
    "--orphans",
    "--delete-data",
    "--timeout",
    "1",
    "-1",
    "99999999999999999999",
    "--trace",
    "--color",
    "never",
    "-q",
    "-v",
    "--reveal",
    "BUCKET",
    "--help",
    "\u{202e}",
    "",
    "--no-such-flag",
];

/// Nothing panics or hangs, and every code is a documented one. There are no credentials.
#[test]
fn command_lines() {
    let lines: Vec<u64> = (0..rounds(30, 400) as u64).collect();
    try_each("command lines", &lines, |seed| {
        let (stage, mut random) = (AWS.planned(), Random(*seed));
        let words: Vec<&str> = (0..1 + random.below(6)).map(|_| *random.pick(&WORDS)).collect();
        let ran = stage.run_with(&words, |command| {
            command.env_remove("AWS_ACCESS_KEY_ID").args(["--timeout", "5"]);
        });
        ended_well(&ran, &[0, 1, 2, 3, 4, 6, 64], &format!("{words:?}"))
    });
}

/// A plan file with some bytes or lines taken out, doubled or replaced is planned or refused.
#[test]
fn plan_files() {
    for cloud in [&AWS, &GCP, &AZURE] {
        let seeds: Vec<u64> = (0..rounds(6, 170) as u64).collect();
        let text = cloud.planned().read("provision.toml");
        try_each(&format!("{}: changed plan files", cloud.name), &seeds, |seed| {
            let stage = cloud.planned();
            stage.write("provision.toml", &disordered(&text, &mut Random(*seed)));
            let ran = cloud.run(&stage, &["plan"]);
            ended_well(&ran, &[0, 1, 4, 6, 64], &format!("{} seed {seed}", cloud.name))?;
            let silent = stage.writes().is_empty() && (ran.code == 0 || !ran.stderr.is_empty());
            if silent { Ok(()) } else { Err(format!("{} seed {seed}: {}", cloud.name, ran.stderr)) }
        });
    }
}

/// Some edits of a text.
fn disordered(text: &str, random: &mut Random) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for _ in 0..1 + random.below(3) {
        let at = random.below(lines.len());
        match random.below(4) {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, lines[random.below(lines.len())].clone()),
            2 => lines[at] = lines[at].chars().filter(|_| random.below(6) > 0).collect(),
            _ => {
                let odd = ["\u{0}", "\u{202e}", "\"", "[", "=", "${env:HOME}", "é", "-1", "{{", "\"\"\""];
                let (place, odd) = (random.below(lines[at].chars().count() + 1), *random.pick(&odd));
                lines[at] = lines[at].chars().take(place).collect::<String>() + odd;
            }
        }
    }
    lines.join("\n")
}

/// What a shell reads of the settings is what they are, and what it would run is refused as a host.
#[test]
fn settings_for_a_shell() {
    let clouds = [&AWS, &GCP, &AZURE];
    let odd = ["$(id)", "`id`", "'", "\\\"", ";id", "&", "(", "#", "|", "\\n", "$HOME", "*", "~"];
    let hosts: Vec<_> = clouds.into_iter().flat_map(|cloud| odd.map(|odd| (cloud, odd))).collect();
    try_each("hosts that a shell would run", &hosts, |(cloud, odd)| {
        let stage = cloud.planned();
        cloud.change(&stage, &[("wandb.example.com", &format!("wandb{odd}.example.com"))]);
        ended_well(&cloud.run(&stage, &["output", "--no-secrets"]), &[64], &format!("{} {odd}", cloud.name))
    });
    let forms: Vec<_> = clouds.into_iter().flat_map(|cloud| ["env", "dotenv"].map(|form| (cloud, form))).collect();
    try_each("settings in a shell", &forms, |(cloud, form)| {
        let stage = cloud.planned();
        let json = cloud.succeed(&stage, &["output", "--no-secrets", "--format", "json"]);
        let settings: Value = serde_json::from_str(&stage.fill(&json)).unwrap();
        cloud.succeed(&stage, &["output", "--no-secrets", "--format", form, "--out", "settings"]);
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", "set -a; . ./settings; exec env"]).current_dir(stage.path());
        let read = String::from_utf8(shell.env_clear().env("PATH", "/usr/bin:/bin").output().unwrap().stdout).unwrap();
        let is_read = |(name, value): (&String, &Value)| {
            read.lines().any(|line| value.as_str().is_some_and(|value| line == format!("{name}={value}")))
        };
        let all = settings.as_object().unwrap().iter().all(is_read);
        if all { Ok(()) } else { Err(format!("{settings} is read as {read}")) }
    });
}

/// A set that was changed is executed as it was planned, or not at all.
#[test]
fn change_sets() {
    for cloud in [&AWS, &GCP, &AZURE] {
        let original = cloud.planned();
        cloud.succeed(&original, &["plan", "--out", "set.json"]);
        let set = original.read("set.json");
        let seeds: Vec<u64> = (0..rounds(6, 170) as u64).collect();
        try_each(&format!("{}: changed change sets", cloud.name), &seeds, |seed| {
            let stage = cloud.planned();
            stage.write("set.json", &changed(&set, &mut Random(*seed)));
            let ran = cloud.run(&stage, &["apply", "set.json"]);
            // Without its first letter it is no change set, and no plan file either.
            ended_well(&ran, &[0, 1, 3, 5, 64], &format!("seed {seed}"))?;
            if ran.code == 0 {
                cloud.is_in_sync(&stage);
            }
            Ok(())
        });
    }
}

/// A value replaced, or some bytes.
fn changed(set: &str, random: &mut Random) -> String {
    if random.below(3) == 0 {
        let (at, length) = (random.below(set.len()), random.below(20));
        let letters = set.char_indices().filter(|(place, _)| !(at..at + length).contains(place));
        return letters.map(|(_, letter)| letter).collect();
    }
    let mut value: Value = serde_json::from_str(set).unwrap();
    let places = leaves(&value, "");
    let other = random.pick(&[Value::Null, Value::from("other"), Value::from(7), Value::from(true)]).clone();
    *value.pointer_mut(random.pick(&places).as_str()).unwrap() = other;
    value.to_string()
}

/// The places of the values that hold no others.
fn leaves(value: &Value, place: &str) -> Vec<String> {
    let below = |(name, value): (String, &Value)| leaves(value, &format!("{place}/{name}"));
    match value {
        Value::Object(members) => {
            let escaped = |name: &String| name.replace('~', "~0").replace('/', "~1");
            members.iter().map(|(name, value)| (escaped(name), value)).flat_map(below).collect()
        }
        Value::Array(items) => {
            items.iter().enumerate().map(|(at, item)| (at.to_string(), item)).flat_map(below).collect()
        }
        _ => vec![place.to_owned()],
    }
}

/// What is no plan file, no change set and no place to write to is refused before anything is sent.
#[test]
fn files() {
    let attempts: [&[&str]; 11] = [
        &["plan", "/dev/zero"],
        &["plan", "pipe"],
        &["plan", "."],
        &["plan", "large.toml"],
        &["plan", "many.toml"],
        &["plan", "binary.toml"],
        &["apply", "zero.json"],
        &["plan", "--out", "/dev/null"],
        &["plan", "--out", "link"],
        &["plan", "--out", "pipe"],
        &["output", "--out", "link"],
    ];
    try_each("files", &attempts, |arguments| {
        let stage = AWS.planned();
        crate::clouds::fault(&stage, "*", Nth::Every, provision_sandbox::fault::What::Drop);
        let place = stage.path();
        assert!(std::process::Command::new("mkfifo").arg(place.join("pipe")).status().unwrap().success());
        stage.write("theirs", "theirs");
        std::os::unix::fs::symlink(place.join("theirs"), place.join("link")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", place.join("zero.json")).unwrap();
        stage.write("large.toml", &"# a comment\n".repeat(100_000));
        let keys: String = (0..40_000).map(|key| format!("unknown_{key} = 1\n")).collect();
        stage.write("many.toml", &format!("[aws]\n{keys}"));
        std::fs::write(place.join("binary.toml"), [0xff, 0xfe, 0]).unwrap();
        let ran = AWS.run(&stage, arguments);
        ended_well(&ran, &[1, 64], &format!("{arguments:?}"))?;
        let kept = stage.read("theirs") == "theirs" && stage.faults().records().is_empty();
        if kept && ran.stderr.len() < 20_000 { Ok(()) } else { Err(format!("{arguments:?}: {}", ran.stderr)) }
    });
}
