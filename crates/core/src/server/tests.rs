//! What `[server]` takes, and what it never tells.

use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::output::Secret;
use crate::plan_file::PlanFileError;

/// Expires at 2,000,000,000.
const LICENSE: &str = "eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjIwMDAwMDAwMDB9.c2lnbmF0dXJl";
const PASSWORD: &str = "hunter2-hunter2";

fn env(name: &str) -> Option<String> {
    let value = match name {
        "LICENSE" => LICENSE,
        "PASSWORD" => PASSWORD,
        "MYSQL" => "MYSQL://wandb:hunter2-hunter2!@DB/wandb",
        "RAW" => "mysql://wandb:hunter2@hunter2@db/wandb",
        "BAD" => "hunter2-hunter2",
        "HOST" => "db",
        _ => return None,
    };
    Some(value.to_owned())
}

fn read_at(seconds: u64, section: &str) -> Result<Server, String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("license.txt"), format!("{LICENSE}\r\n")).unwrap();
    std::fs::write(folder.path().join("empty.txt"), "").unwrap();
    let name = folder.path().join("x.toml").display().to_string();
    let render = |error: PlanFileError| {
        let problems: Vec<_> = error.problems().iter().map(|problem| format!("{problem:?}")).collect();
        (error.render(false) + &problems.join("\n")).replace(&name, "x.toml")
    };
    let file = PlanFile::parse(&name, format!("[server]\n{section}\n"), &env).map_err(render)?;
    let mut problems = file.problems();
    let server = Server::read(&file, UNIX_EPOCH + Duration::from_secs(seconds), &mut problems);
    problems.finish().map_err(render)?;
    Ok(server.unwrap())
}

fn read(section: &str) -> Result<Server, String> {
    read_at(0, section)
}

fn value(server: &Server, name: &str) -> Setting {
    server.outputs(true).into_iter().find(|output| output.name == name).unwrap().value
}

#[test]
fn settings_come_from_variables_files_and_kubernetes() {
    let server = read(
        "license = { file = 'license.txt' }\nmysql = 'mysql://wandb:${env:PASSWORD}@db/wandb'\n\
         notifications_queue = 'sqs://runs'\nenv = { A = 'plain', B = '${env:PASSWORD}', C = { secret = 's', key = 'k' } }",
    );
    let server = server.unwrap();
    assert_eq!(value(&server, "LICENSE"), Setting::Revealed(Secret::new(LICENSE)));
    assert_eq!(value(&server, "MYSQL"), Setting::Revealed(Secret::new("mysql://wandb:hunter2-hunter2@db/wandb")));
    assert_eq!(value(&server, "NOTIFICATIONS_QUEUE"), Setting::Plain("sqs://runs".to_owned()));
    assert_eq!(value(&server, "A"), Setting::Plain("plain".to_owned()));
    assert!(matches!(value(&server, "C"), Setting::InKubernetes(_)));
    let sealed = server.outputs(false);
    assert_eq!(sealed.iter().filter(|output| output.value == Setting::Sealed).count(), 3);
    assert!(!format!("{server:?}").contains("hunter2"));
    let again = read("mysql = '${env:MYSQL}'").unwrap();
    assert_eq!(value(&again, "MYSQL"), Setting::Revealed(Secret::new("mysql://wandb:hunter2-hunter2%21@db/wandb")));
    assert_eq!(
        value(&read("mysql = 'mysql://wandb@db/x'").unwrap(), "MYSQL"),
        Setting::Plain("mysql://wandb@db/x".into())
    );
}

#[test]
fn a_license_that_expired_is_warned_about_and_nothing_else_is_judged() {
    let license = "license = '${env:LICENSE}'";
    assert!(read_at(2_000_000_000 - 1, license).unwrap().warnings.is_empty());
    let warned = |seconds| read_at(seconds, license).unwrap().warnings;
    assert_eq!(warned(2_000_000_001), ["the license expired less than a day ago"]);
    assert_eq!(warned(2_000_000_000 + 3 * 86_400), ["the license expired 3 days ago"]);
}

