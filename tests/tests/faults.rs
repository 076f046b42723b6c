//! What no emulator says: throttling, conflicts, wrong regions, credentials, signals.

use std::time::{Duration, Instant};

use provision_tests::answers::{head, query, s3, s3_with, sqs};
use provision_tests::fault::{Fault, Nth, What, When};
use provision_tests::rig::{Rig, finished, signal};

use crate::lifecycle::{PLAN, applied, apply, planned};
use provision_tests::backend::Backend;

cases! {
    passing_faults_are_repeated_and_the_apply_succeeds,
    effect_without_an_answer_is_found_and_finished,
    denied_write_is_final_names_the_permission_and_leaves_the_rest_to_the_next_run,
    denied_read_is_unknown_never_in_sync,
    bucket_of_another_account_is_said_to_be_so,
    wrong_region_names_the_right_one,
    credentials_that_do_not_serve_are_told_within_three_seconds,
    wrong_account_and_missing_region_stop_before_anything_is_compared,
    interrupted_apply_says_what_is_done_and_the_rerun_finishes,
    without_a_terminal_the_flag_to_add_is_named,
    role_that_is_missing_or_anothers_is_refused_at_plan,
    tags_refused_by_attribute_based_access_control_take_the_other_route,
    wrong_region_of_the_signature_names_the_right_one,
    throttled_queue_is_repeated,
    fault_that_never_passes_ends_within_its_budget_and_names_the_call,
    answer_that_comes_too_late_fails_its_call_and_the_rerun_finishes,
    second_signal_stops_waiting_and_does_not_call_it_done,
    interrupted_emptying_begins_no_new_batch_and_the_rerun_finishes,
}

fn fault(rig: &Rig, operation: &str, nth: Nth, what: What) {
    rig.proxy.fault(Fault { operation: operation.to_owned(), nth, at: When::Before, what });
}

fn passing_faults_are_repeated_and_the_apply_succeeds(backend: Backend) {
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
        let rig = planned(backend);
        fault(&rig, operation, Nth::Number(1), what);
        apply(&rig);
        // Two queues are made, so one repetition makes three calls.
        let least = if operation == "sqs:CreateQueue" { 3 } else { 2 };
        assert!(rig.proxy.count(operation) >= least, "{operation}: {}", rig.proxy.count(operation));
        assert_eq!(rig.run(&["aws", "drift"]).code, 0, "{operation}");
    }
}

