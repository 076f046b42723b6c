//! Through the proxy that the environment names, and past it where the environment says so: every service alike.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use provision_tests::run::finished;
use provision_tests::stage::Stage;
use serde_json::json;

use crate::clouds::GCP;

/// Where nobody listens.
const NOBODY: &str = "http://127.0.0.1:9";

/// Names that only a proxy can find, for each endpoint.
const ELSEWHERE: [(&str, &str); 3] = [
    ("STORAGE_EMULATOR_HOST", "http://storage.googleapis.com"),
    ("PUBSUB_EMULATOR_HOST", "http://pubsub.googleapis.com"),
    ("PROVISION_GCP_API_ENDPOINT", "http://iam.googleapis.com"),
];

fn sandbox_of(stage: &Stage) -> String {
    let (_, url) = stage.environment().into_iter().find(|(name, _)| name == "STORAGE_EMULATOR_HOST").unwrap();
    url
}

/// The sandbox is the proxy: what is asked for by a whole URL it answers as what it is.
#[test]
fn every_request_goes_through_the_proxy() {
    let stage = GCP.planned();
    let proxy = sandbox_of(&stage);
    let through = |arguments: &[&str], through: &str| {
        stage.run_with(&[&["gcp"], arguments].concat(), |command| {
            command.envs(ELSEWHERE).env("HTTP_PROXY", through);
        })
    };
    for command in [&["apply", "--yes"][..], &["drift"], &["destroy", "--yes"]] {
        let ran = through(command, &proxy);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    }
    assert!(stage.faults().count("storage.json:buckets.insert") == 1 && stage.faults().count("iam:SetIamPolicy") > 0);
    stage.faults().clear();
    let ran = stage.run_with(&["gcp", "plan"], |command| {
        command.env("HTTP_PROXY", NOBODY).env("NO_PROXY", "127.0.0.1");
    });
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
}

/// A sandbox is on this machine, whatever the environment says.
#[test]
fn sandbox_is_asked_past_the_proxy() {
    let stage = GCP.planned();
    let ran = stage.run_with(&["gcp", "plan", "--sandbox"], |command| {
        command.env("HTTP_PROXY", NOBODY).env("HTTPS_PROXY", NOBODY);
    });
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
}

/// Google's own addresses, which nobody is asked for but by way of the proxy.
#[test]
fn every_service_of_googles_own_is_behind_the_proxy() {
    let stage = GCP.planned();
    let asked = Arc::new(Mutex::new(BTreeSet::new()));
    let proxy = listening({
        let asked = Arc::clone(&asked);
        move |line, mut connection| {
            asked.lock().unwrap().insert(line.to_owned());
            let _ = connection.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
        }
    });
    let tokens = listening(|_, mut connection| {
        let token = json!({"access_token": "x", "token_type": "Bearer", "expires_in": 3599}).to_string();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length";
        let _ = write!(connection, "{head}: {}\r\n\r\n{token}", token.len());
    });
    let user = json!({"type": "authorized_user", "client_id": "x", "client_secret": "y", "refresh_token": "z",
        "token_uri": format!("http://{tokens}/token")});
    stage.write("credentials.json", &user.to_string());
    let ran = finished(stage.spawn(&["gcp", "plan"], |command| {
        for name in GCP.credentials.0 {
            command.env_remove(name);
        }
        command.env("GOOGLE_APPLICATION_CREDENTIALS", "credentials.json").env("PROVISION_TEST_LIMITS", "10");
        command.env("HTTPS_PROXY", format!("http://{proxy}")).env("NO_PROXY", "127.0.0.1");
    }));
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    let hosts = ["cloudresourcemanager", "iam", "pubsub", "storage"];
    let expected = hosts.map(|host| format!("CONNECT {host}.googleapis.com:443 HTTP/1.1"));
    assert_eq!(*asked.lock().unwrap(), BTreeSet::from(expected));
}

/// A server that gives the first line of each request to its answer.
fn listening(answer: impl Fn(&str, TcpStream) + Send + Sync + 'static) -> std::net::SocketAddr {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for connection in server.incoming().flatten() {
            let answer = Arc::clone(&answer);
            std::thread::spawn(move || {
                let mut lines = BufReader::new(connection.try_clone().unwrap()).lines().map_while(Result::ok);
                let Some(first) = lines.next() else { return };
                // To the end of the head; a body as short as a token's request comes with it.
                let _ = lines.find(String::is_empty);
                answer(&first, connection);
            });
        }
    });
    address
}