#[test]
fn secrets_in_the_plan_file_are_refused_and_shown_nowhere() {
    for section in [
        "license = 'hunter2.hunter2.hunter2'",
        "license = '${env:NOT_SET:-hunter2.hunter2}'",
        "mysql = 'mysql://wandb:hunter2@db/x'",
        "mysql = 'mysql://wandb:hunter2@${env:HOST}/x'",
        "env = { MY_PASSWORD = 'hunter2' }",
        "env = { REDIS = 'redis://:hunter2@redis' }",
        // A problem beside it shows the lines around.
        "license = 'hunter2.hunter2.hunter2'\nvershun = '1'",
    ] {
        let refused = read(section).unwrap_err();
        assert!(refused.contains("a secret in the plan file"), "{section}: {refused}");
        assert!(!refused.contains("hunter2"), "{refused}");
    }
}

#[test]
fn secrets_in_the_plan_file_are_shown_without_their_length() {
    let refused = |section: &str, secret: &str| read(&section.replace("SECRET", secret)).unwrap_err();
    for section in ["license = 'SECRET'\nvershun = '1'", "license = \"\"\"SECRET\"\"\"\nvershun = '1'"] {
        let (short, long) = (refused(section, "hunt.er.2"), refused(section, "hunter2.hunter2.hunter2"));
        assert!(short == long && short.contains("********") && !short.contains("*********"), "{short}\n{long}");
    }
    // What stands behind one is pointed at in its place.
    let refused = refused("env = { MY_PASSWORD = 'SECRET', LICENSE = 'a' }", "hunter2-hunter2");
    let lines: Vec<_> = refused.lines().collect();
    let pointed = lines.windows(2).any(|pair| {
        let place = |line: &str, part: &str| line.find(part).map(|at| line[..at].chars().count());
        place(pair[0], "'a'").is_some_and(|at| place(pair[1], "\u{2500}\u{252c}\u{2500}") == Some(at))
    });
    assert!(pointed && refused.contains("`license under [server]` says it"), "{refused}");
}

#[test]
fn what_is_wrong_is_told_without_the_value() {
    for (section, told) in [
        ("license = '${env:BAD}'", "three parts"),
        ("license = { file = 'empty.txt' }", "three parts"),
        ("license = { file = 'none.txt' }", "this file cannot be read"),
        ("license = { secret = 'Upper', key = 'k' }", "invalid name in Kubernetes"),
        ("license = { fil = 'a' }", "fil"),
        ("mysql = '${env:RAW}'", "the password has a raw `@`"),
        ("mysql = '${env:BAD}'", "write `mysql://"),
        ("env = { LICENSE = 'a' }", "`license under [server]` says it"),
        ("env = { 1A = 'a' }", "invalid variable"),
        ("env = { A = \"a\\u0000\" }", "no variable can hold a zero"),
        ("notifications_queue = 'runs'", "a queue is written as a URL"),
    ] {
        let refused = read(section).unwrap_err();
        assert!(refused.contains(told) && !refused.contains("hunter2"), "{section}: {refused}");
    }
}

#[test]
fn commands_that_use_no_secret_need_none() {
    let file = PlanFile::parse("x", "[server]\nlicense = '${env:NOT_SET}'".to_owned(), &env).unwrap();
    let mut problems = file.problems_outside(SECTION);
    Server::check(&file, &mut problems);
    problems.finish().unwrap();
    let mut problems = file.problems();
    Server::read(&file, UNIX_EPOCH, &mut problems);
    assert!(problems.finish().unwrap_err().render(false).contains("variable `NOT_SET` is not set"));
}

#[test]
fn two_values_of_one_setting_are_told() {
    let list = |value: &str| vec![Output::new("HOST", value)];
    assert_eq!(merged([list("a"), list("a")]).unwrap().len(), 1);
    assert_eq!(merged([list("a"), list("b")]), Err("HOST".to_owned()));
}
