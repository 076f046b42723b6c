//! `doctor` on environments that are as they should be, and on broken ones: it names the cause each time, and writes nothing.

use provision_sandbox::EmulatorKind;
use provision_sandbox::fault::{Nth, What};
use provision_tests::proxy_server::ForwardProxy;
use provision_tests::roots;
use provision_tests::stage::Stage;
use serde_json::{Value, json};

use crate::clouds::{AWS, AZURE, CloudFixture, GCP, fault, wrote_nothing};
use crate::contract::preflight::{attach, document, without};
use crate::{auth0, slack};

/// What is set, and unset where there is no value.
type Environment<'a> = &'a [(&'a str, Option<&'a str>)];

/// Run it; gives the exit code and the document.
fn examined(provider: &str, stage: &Stage, environment: Environment<'_>) -> (i32, Value) {
    let ran = stage.run_with(&["doctor", provider, "--json"], |command| {
        for (name, value) in environment {
            match value {
                Some(value) => command.env(name, stage.fill(value)),
                None => command.env_remove(name),
            };
        }
    });
    assert!(!ran.stdout.contains("hunter2") && !ran.stderr.contains("hunter2"), "{}{}", ran.stdout, ran.stderr);
    wrote_nothing(stage);
    (ran.code, serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}{}", ran.stdout, ran.stderr)))
}

fn failed(document: &Value) -> Vec<(String, String)> {
    let checks = document["checks"].as_array().unwrap().iter();
    let failed = checks.filter(|check| check["status"] == "failed");
    failed.map(|check| (check["name"].as_str().unwrap().to_owned(), check.to_string())).collect()
}

/// The first check that fails is that one, and says so.
fn names(provider: &str, stage: &Stage, environment: Environment<'_>, expected: (i32, &str, &str)) {
    let (code, name, says) = expected;
    let (ended, document) = examined(provider, stage, environment);
    let failed = failed(&document);
    let is_named = failed.first().is_some_and(|(first, text)| first == name && text.contains(says));
    assert!(is_named && ended == code && document["healthy"] == false, "{expected:?}: exit {ended}, {document:#}");
}

fn is_healthy(provider: &str, stage: &Stage) {
    let (code, document) = examined(provider, stage, &[]);
    assert!(code == 0 && failed(&document).is_empty() && document["healthy"] == true, "exit {code}: {document:#}");
    let names: Vec<_> =
        document["checks"].as_array().unwrap().iter().map(|check| check["name"].as_str().unwrap()).collect();
    for name in ["version", "plan file", "proxy", "clock", "credentials", "identity", "resources", "rights"] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
}

mod healthy_environment_is_told_as_such {
    use super::*;

    #[test]
    fn aws() {
        is_healthy("aws", &AWS.planned());
    }

    #[test]
    fn gcp() {
        is_healthy("gcp", &GCP.planned());
    }

    #[test]
    fn azure() {
        is_healthy("azure", &AZURE.planned());
    }

    #[test]
    fn auth0() {
        let stage = super::auth0::stage();
        stage.write("provision.toml", super::auth0::PLAN_FILE);
        is_healthy("auth0", &stage);
    }

    #[test]
    fn slack() {
        let stage = Stage::start(EmulatorKind::Slack);
        stage.write("provision.toml", super::slack::PLAN);
        is_healthy("slack", &stage);
    }
}

#[test]
fn screen_says_what_was_looked_at_and_what_to_do() {
    let stage = AWS.planned();
    let ran = stage.run_with(&["doctor", "aws"], |command| {
        command.env("HTTP_PROXY", "http://ann:hunter2@127.0.0.1:9").env("NO_PROXY", "example.com");
    });
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"127\.0\.0\.1:\d{4,5}", "127.0.0.1:PORT");
    settings.add_filter(r"on \w+ \w+\n", "on SYSTEM\n");
    settings.bind(|| insta::assert_snapshot!("doctor_behind_a_dead_proxy", stage.transcript(&ran)));
}

/// What the plan file says.
#[test]
fn plan_file_that_cannot_be_used_is_the_cause() {
    let stage = AWS.planned();
    stage.write("provision.toml", "[deployment]\nname = \"A\"\n");
    names("aws", &stage, &[], (64, "plan file", "provision.toml:"));
    names("gcp", &stage, &[], (64, "plan file", "provision.toml:"));
    std::fs::remove_file(stage.path().join("provision.toml")).unwrap();
    names("aws", &stage, &[], (64, "plan file", "begin with `provision init aws"));
}

