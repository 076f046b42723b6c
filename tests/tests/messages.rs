//! What people read: changes of every kind, and every refusal and failure with what to do next, as whole screens.

mod azure;
mod gcp;

use provision_sandbox::EmulatorKind;
use provision_sandbox::aws::answers::{head, query, s3, s3_with, sqs};
use provision_sandbox::fault::{Fault, Nth, What, When};
use provision_tests::run::Ran;
use provision_tests::stage::Stage;

use crate::clouds::AWS;
use crate::clouds::aws::PLAN;
use crate::clouds::aws::hand::boto;

/// Compare a screen with the one on record; times and numbers of attempts that differ from run to run are replaced.
pub(crate) fn screen(name: &str, stage: &Stage, ran: &Ran) {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\d+\.\d s\b", "TIME");
    settings.add_filter(r"(provision-verify/[a-z2-7]{12})-[0-9a-f]{16}", "$1-NUMBER");
    settings.add_filter(r", as (user/sandbox|root)\n", ", as PRINCIPAL\n");
    settings.add_filter(r"request id [0-9A-Za-z-]+", "request id ID");
    settings.bind(|| insta::assert_snapshot!(name, stage.transcript(ran)));
}

fn fault(stage: &Stage, operation: &str, what: What) {
    stage.faults().fault(Fault { operation: operation.to_owned(), nth: Nth::Every, at: When::Before, what });
}

/// The screen of a command while an operation fails that way.
fn failing(name: &str, arguments: &[&str], faults: &[(&str, What)]) {
    let stage = AWS.planned();
    for (operation, what) in faults {
        fault(&stage, operation, what.clone());
    }
    screen(name, &stage, &stage.run(arguments));
}

#[test]
fn changes_of_every_kind() {
    let stage = AWS.applied();
    screen("plan_without_changes", &stage, &stage.run(&["aws", "plan"]));
    boto(&stage.hand(),
        "b = 'acme-{s}'; u = sqs.get_queue_url(QueueName=b + '-events')['QueueUrl']
s3.put_bucket_notification_configuration(Bucket=b, NotificationConfiguration={})
sqs.set_queue_attributes(QueueUrl=u, Attributes={'VisibilityTimeout': '7'})
s3.put_bucket_cors(Bucket=b, CORSConfiguration={'CORSRules': s3.get_bucket_cors(Bucket=b)['CORSRules'] + [{'ID': 'theirs', 'AllowedMethods': ['GET'], 'AllowedOrigins': ['https://theirs.example.com']}]})",
    );
    let changed = PLAN
        .replace("[aws.queue]", "versioning = true\n[aws.queue]")
        .replace("[aws.run_queue]", "visibility_timeout_s = 99\nreceive_wait_s = 5\n[aws.run_queue]");
    stage.write("provision.toml", &changed);
    screen("plan_with_drift_and_pending", &stage, &stage.run(&["aws", "plan"]));
    screen("drift_with_drift_and_pending", &stage, &stage.run(&["aws", "drift"]));
    stage.write("provision.toml", &changed.replace("-events", "-renamed"));
    screen("plan_with_an_orphan", &stage, &stage.run(&["aws", "plan"]));
}

#[test]
fn apply_and_destroy_from_nothing_to_nothing() {
    let stage = Stage::start(EmulatorKind::Aws);
    stage.write(
        "provision.toml",
        &PLAN.replace("[aws.run_queue]\nname = \"acme-{s}-runs\"\n[aws.access]\nrole = \"node\"\n", ""),
    );
    // In the order in which they end, which differs: sorted.
    let mut ran = stage.run(&["aws", "apply", "--yes"]);
    sort_progress(&mut ran);
    screen("apply_without_a_role_prints_its_policy", &stage, &ran);
    let mut ran = stage.run(&["aws", "destroy", "--yes"]);
    sort_progress(&mut ran);
    screen("destroy", &stage, &ran);
    screen("destroy_of_nothing", &stage, &stage.run(&["aws", "destroy", "--yes"]));
}

/// In the order of the words: lines end in an order that differs.
pub(crate) fn sort_progress(ran: &mut Ran) {
    let (mut done, rest): (Vec<_>, Vec<_>) = ran
        .stderr
        .lines()
        .partition(|line| line.starts_with("  FAIL ") || (line.starts_with("  ") && line.ends_with(" s)")));
    done.sort_unstable();
    ran.stderr = done.into_iter().chain(rest).map(|line| format!("{line}\n")).collect();
}

#[test]
fn refusals() {
    let stage = AWS.applied();
    stage.write("other.toml", &PLAN.replace("wandb-prod", "other-{s}"));
    screen("refused_another_deployments", &stage, &stage.run(&["aws", "plan", "other.toml"]));
    stage.write("renamed.toml", &PLAN.replace("name = \"acme-{s}\"", "name = \"acme-{s}-new\""));
    screen("refused_renamed_bucket", &stage, &stage.run(&["aws", "plan", "renamed.toml"]));
    stage.write("protected.toml", &PLAN.replace("[aws.queue]", "protect = true\n[aws.queue]"));
    screen("refused_protected", &stage, &stage.run(&["aws", "destroy", "protected.toml", "--yes"]));
    boto(&stage.hand(), "s3.put_object(Bucket='acme-{s}', Key='k', Body=b'')");
    screen("refused_not_empty", &stage, &stage.run(&["aws", "destroy", "--yes"]));
    boto(
        &stage.hand(),
        "s3.put_bucket_notification_configuration(Bucket='acme-{s}', NotificationConfiguration={'QueueConfigurations': [{'Id': 'theirs', \
         'QueueArn': 'arn:aws:sqs:eu-west-1:{a}:acme-{s}-runs', 'Events': ['s3:ObjectCreated:Put']}]}, SkipDestinationValidation=True)",
    );
    screen("refused_overlapping_notification", &stage, &stage.run(&["aws", "plan"]));
}

