//! What is sent to be let in, and what a server could do with it: say it again in its errors, or send the client elsewhere.

use std::sync::atomic::{AtomicUsize, Ordering};

use provision_tests::run::finished;
use serde_json::json;

use super::server::{self, Answer, Place, Server};
use super::{ended_well, figures, try_each};
use crate::clouds::{AWS, AZURE, GCP};

/// How what is sent and nobody else may read begins: what the runs are given, and a token.
const SECRETS: [&str; 2] = ["hunter2", "eyJ"];
/// What they are given, and what makes libraries talk.
const GIVEN: [(&str, &str); 4] = [
    ("AWS_SECRET_ACCESS_KEY", "hunter2-key"),
    ("AWS_SESSION_TOKEN", "hunter2-session"),
    ("AZURE_CLIENT_SECRET", "hunter2-client"),
    ("RUST_LOG", "trace"),
];

const PLACES: [Place; 4] = [
    (&AWS, server::AWS_WHOLE),
    (&GCP, server::GOOGLE_WHOLE),
    (&AZURE, server::AZURE_WHOLE),
    (&AZURE, &["AZURE_RESOURCE_MANAGER_ENDPOINT"]),
];

const RUNS: [&[&str]; 5] = [
    &["plan", "-v", "--trace", "trace.jsonl", "--out", "set.json"],
    &["apply", "--yes", "--json", "--trace", "trace.jsonl"],
    &["drift", "--format", "junit", "--trace", "trace.jsonl"],
    &["destroy", "--yes", "--trace", "trace.jsonl"],
    &["output", "--reveal", "--trace", "trace.jsonl"],
];

/// An error that holds the request, as JSON or XML has it.
fn echo(asked: &[u8], xml: bool) -> Answer {
    let asked = String::from_utf8_lossy(asked).replace(['<', '&'], " ");
    let (kind, body) = if xml {
        let code = "<Code>SignatureDoesNotMatch</Code>";
        ("xml", format!("<Error>{code}<Message>{asked}</Message><CanonicalRequest>{asked}</CanonicalRequest></Error>"))
    } else {
        let error = json!({"code": 403, "message": asked, "status": asked});
        ("json", json!({"error": error, "error_description": asked}).to_string())
    };
    let head = format!("HTTP/1.1 403 Forbidden\r\ncontent-type: application/{kind}\r\nconnection: close");
    Answer::once(format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()))
}

#[test]
fn what_a_server_says_again_is_shown_nowhere() {
    let met = AtomicUsize::new(0);
    let forms = PLACES.iter().flat_map(|place| [false, true].map(|xml| (*place, xml)));
    let all: Vec<_> = forms.flat_map(|form| RUNS.map(|run| (form, run))).collect();
    try_each("echoes", &all, |((place, xml), run)| {
        let (cloud, stage, xml) = (place.0, place.0.planned(), *xml);
        let server = Server::start(cloud.name == "azure", move |asked| echo(asked, xml));
        let ran = finished(server::spawn(&stage, *place, &server, run, &GIVEN));
        let said = format!("{} {run:?}", cloud.name);
        // What is known from the plan file is told without asking anybody.
        ended_well(&ran, &[0, 1, 4], &said)?;
        let holds = |text: &str| SECRETS.iter().any(|secret| text.contains(secret));
        met.fetch_add(usize::from(holds(&server.heard())), Ordering::Relaxed);
        let files = ["trace.jsonl", "set.json"].map(|name| stage.read_if_there(name)).concat();
        let shown = [ran.stdout, ran.stderr, files].concat();
        if holds(&shown) { Err(format!("{said}: {shown}")) } else { Ok(()) }
    });
    let met = met.into_inner();
    figures("echoes that held a secret", met, met);
    assert!(met > 0);
}

/// Neither what lets in nor anything else follows a redirect.
#[test]
fn nobody_is_reached_by_a_redirect() {
    let statuses = [301, 302, 303, 307, 308];
    let all: Vec<_> = PLACES.iter().flat_map(|place| statuses.map(|status| (*place, status))).collect();
    try_each("redirects", &all, |(place, status)| {
        let (cloud, stage) = (place.0, place.0.planned());
        let elsewhere = Server::start(false, |_| Answer::once("HTTP/1.1 200 OK\r\n\r\n{}".to_owned()));
        let to = format!("location: http://{}/elsewhere\r\ncontent-length: 0", elsewhere.address);
        let redirect = format!("HTTP/1.1 {status} Moved\r\n{to}\r\nconnection: close\r\n\r\n");
        let server = Server::start(cloud.name == "azure", move |_| Answer::once(redirect.clone()));
        let ran = finished(server::spawn(&stage, *place, &server, &["plan"], &GIVEN));
        ended_well(&ran, &[1, 4], &format!("{} {status}", cloud.name))?;
        let (heard, asked) = (elsewhere.heard(), server.heard());
        let alone = heard.is_empty() && !asked.is_empty();
        if alone { Ok(()) } else { Err(format!("{} {status}: {heard}", cloud.name)) }
    });
}
