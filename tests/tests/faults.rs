//! What no emulator says: throttling, conflicts, wrong regions, credentials, signals.

use std::time::{Duration, Instant};

use provision_tests::answers::{head, query, s3, s3_with, sqs};
use provision_tests::fault::{Fault, Nth, What, When};
use provision_tests::rig::{Rig, finished, signal};

use crate::lifecycle::{PLAN, applied, apply, planned};

fn fault(rig: &Rig, operation: &str, nth: Nth, what: What) {
    rig.proxy.fault(Fault { operation: operation.to_owned(), nth, at: When::Before, what });
}

#[test]
fn passing_faults_are_repeated_and_the_apply_succeeds() {
    let faults = [
        (
            "s3:PutBucketCors",
            s3(409, "OperationAborted", "A conflicting conditional operation is currently in progress"),
        ),
        ("s3:PutBucketPolicy", s3(503, "SlowDown", "Please reduce your request rate.")),
        (
            "s3:PutBucketNotificationConfiguration",
            s3(400, "InvalidArgument", "Unable to validate the following destination configurations"),
        ),
        ("sqs:CreateQueue", sqs(400, "QueueDeletedRecently", "You must wait 60 seconds")),
        ("iam:PutRolePolicy", What::Drop),
    ];
    for (operation, what) in faults {
        let rig = planned();
        fault(&rig, operation, Nth::Number(1), what);
        apply(&rig);
        // Two queues are made, so one repetition makes three calls.
        let least = if operation == "sqs:CreateQueue" { 3 } else { 2 };
        assert!(rig.proxy.count(operation) >= least, "{operation}: {}", rig.proxy.count(operation));
        assert_eq!(rig.run(&["aws", "drift"]).code, 0, "{operation}");
    }
}

#[test]
fn effect_without_an_answer_is_found_and_finished() {
    for operation in ["s3:CreateBucket", "sqs:CreateQueue", "s3:PutBucketTagging"] {
        let rig = planned();
        rig.proxy.fault(Fault {
            operation: operation.to_owned(),
            nth: Nth::Number(1),
            at: When::After,
            what: What::Drop,
        });
        apply(&rig);
        assert_eq!(rig.run(&["aws", "drift"]).code, 0, "{operation}");
    }
}

#[test]
fn denied_write_is_final_names_the_permission_and_leaves_the_rest_to_the_next_run() {
    let rig = planned();
    let message = "User: arn:aws:iam::1:user/ci is not authorized to perform: s3:PutBucketCORS";
    fault(&rig, "s3:PutBucketCors", Nth::Every, s3(403, "AccessDenied", message));
    let ran = rig.run(&["aws", "apply", "--yes"]);
    assert_eq!(ran.code, 5);
    assert!(ran.stderr.contains("grant `s3:PutBucketCORS`") && ran.stderr.contains("aws.bucket"), "{}", ran.stderr);
    assert_eq!(rig.proxy.count("s3:PutBucketCors"), 1);
    rig.proxy.clear();
    let plan = rig.run(&["aws", "plan"]);
    assert!(plan.stdout.contains("an apply did not finish"), "{}", plan.stdout);
    apply(&rig);
    assert_eq!(rig.run(&["aws", "drift"]).code, 0);
}

#[test]
fn denied_read_is_unknown_never_in_sync() {
    let rig = applied();
    let message = "User: arn:aws:iam::1:user/ci is not authorized to perform: s3:GetBucketCORS";
    fault(&rig, "s3:GetBucketCors", Nth::Every, s3(403, "AccessDenied", message));
    let drift = rig.run(&["aws", "drift"]);
    assert_eq!(drift.code, 1);
    assert!(
        drift.stdout.contains("unknown") && drift.stderr.contains("`s3:GetBucketCORS`"),
        "{}{}",
        drift.stdout,
        drift.stderr
    );
}

#[test]
fn bucket_of_another_account_is_said_to_be_so() {
    let rig = planned();
    fault(&rig, "s3:HeadBucket", Nth::Every, head(403, &[]));
    for operation in
        ["Tagging", "Versioning", "Cors", "Policy", "Encryption", "OwnershipControls", "NotificationConfiguration"]
    {
        fault(&rig, &format!("s3:GetBucket{operation}"), Nth::Every, s3(403, "AccessDenied", "Access Denied"));
    }
    fault(&rig, "s3:GetPublicAccessBlock", Nth::Every, s3(403, "AccessDenied", "Access Denied"));
    let plan = rig.run(&["aws", "plan"]);
    assert!(plan.stderr.contains("belongs to another account"), "{}", plan.stderr);
}

#[test]
fn wrong_region_names_the_right_one() {
    let rig = planned();
    let region = [("x-amz-bucket-region", "us-west-2")];
    fault(&rig, "s3:HeadBucket", Nth::Every, head(301, &region));
    fault(&rig, "s3:GetBucketTagging", Nth::Every, s3_with(301, "PermanentRedirect", "elsewhere", &region));
    let plan = rig.run(&["aws", "plan"]);
    assert_eq!(plan.code, 1);
    assert!(plan.stderr.contains("region = \"us-west-2\""), "{}", plan.stderr);
}

