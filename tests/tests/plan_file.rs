//! Mistakes in plan files.

use provision_sandbox::EmulatorKind;
use provision_tests::stage::Stage;
use serde_json::Value;

use crate::clouds::{AWS, AZURE, GCP};
use crate::messages::screen;

const MISTAKES: &str = r#"[deployment]
name = "Wandb"
host = "https://wandb.example.com/app"
[aws]
account = "1234"
[aws.bucket]
name = "Acme_WandB"
versionning = true
[aws.queue]
name = "acme-events.fifo"
receive_wait_s = "10"
"#;

#[test]
fn mistakes_are_reported_at_once_and_nothing_is_sent() {
    let stage = Stage::start(EmulatorKind::Aws);
    stage.write("provision.toml", MISTAKES);
    let ran = stage.run(&["aws", "apply", "--yes"]);
    assert_eq!(ran.code, 64);
    screen("plan_file_mistakes", &stage, &ran);
    stage.write("provision.toml", &MISTAKES.replace("versionning = true\n", "").replace("\"10\"", "10"));
    let ran = stage.run(&["validate"]);
    assert_eq!(ran.code, 64);
    screen("plan_file_mistakes_of_meaning", &stage, &ran);
    assert!(stage.faults().records().is_empty());
}

#[test]
fn usage_exits_with_64() {
    let stage = Stage::start(EmulatorKind::Aws);
    for arguments in [&["aws"][..], &["aws", "plann"], &["aws", "plan", "nope.toml"]] {
        assert_eq!(stage.run(arguments).code, 64, "{arguments:?}");
    }
    let missing = stage.run(&["gcp", "plan", "nope.toml"]).stderr;
    assert!(missing.contains("`provision init gcp` prints"), "{missing}");
    let typed = stage.run(&["\u{202e}\u{9b}2J"]).stderr;
    assert!(typed.contains("'\\u{202e}\\u{9b}2J'"), "{typed}");
    let version = stage.run(&["--version"]);
    assert_eq!((version.code, stage.run(&["version"]).stdout), (0, version.stdout));
    for (arguments, hint) in [
        (&["plan", "gcp"][..], "its name comes first: `provision gcp plan`"),
        (&["aws", "apply", "-auto-approve"], "`--yes` is the flag"),
    ] {
        let ran = stage.run(arguments);
        assert!(ran.code == 64 && ran.stderr.contains(hint), "{arguments:?}: {}", ran.stderr);
    }
    let schema = stage.run(&["schema"]).stdout;
    assert!(serde_json::from_str::<serde_json::Value>(&schema).unwrap()["properties"]["aws"].is_object());
    assert!(stage.run(&["completions", "bash"]).stdout.contains("provision"));
    let init = stage.run(&["init", "aws"]).stdout;
    stage.write("provision.toml", &init);
    assert_eq!(stage.run(&["validate"]).code, 0);
}

#[test]
fn absent_plan_file_and_absent_sections_name_where_and_what_was_looked_for() {
    let stage = Stage::start(EmulatorKind::Aws);
    let none = |arguments: &[&str], expected: &str| {
        let ran = stage.run(arguments);
        assert!(ran.code == 64 && ran.stderr.contains(expected), "{arguments:?}: {}", ran.stderr);
    };
    for command in ["plan", "apply", "drift", "destroy", "output"] {
        none(&["gcp", command], "no `provision.toml` or `plans/gcp.toml` in this folder");
    }
    none(&["gcp", "plan"], "`provision init gcp > provision.toml`");
    none(
        &["validate"],
        "`plans/aws.toml`, `plans/gcp.toml`, `plans/azure.toml`, `plans/auth0.toml` or `plans/slack.toml`",
    );
    stage.write("none.toml", "[deployment]\nname = \"wandb\"\nhost = \"https://wandb.example.com\"\n");
    none(&["validate", "none.toml"], "no [aws], [gcp], [azure], [auth0] or [slack] section");
    none(&["azure", "plan", "none.toml"], "copy its [azure] sections into this file");
    std::fs::write(stage.path().join("wide.toml"), b"[\0a\0w\0s\0]\0").unwrap();
    none(&["validate", "wide.toml"], "`iconv -f UTF-16LE -t UTF-8");
}

/// What `init` prints shows every setting, most of them commented out; the longest example has them all set.
#[test]
fn example_files_show_every_setting() {
    let stage = Stage::start(EmulatorKind::Aws);
    let schema: Value = serde_json::from_str(&stage.run(&["schema"]).stdout).unwrap();
    for cloud in [&AWS, &GCP, &AZURE] {
        let init = uncommented(&stage.run(&["init", cloud.name]).stdout);
        for text in [init.as_str(), cloud.plans.examples[2].0] {
            let shown: toml::Table = text.parse().unwrap();
            for section in ["deployment", cloud.name] {
                let missing = not_shown(&schema, &schema["properties"][section], &shown[section], section);
                assert_eq!(missing, [""; 0], "{}", cloud.name);
            }
        }
    }
}

/// The text with the settings and tables that are commented out.
fn uncommented(text: &str) -> String {
    let set = |line: &str| line.starts_with('[') || line.split(' ').nth(1) == Some("=");
    let shown = |line| str::strip_prefix(line, "# ").filter(|rest| set(rest)).unwrap_or(line);
    text.lines().flat_map(|line| [shown(line), "\n"]).collect()
}

/// The settings that a part of the schema has, and the value in a plan file has not.
fn not_shown(schema: &Value, part: &Value, value: &toml::Value, path: &str) -> Vec<String> {
    let part = part["$ref"].as_str().map_or(part, |name| schema.pointer(name.trim_start_matches('#')).unwrap());
    let settings = part["properties"].as_object().into_iter().flatten();
    // What can be absent or of two forms has the other forms here.
    let forms = ["allOf", "anyOf", "oneOf"].into_iter().filter_map(|key| part[key].as_array()).flatten();
    let Some(table) = value.as_table() else { return Vec::new() };
    let of_settings = settings.flat_map(|(key, part)| match (table.get(key), format!("{path}.{key}")) {
        (Some(value), path) => not_shown(schema, part, value, &path),
        (None, path) => vec![path],
    });
    of_settings.chain(forms.flat_map(|form| not_shown(schema, form, value, path))).collect()
}