fn effect_without_an_answer_is_found_and_finished(backend: Backend) {
    for operation in ["s3:CreateBucket", "sqs:CreateQueue", "s3:PutBucketTagging"] {
        let rig = planned(backend);
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

fn denied_write_is_final_names_the_permission_and_leaves_the_rest_to_the_next_run(backend: Backend) {
    let rig = planned(backend);
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

fn denied_read_is_unknown_never_in_sync(backend: Backend) {
    let rig = applied(backend);
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

fn bucket_of_another_account_is_said_to_be_so(backend: Backend) {
    let rig = planned(backend);
    fault(&rig, "s3:HeadBucket", Nth::Every, head(403, &[]));
    for operation in
        ["Tagging", "Versioning", "Cors", "Policy", "Encryption", "OwnershipControls", "NotificationConfiguration"]
    {
        fault(&rig, &format!("s3:GetBucket{operation}"), Nth::Every, s3(403, "AccessDenied", "Access Denied"));
    }
    fault(&rig, "s3:GetPublicAccessBlock", Nth::Every, s3(403, "AccessDenied", "Access Denied"));
    let plan = rig.run(&["aws", "plan"]);
    assert!(plan.stderr.contains("belongs to somebody else"), "{}", plan.stderr);
}

fn wrong_region_names_the_right_one(backend: Backend) {
    let rig = planned(backend);
    let region = [("x-amz-bucket-region", "us-west-2")];
    fault(&rig, "s3:HeadBucket", Nth::Every, head(301, &region));
    fault(&rig, "s3:GetBucketTagging", Nth::Every, s3_with(301, "PermanentRedirect", "elsewhere", &region));
    let plan = rig.run(&["aws", "plan"]);
    assert_eq!(plan.code, 1);
    assert!(plan.stderr.contains("region = \"us-west-2\""), "{}", plan.stderr);
}

fn credentials_that_do_not_serve_are_told_within_three_seconds(backend: Backend) {
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
    let rig = planned(backend);
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

fn wrong_account_and_missing_region_stop_before_anything_is_compared(backend: Backend) {
    let rig = planned(backend);
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

fn interrupted_apply_says_what_is_done_and_the_rerun_finishes(backend: Backend) {
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        let rig = planned(backend);
        rig.proxy.set_latency(Duration::from_millis(300));
        let started = Instant::now();
        let child = rig.start(&["aws", "apply", "--yes"], |_| {});
        wait_for(&rig, "s3:CreateBucket");
        signal(&child, name);
        let ran = finished(child, started);
        assert_eq!(ran.code, code, "{}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains("done:") && ran.stderr.contains("again: it goes on"), "{}", ran.stderr);
        rig.proxy.set_latency(Duration::ZERO);
        apply(&rig);
        assert_eq!(rig.run(&["aws", "drift"]).code, 0);
    }
}

fn without_a_terminal_the_flag_to_add_is_named(backend: Backend) {
    let rig = planned(backend);
    for command in ["apply", "destroy"] {
        let ran = rig.run(&["aws", command]);
        assert!(ran.code == 64 && ran.stderr.contains("--yes"), "{}", ran.stderr);
    }
    assert!(rig.proxy.records().is_empty());
}

fn role_that_is_missing_or_anothers_is_refused_at_plan(backend: Backend) {
    let rig = Rig::new(backend);
    rig.write("provision.toml", PLAN);
    let plan = rig.run(&["aws", "plan"]);
    assert!(plan.code == 6 && plan.stderr.contains("role `node` does not exist"), "{}", plan.stderr);
    rig.write("provision.toml", &PLAN.replace("\"node\"", "\"arn:aws:iam::999999999999:role/node\""));
    let plan = rig.run(&["aws", "plan"]);
    assert!(plan.code == 6 && plan.stderr.contains("of account 999999999999"), "{}", plan.stderr);
    assert!(rig.proxy.writes().is_empty());
}

fn tags_refused_by_attribute_based_access_control_take_the_other_route(backend: Backend) {
    let rig = applied(backend);
    rig.write("provision.toml", &PLAN.replace("[aws.queue]", "versioning = true\n[aws.queue]"));
    fault(&rig, "s3:PutBucketTagging", Nth::Every, s3(400, "InvalidRequest", "Use TagResource on this bucket"));
    let enabled = "<AbacStatus><Status>Enabled</Status></AbacStatus>".to_owned();
    fault(&rig, "s3:GetBucketAbac", Nth::Every, What::Answer { status: 200, headers: Vec::new(), body: enabled });
    // MiniStack has no S3 Control: what the call sends is what is looked at here.
    fault(&rig, "s3:TagResource", Nth::Every, What::Answer { status: 204, headers: Vec::new(), body: String::new() });
    // Nor does it show the mark, so the run is not waited for.
    let ran = rig.run(&["aws", "apply", "--yes", "--timeout", "3"]);
    assert!(ran.code == 5 && ran.stderr.contains("was not waited for"), "{}", ran.stderr);
    let records = rig.proxy.records();
    let tagged = records.iter().find(|record| record.operation == "s3:TagResource").unwrap();
    assert_eq!(tagged.headers.get("x-amz-account-id"), Some(&rig.account));
    assert!(tagged.headers["host"].starts_with("127.0.0.1"), "{:?}", tagged.headers);
    assert!(String::from_utf8_lossy(&tagged.body).contains("provision-spec"));
}

fn wrong_region_of_the_signature_names_the_right_one(backend: Backend) {
    let rig = planned(backend);
    let region = [("x-amz-bucket-region", "us-west-2")];
    let message = "The authorization header is malformed; the region 'eu-west-1' is wrong; expecting 'us-west-2'";
    fault(&rig, "s3:HeadBucket", Nth::Every, head(400, &region));
    fault(&rig, "s3:GetBucketTagging", Nth::Every, s3_with(400, "AuthorizationHeaderMalformed", message, &region));
    let plan = rig.run(&["aws", "plan"]);
    assert!(plan.code == 1 && plan.stderr.contains("region = \"us-west-2\""), "{}", plan.stderr);
}

fn throttled_queue_is_repeated(backend: Backend) {
    let rig = planned(backend);
    fault(&rig, "sqs:CreateQueue", Nth::Number(1), sqs(403, "RequestThrottled", "Rate exceeded"));
    apply(&rig);
    assert_eq!(rig.proxy.count("sqs:CreateQueue"), 3, "two queues and one repetition");
}

fn fault_that_never_passes_ends_within_its_budget_and_names_the_call(backend: Backend) {
    let rig = planned(backend);
    fault(&rig, "s3:PutBucketCors", Nth::Every, What::Drop);
    let ran = rig.run(&["aws", "apply", "--yes"]);
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    assert!(ran.elapsed < Duration::from_secs(30), "{:?}", ran.elapsed);
    assert!(
        ran.stderr.contains("s3:PutBucketCors: 4 attempts") && ran.stderr.contains("provision.toml:"),
        "{}",
        ran.stderr
    );
    assert_eq!(rig.proxy.records().iter().filter(|record| record.operation == "s3:PutBucketCors").count(), 4);
    rig.proxy.clear();
    apply(&rig);
    assert_eq!(rig.run(&["aws", "drift"]).code, 0);
}

fn answer_that_comes_too_late_fails_its_call_and_the_rerun_finishes(backend: Backend) {
    let rig = planned(backend);
    // Past the client's limit for one request: the call has its effect, and nobody hears of it.
    fault(&rig, "s3:PutBucketCors", Nth::Number(1), What::Delay(Duration::from_secs(22)));
    let ran = rig.run(&["aws", "apply", "--yes"]);
    assert!(ran.code == 5 && ran.stderr.contains("no answer in time"), "{}", ran.stderr);
    assert!(ran.elapsed < Duration::from_secs(40), "{:?}", ran.elapsed);
    apply(&rig);
    assert_eq!(rig.run(&["aws", "drift"]).code, 0);
}

fn second_signal_stops_waiting_and_does_not_call_it_done(backend: Backend) {
    let rig = planned(backend);
    fault(&rig, "s3:PutBucketCors", Nth::Every, What::Delay(Duration::from_secs(15)));
    let started = Instant::now();
    let child = rig.start(&["aws", "apply", "--yes"], |_| {});
    wait_for(&rig, "s3:PutBucketPolicy");
    signal(&child, "INT");
    std::thread::sleep(Duration::from_millis(500));
    signal(&child, "INT");
    let ran = finished(child, started);
    assert_eq!(ran.code, 130, "{}", ran.stderr);
    assert!(ran.elapsed < Duration::from_secs(12), "it went on waiting: {:?}", ran.elapsed);
    let not_done = ran.stderr.split("not done:").nth(1).unwrap_or_default();
    assert!(not_done.contains("write cors of bucket"), "{}", ran.stderr);
    rig.proxy.clear();
    apply(&rig);
    assert_eq!(rig.run(&["aws", "drift"]).code, 0);
}

fn interrupted_emptying_begins_no_new_batch_and_the_rerun_finishes(backend: Backend) {
    let rig = applied(backend);
    rig.boto3(
        "from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(8) as pool: list(pool.map(lambda i: s3.put_object(Bucket='acme-{s}', Key=f'k{i:05}', Body=b''), range(2500)))",
    );
    let name = format!("acme-{}", rig.suffix);
    rig.proxy.set_latency(Duration::from_millis(400));
    let started = Instant::now();
    let child = rig.start(&["aws", "destroy", "--yes", "--delete-data", &name], |_| {});
    wait_for(&rig, "s3:DeleteObjects");
    signal(&child, "INT");
    let ran = finished(child, started);
    assert_eq!(ran.code, 130, "{}", ran.stderr);
    assert!(ran.stderr.contains("emptying bucket") && ran.stderr.contains("again: it goes on"), "{}", ran.stderr);
    let left = rig.boto3("print(len(s3.list_objects_v2(Bucket='acme-{s}', MaxKeys=1000).get('Contents', [])) > 0)");
    assert_eq!(left, "True", "it stopped half way");
    rig.proxy.set_latency(Duration::ZERO);
    let again = rig.run(&["aws", "destroy", "--yes", "--delete-data", &name]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert_eq!(rig.boto3("print([b['Name'] for b in s3.list_buckets()['Buckets'] if b['Name'] == 'acme-{s}'])"), "[]");
}

/// Wait until an operation has been asked for and answered.
fn wait_for(rig: &Rig, operation: &str) {
    let started = Instant::now();
    while rig.proxy.count(operation) == 0 {
        assert!(started.elapsed() < Duration::from_secs(60), "{operation} never came");
        std::thread::sleep(Duration::from_millis(5));
    }
}