#[test]
fn credentials_that_are_missing_expired_or_wrong_are_the_cause() {
    for (provider, stage, without, says) in [
        ("aws", AWS.planned(), &["AWS_ACCESS_KEY_ID"][..], "AWS_PROFILE"),
        ("azure", AZURE.planned(), &["AZURE_CLIENT_SECRET"], "az login"),
    ] {
        let unset: Vec<_> = without.iter().map(|name| (*name, None)).chain([("PATH", Some("/nonexistent"))]).collect();
        names(provider, &stage, &unset, (4, "credentials", says));
    }
    let stage = AWS.planned();
    names(
        "aws",
        &stage,
        &[("AWS_SECRET_ACCESS_KEY", Some("hunter2"))],
        (4, "identity", "does not match the signature"),
    );
    names(
        "aws",
        &stage,
        &[("AWS_SECRET_ACCESS_KEY", Some("hunter2"))],
        (4, "identity", "correct or renew the variables AWS_ACCESS_KEY_ID"),
    );
    let expired =
        What::Error { status: 403, code: "ExpiredToken".to_owned(), message: "The token has expired".to_owned() };
    fault(&stage, "sts:GetCallerIdentity", Nth::Every, expired);
    names("aws", &stage, &[], (4, "identity", "expired"));
    let stage = AZURE.planned();
    // <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>
    let body =
        json!({"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided."});
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    fault(&stage, "login:GetToken", Nth::Every, What::Answer { status: 401, headers, body: body.to_string() });
    names("azure", &stage, &[], (4, "credentials", "AADSTS7000215"));
}

#[test]
fn account_and_region_that_are_not_the_plan_files_are_the_cause() {
    let stage = AWS.planned();
    let region = "region = \"eu-west-1\"\n";
    AWS.change(&stage, &[(region, "region = \"eu-west-1\"\naccount = \"999999999999\"\n")]);
    names("aws", &stage, &[], (4, "identity", "999999999999"));
    AWS.change(&stage, &[(region, "")]);
    names("aws", &stage, &[], (4, "endpoints", "AWS_REGION"));
    let stage = AWS.applied();
    AWS.change(&stage, &[("eu-west-1", "eu-central-1")]);
    names("aws", &stage, &[], (1, "resources", "the bucket is in eu-west-1"));
}

#[test]
fn clock_that_is_an_hour_off_is_the_cause() {
    let stage = AWS.planned();
    let hour = std::time::SystemTime::now() - std::time::Duration::from_hours(1);
    let headers = vec![("date".to_owned(), http_date(hour)), ("content-type".to_owned(), "text/xml".to_owned())];
    let body =
        "<ErrorResponse><Error><Code>RequestTimeTooSkewed</Code><Message>too young</Message></Error></ErrorResponse>";
    fault(&stage, "*", Nth::Every, What::Answer { status: 403, headers, body: body.to_owned() });
    names("aws", &stage, &[], (1, "clock", "ahead of the services"));
}