#[test]
fn credentials_that_do_not_serve_are_told_within_three_seconds() {
    type Change = fn(&mut std::process::Command);
    let cases: [(Change, &str); 4] = [
        (
            |command| {
                command.env_remove("AWS_ACCESS_KEY_ID");
            },
            "find AWS credentials",
        ),
        (
            |command| {
                command.env("AWS_PROFILE", "nope");
            },
            "profile `nope`",
        ),
        (
            |command| {
                command
                    .env_remove("AWS_ACCESS_KEY_ID")
                    .env("AWS_WEB_IDENTITY_TOKEN_FILE", "/nope")
                    .env("AWS_ROLE_ARN", "arn:aws:iam::1:role/a");
            },
            "`/nope`",
        ),
        (
            // A metadata server that accepts and never answers.
            |command| {
                let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
                let endpoint = format!("http://{}", server.local_addr().unwrap());
                Box::leak(Box::new(server));
                command.env_remove("AWS_ACCESS_KEY_ID").env("AWS_EC2_METADATA_DISABLED", "false");
                command.env("AWS_EC2_METADATA_SERVICE_ENDPOINT", endpoint);
            },
            "find AWS credentials",
        ),
    ];
    let rig = planned();
    for (change, text) in cases {
        let ran = rig.run_with(&["aws", "plan"], change);
        assert_eq!(ran.code, 4, "{}", ran.stderr);
        assert!(ran.stderr.contains(text) && ran.stderr.contains("hint"), "{}", ran.stderr);
        assert!(ran.elapsed < Duration::from_millis(4500), "{:?}", ran.elapsed);
    }
    fault(
        &rig,
        "sts:GetCallerIdentity",
        Nth::Every,
        query(403, "ExpiredToken", "The security token included in the request is expired"),
    );
    let ran = rig.run(&["aws", "plan"]);
    assert!(ran.code == 4 && ran.stderr.contains("expired"), "{}", ran.stderr);
}

#[test]
fn wrong_account_and_missing_region_stop_before_anything_is_compared() {
    let rig = planned();
    rig.write("provision.toml", &PLAN.replace("[aws]\n", "[aws]\naccount = \"000000000001\"\n"));
    let ran = rig.run(&["aws", "plan"]);
    assert!(
        ran.code == 4 && ran.stderr.contains("000000000001") && ran.stderr.contains(&rig.account),
        "{}",
        ran.stderr
    );
    rig.write("provision.toml", &PLAN.replace("region = \"eu-west-1\"", ""));
    let ran = rig.run(&["aws", "plan"]);
    assert!(ran.code == 4 && ran.stderr.contains("AWS_REGION"), "{}", ran.stderr);
}

#[test]
fn interrupted_apply_says_what_is_done_and_the_rerun_finishes() {
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        let rig = planned();
        rig.proxy.set_latency(Duration::from_millis(300));
        let started = Instant::now();
        let child = rig.start(&["aws", "apply", "--yes"], |_| {});
        while rig.proxy.count("s3:CreateBucket") == 0 {
            assert!(started.elapsed() < Duration::from_secs(60));
            std::thread::sleep(Duration::from_millis(5));
        }
        signal(&child, name);
        let ran = finished(child, started);
        assert_eq!(ran.code, code, "{}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains("done:") && ran.stderr.contains("again: it goes on"), "{}", ran.stderr);
        rig.proxy.set_latency(Duration::ZERO);
        apply(&rig);
        assert_eq!(rig.run(&["aws", "drift"]).code, 0);
    }
}

#[test]
fn without_a_terminal_the_flag_to_add_is_named() {
    let rig = planned();
    for command in ["apply", "destroy"] {
        let ran = rig.run(&["aws", command]);
        assert!(ran.code == 64 && ran.stderr.contains("--yes"), "{}", ran.stderr);
    }
    assert!(rig.proxy.records().is_empty());
}

#[test]
fn role_that_is_missing_or_anothers_is_refused_at_plan() {
    let rig = Rig::new();
    rig.write("provision.toml", PLAN);
    let plan = rig.run(&["aws", "plan"]);
    assert!(plan.code == 6 && plan.stderr.contains("role `node` does not exist"), "{}", plan.stderr);
    rig.write("provision.toml", &PLAN.replace("\"node\"", "\"arn:aws:iam::999999999999:role/node\""));
    let plan = rig.run(&["aws", "plan"]);
    assert!(plan.code == 6 && plan.stderr.contains("of account 999999999999"), "{}", plan.stderr);
    assert!(rig.proxy.writes().is_empty());
}

#[test]
fn tags_refused_by_attribute_based_access_control_take_the_other_route() {
    let rig = applied();
    rig.write("provision.toml", &PLAN.replace("[aws.queue]", "versioning = true\n[aws.queue]"));
    fault(&rig, "s3:PutBucketTagging", Nth::Every, s3(400, "InvalidRequest", "Use TagResource on this bucket"));
    let enabled = "<AbacStatus><Status>Enabled</Status></AbacStatus>".to_owned();
    fault(&rig, "s3:GetBucketAbac", Nth::Every, What::Answer { status: 200, headers: Vec::new(), body: enabled });
    // The client puts the account before the host, which an address in numbers cannot have.
    let proxy = format!("http://localhost:{}", rig.proxy.address.port());
    let ran = rig.run_with(&["aws", "apply", "--yes"], |command| {
        command.env("AWS_ENDPOINT_URL_S3_CONTROL", proxy);
    });
    let asked = rig.proxy.count("s3:GetBucketAbac");
    assert!(asked == 1 && (ran.code == 0 || ran.stderr.contains("s3:TagResource")), "{}{}", ran.stdout, ran.stderr);
}
