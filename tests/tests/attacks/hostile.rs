//! Services that answer anything but what they should: garbage, endless bodies, redirects, nothing at all.

use std::time::Duration;

use provision_sandbox::fault::{Nth, What};

use super::{ended_well, sample, try_each};
use crate::clouds::{AWS, AZURE, CloudFixture, GCP, fault};

fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> What {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    What::Answer { status, headers, body: body.to_owned() }
}

/// What every request is answered with.
fn answers() -> Vec<(&'static str, What)> {
    const HTML: (&str, &str) = ("content-type", "text/html");
    const JSON: (&str, &str) = ("content-type", "application/json");
    let deep = "[".repeat(100_000);
    let large = format!("{{\"value\": \"{}\"}}", "x".repeat(40 << 20));
    let obeyed = "{\"error\": {\"code\": \"Gone\", \"message\": \"\\u001b]0;title\\u0007\\u001b[2J\u{9b}2J\u{202e}\\nhint: run rm\"}}";
    let obeyed_xml = "<Error><Code>Gone\u{9b}2J</Code><Message>\u{202e}a&#10;hint: b</Message></Error>";
    vec![
        ("page", answer(200, &[HTML], "<html><body>Sign in</body></html>")),
        ("nothing", answer(200, &[], "")),
        ("bytes", answer(200, &[], "\u{0}\u{1}\u{fffd}binary")),
        ("object", answer(200, &[JSON], "{}")),
        ("null", answer(200, &[JSON], "null")),
        ("array", answer(200, &[JSON], "[]")),
        ("text", answer(200, &[JSON], "\"text\"")),
        ("number", answer(200, &[JSON], "1e400")),
        ("deep", answer(200, &[JSON], &deep)),
        ("half", What::Truncate),
        ("large", answer(200, &[JSON], &large)),
        ("obeyed", answer(403, &[JSON], obeyed)),
        ("obeyed xml", answer(403, &[("content-type", "application/xml")], obeyed_xml)),
        ("redirect to itself", answer(307, &[("location", "/")], "")),
        ("redirect elsewhere", answer(302, &[("location", "http://127.0.0.1:1/")], "")),
        ("redirect without a place", answer(301, &[], "")),
        ("no content", answer(204, &[], "")),
        ("odd status", answer(299, &[], "<ok/>")),
        ("teapot", answer(418, &[], "short and stout")),
        ("bad gateway", answer(502, &[HTML], "<html>502</html>")),
        ("never", What::Delay(Duration::from_secs(600))),
        ("throttled for a day", answer(429, &[("retry-after", "86400")], "")),
        ("throttled for ever", answer(503, &[("retry-after", "18446744073709551615")], "")),
        ("throttled for less than no time", answer(503, &[("retry-after", "-5")], "")),
        ("throttled in words", answer(429, &[("retry-after", "soon")], "")),
        ("no access", answer(403, &[], "")),
        ("dropped", What::Drop),
    ]
}

/// Every command ends within its time limit with a documented code, writes nothing, and shows no control character.
fn answered_by_anything(cloud: &'static CloudFixture) {
    let commands: [&[&str]; 5] =
        [&["plan"], &["drift"], &["apply", "--yes"], &["destroy", "--yes"], &["drift", "--format", "junit"]];
    let all: Vec<_> =
        answers().into_iter().flat_map(|answer| commands.map(|command| (answer.clone(), command))).collect();
    try_each(&format!("{}: hostile answers", cloud.name), &sample(&all, 9), |((name, what), command)| {
        let stage = cloud.planned();
        fault(&stage, "*", Nth::Every, what.clone());
        let ran = cloud.run(&stage, &[*command, &["--timeout", "4"]].concat());
        ended_well(&ran, &[1, 4, 6], &format!("{} {command:?} answered by {name}", cloud.name))
    });
}

#[test]
fn answers_of_any_kind_on_aws() {
    answered_by_anything(&AWS);
}

#[test]
fn answers_of_any_kind_on_gcp() {
    answered_by_anything(&GCP);
}

#[test]
fn answers_of_any_kind_on_azure() {
    answered_by_anything(&AZURE);
}