#[test]
fn refusals_of_what_is_not_ours() {
    let stage = AWS.planned();
    boto(
        &stage.hand(),
        "s3.create_bucket(Bucket='acme-{s}', CreateBucketConfiguration={'LocationConstraint': 'eu-west-1'}); sqs.create_queue(QueueName='acme-{s}-events')",
    );
    screen("refused_without_a_mark", &stage, &stage.run(&["aws", "apply", "--yes"]));
    let stage = Stage::start(EmulatorKind::Aws);
    stage.write("provision.toml", PLAN);
    screen("refused_missing_role", &stage, &stage.run(&["aws", "plan"]));
}

#[test]
fn failures_to_read() {
    let region = [("x-amz-bucket-region", "us-west-2")];
    let elsewhere = s3_with(301, "PermanentRedirect", "The bucket is in another region", &region);
    failing(
        "failed_wrong_region",
        &["aws", "plan"],
        &[("s3:HeadBucket", head(301, &region)), ("s3:GetBucketTagging", elsewhere)],
    );
    let denied = s3(403, "AccessDenied", "User: arn:aws:iam::1:user/ci is not authorized to perform: s3:GetBucketCORS");
    let stage = AWS.applied();
    fault(&stage, "s3:GetBucketCors", denied);
    screen("failed_denied_read", &stage, &stage.run(&["aws", "drift"]));
    let denied = "{\"__type\":\"AccessDeniedException\",\"message\":\"not authorized to perform: tag:GetResources\"}";
    let denied = What::Answer { status: 400, headers: Vec::new(), body: denied.to_owned() };
    failing("failed_denied_list_of_orphans", &["aws", "plan"], &[("tag:GetResources", denied)]);
}

#[test]
fn failures_of_credentials() {
    let expired = query(403, "ExpiredToken", "The security token included in the request is expired");
    failing("failed_expired_token", &["aws", "plan"], &[("sts:GetCallerIdentity", expired)]);
    let stage = AWS.planned();
    let none = stage.run_with(&["aws", "plan"], |command| {
        command.env_remove("AWS_ACCESS_KEY_ID");
    });
    screen("failed_no_credentials", &stage, &none);
    let profile = stage.run_with(&["aws", "plan"], |command| {
        command.env("AWS_PROFILE", "nope");
    });
    screen("failed_unknown_profile", &stage, &profile);
    stage.write("provision.toml", &PLAN.replace("[aws]\n", "[aws]\naccount = \"000000000001\"\n"));
    screen("failed_wrong_account", &stage, &stage.run(&["aws", "plan"]));
    stage.write("provision.toml", &PLAN.replace("region = \"eu-west-1\"", ""));
    screen("failed_no_region", &stage, &stage.run(&["aws", "plan"]));
}

#[test]
fn failures_to_write() {
    let cases = [
        (
            "failed_denied_write",
            "s3:PutBucketCors",
            s3(403, "AccessDenied", "not authorized to perform: s3:PutBucketCORS"),
        ),
        (
            "failed_name_taken",
            "s3:CreateBucket",
            s3(409, "BucketAlreadyExists", "The requested bucket name is not available."),
        ),
        (
            "failed_too_many_buckets",
            "s3:CreateBucket",
            s3(400, "TooManyBuckets", "You have attempted to create more buckets than allowed"),
        ),
        (
            "failed_forbidden_tags",
            "sqs:CreateQueue",
            sqs(403, "AccessDenied", "not authorized to perform: sqs:TagQueue"),
        ),
        ("failed_dropped_connection", "iam:PutRolePolicy", What::Drop),
    ];
    for (name, operation, what) in cases {
        let stage = AWS.planned();
        fault(&stage, operation, what);
        let mut ran = stage.run(&["aws", "apply", "--yes"]);
        sort_progress(&mut ran);
        sort_done(&mut ran);
        // The change set is on record elsewhere.
        ran.stdout = String::new();
        screen(name, &stage, &ran);
    }
}

/// The list of what was done, in the order of its words.
fn sort_done(ran: &mut Ran) {
    let Some((before, rest)) = ran.stderr.split_once("\ndone:\n") else { return };
    let (list, after) = rest.split_once("\n\n").unwrap_or((rest, ""));
    let mut list: Vec<_> = list.lines().collect();
    list.sort_unstable();
    ran.stderr = format!("{before}\ndone:\n{}\n\n{after}", list.join("\n"));
}

#[test]
fn stale_change_sets() {
    let stage = AWS.planned();
    let _ = stage.run(&["aws", "plan", "--out", "set.json"]);
    boto(&stage.hand(), "sqs.create_queue(QueueName='acme-{s}-events')");
    screen("stale_after_a_change_of_the_cloud", &stage, &stage.run(&["aws", "apply", "set.json"]));
    stage.write("provision.toml", &PLAN.replace("wandb.example.com", "other.example.com"));
    screen("stale_after_a_change_of_the_plan_file", &stage, &stage.run(&["aws", "apply", "set.json"]));
    stage.write("provision.toml", &PLAN.replace("-events\"", "-events\"\nadopt = true"));
    AWS.apply(&stage);
}