/// As headers have it (<https://www.rfc-editor.org/rfc/rfc9110#name-date-time-formats>).
fn http_date(time: std::time::SystemTime) -> String {
    let output = std::process::Command::new("date")
        .args(["-u", "-d", &format!("@{}", time.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs())])
        .arg("+%a, %d %b %Y %H:%M:%S GMT")
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn proxy_that_is_not_there_or_lets_nothing_through_is_the_cause() {
    let stage = AWS.planned();
    let dead = [("HTTP_PROXY", Some("http://ann:hunter2@127.0.0.1:9"))];
    names("aws", &stage, &dead, (1, "proxy", "does not answer: Connection refused"));
    names("gcp", &GCP.planned(), &dead, (1, "proxy", "HTTP_PROXY"));
    let refusing = ForwardProxy::answering("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").url();
    let through = |proxy| [("HTTPS_PROXY", Some(proxy)), ("AWS_ENDPOINT_URL", Some("https://aws.example.test"))];
    names("aws", &stage, &through(&refusing), (1, "endpoint S3", "the proxy does not let it through"));
    let asking =
        ForwardProxy::answering("HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n").url();
    names("aws", &stage, &through(&asking), (1, "endpoint S3", "asks for a user name and a password"));
}

/// Clients would pass over it, and go directly: no command does.
#[test]
fn proxy_that_cannot_be_used_is_the_cause_and_nothing_goes_past_it() {
    let stage = AWS.planned();
    for (proxy, says) in [
        ("socks9://ann:hunter2@127.0.0.1:9", "only proxies of `http` and `https`"),
        ("ftp://ann:hunter2@127.0.0.1:9", "only proxies of `http` and `https`"),
        ("https//ann:hunter2@127.0.0.1:9", "(HTTPS_PROXY)"),
        ("http://ann:hunter2@ba%%d:9", "it is no address"),
        ("http://ann:hunter2@127.0.0.1:99999", "its port is none"),
    ] {
        names("aws", &stage, &[("HTTPS_PROXY", Some(proxy))], (1, "proxy", says));
        let ran = stage.run_with(&["aws", "plan"], |command| {
            command.env("HTTPS_PROXY", proxy);
        });
        assert!(ran.code == 1 && ran.stderr.contains(says) && !ran.stderr.contains("hunter2"), "{}", ran.stderr);
    }
}

#[test]
fn certificates_that_are_missing_or_of_another_authority_are_the_cause() {
    let none = [("SSL_CERT_FILE", Some("/nonexistent")), ("SSL_CERT_DIR", Some("/nonexistent"))];
    names("azure", &AZURE.planned(), &none, (1, "certificates", "SSL_CERT_FILE"));
    let stage = AZURE.planned();
    let others = roots::variables(stage.path());
    let others: Vec<_> = others.iter().map(|(name, value)| (name.as_str(), Some(value.as_str()))).collect();
    names("azure", &stage, &others, (1, "endpoint Resource Manager", "an authority that this machine does not know"));
}

/// A name that no server of names is asked for: a label has 63 letters at most.
const LONG: &str = "http://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.test";

#[test]
fn address_that_nobody_answers_at_is_the_cause() {
    let stage = AWS.planned();
    let at = |url: &'static str| [("AWS_ENDPOINT_URL", Some(url))];
    names("aws", &stage, &at("http://127.0.0.1:9"), (1, "endpoint S3", "nothing listens there"));
    names("aws", &stage, &at(LONG), (1, "endpoint S3", "is not known to this machine's DNS"));
    let plain = stage.environment().into_iter().find(|(name, _)| name == "AWS_ENDPOINT_URL").unwrap().1;
    let tls = plain.replace("http://", "https://");
    names("aws", &stage, &[("AWS_ENDPOINT_URL", Some(&tls))], (1, "endpoint S3", "it does not speak TLS"));
    names("aws", &stage, &[("AWS_ENDPOINT_URL_S3", Some("nowhere"))], (1, "endpoint S3", "is no URL"));
    let blobs = [("AZURE_STORAGE_BLOB_ENDPOINT", Some("https://127.0.0.1:9"))];
    names("azure", &AZURE.planned(), &blobs, (1, "endpoint Blob", "nothing listens there"));
}

#[test]
fn page_in_the_place_of_a_service_is_the_cause() {
    let headers = vec![("content-type".to_owned(), "text/html".to_owned())];
    let page = What::Answer { status: 200, headers, body: "<html>Sign in to the network</html>".to_owned() };
    for (cloud, name) in
        [(&AWS, "endpoint S3"), (&GCP, "endpoint Cloud Storage"), (&AZURE, "endpoint Resource Manager")]
    {
        let stage = cloud.planned();
        fault(&stage, "*", Nth::Every, page.clone());
        names(cloud.name, &stage, &[], (1, name, "a web page came"));
    }
}

fn lacks(cloud: &CloudFixture, right: &str) {
    let stage = cloud.planned();
    let whole = document(cloud, &stage, "apply");
    attach(&stage, &without(cloud, &whole, right));
    names(cloud.name, &stage, &[], (1, "rights", right));
}

#[test]
fn rights_that_are_missing_are_the_cause() {
    lacks(&AWS, "s3:PutBucketCORS");
    lacks(&GCP, "pubsub.topics.create");
    lacks(&AZURE, "Microsoft.Storage/storageAccounts/blobServices/containers/write");
}

#[test]
fn read_that_is_denied_and_an_api_that_is_off_are_the_cause() {
    let stage = AWS.applied();
    let denied = What::Error { status: 403, code: "AccessDenied".to_owned(), message: "not authorized".to_owned() };
    fault(&stage, "s3:GetBucketCors", Nth::Every, denied);
    names("aws", &stage, &[], (1, "resources", "s3:GetBucketCORS"));
    let stage = GCP.planned();
    let body = json!({"error": {"code": 403, "status": "PERMISSION_DENIED", "message": "Cloud Pub/Sub API has not been used",
        "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SERVICE_DISABLED",
            "domain": "googleapis.com", "metadata": {"service": "pubsub.googleapis.com"}}]}});
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    fault(&stage, "pubsub:*", Nth::Every, What::Answer { status: 403, headers, body: body.to_string() });
    names("gcp", &stage, &[], (1, "resources", "gcloud services enable"));
}

/// It is no failure, for apply registers it: but it is told.
#[test]
fn provider_that_is_not_registered_is_told() {
    let stage = AZURE.planned();
    let place = "/subscriptions/00000000-0000-0000-0000-000000000000/providers/Microsoft.EventGrid/unregister";
    stage.send("POST", place, Value::Null);
    let (_, document) = examined("azure", &stage, &[]);
    assert!(document.to_string().contains("Microsoft.EventGrid is not registered"), "{document:#}");
}
