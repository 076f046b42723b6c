//! Whole screens on terminals of several widths, and what must not go unsaid on them.

use provision_tests::stage::Stage;

use crate::clouds::aws::hand::boto;
use crate::clouds::{AWS, AZURE, CloudFixture, GCP};
use crate::contract::preflight::{attach, document, without};
use crate::{auth0, slack};

const WIDTHS: [u16; 2] = [80, 120];

/// A terminal's lines without their styles.
fn lines(screen: &str) -> Vec<String> {
    let mut parts = screen.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    let plain = parts.fold(first, |text, part| text + part.split_once('m').map_or(part, |(_, rest)| rest));
    plain.replace('\r', "").lines().map(|line| line.trim_end().to_owned()).collect()
}

/// The screens of a command, of which no line is wider than the terminal but for a word that is longer.
fn screens(cloud: &CloudFixture, stage: &Stage, arguments: &[&str]) -> String {
    screens_of(stage, &[&[cloud.name], arguments].concat())
}

fn screens_of(stage: &Stage, command: &[&str]) -> String {
    let screen = |columns: u16| {
        let (code, screen) = stage.run_on_screen(command, "xterm", columns);
        let lines = lines(&screen);
        let is_one_word = |line: &str| line.split_whitespace().count() == 1;
        for line in &lines {
            assert!(line.chars().count() <= columns.into() || is_one_word(line), "{columns}: {line}\n{screen}");
        }
        format!("$ {} ({columns} columns, exit {code})\n{}\n", command.join(" "), lines.join("\n"))
    };
    WIDTHS.map(screen).join("\n")
}

fn on_terminals(name: &str, cloud: &CloudFixture) {
    let stage = cloud.planned();
    let mut shown = vec![screens(cloud, &stage, &["plan"])];
    cloud.apply(&stage);
    let host = ("https://wandb.example.com", "https://other.example.com");
    let changes: Vec<_> = cloud.plans.queue_renamed.0.iter().copied().chain([host]).collect();
    cloud.change(&stage, &changes);
    (cloud.edits.facets[0].make)(&stage.hand());
    shown.extend([&["plan"][..], &["drift"], &["plan", "--destroy"]].map(|command| screens(cloud, &stage, command)));
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"(127\.0\.0\.1|localhost):\d+", "$1:PORT");
    settings.add_filter(r"\(\d{12}\)", "(NUMBER)");
    settings.bind(|| insta::assert_snapshot!(name, shown.join("\n")));
}

#[test]
fn screens_of_aws_fit_their_terminals() {
    on_terminals("screens_aws", &AWS);
}

#[test]
fn screens_of_gcp_fit_their_terminals() {
    on_terminals("screens_gcp", &GCP);
}

#[test]
fn screens_of_azure_fit_their_terminals() {
    on_terminals("screens_azure", &AZURE);
}

/// What is planned, refused and told beside it.
#[test]
fn screens_of_auth0_and_slack_fit_their_terminals() {
    let auth0 = auth0::planned();
    let slack = slack::planned(slack::PLAN);
    for (provider, stage, refused) in [
        ("auth0", &auth0, "adopt = \"jWOp9ISxnPG1ZQRicTMlXXXIysZAk85x\""),
        ("slack", &slack, "app_id = \"A0NOTTHERE\""),
    ] {
        let plan = stage.read("provision.toml");
        for added in ["", refused] {
            stage.write("provision.toml", &format!("{plan}{added}\n"));
            for command in [&["plan"][..], &["drift"], &["plan", "-v"], &["--help"], &["apply", "--help"]] {
                screens_of(stage, &[&[provider], command].concat());
            }
            screens_of(stage, &["doctor", provider]);
        }
    }
}

/// Who copies a command gets it whole: half of one is another one, without the flag that names the sandbox.
#[test]
fn command_that_is_wider_than_the_terminal_is_not_broken() {
    let stage = slack::planned(slack::PLAN);
    let flag = "--sandbox=some-folder-with-a-long-name";
    let (code, screen) = stage.run_on_screen(&["slack", "plan", flag], "xterm", 80);
    let command = format!("  provision slack apply provision.toml --out slack.env {flag}");
    assert!(code == 0 && lines(&screen).contains(&command), "{screen}");
}

/// An error goes to the other stream.
#[test]
fn errors_fit_a_terminal_that_does_not_say_its_width() {
    let stage = slack::planned(&format!("{}app_id = \"A0NOTTHERE\"\n", slack::PLAN));
    for columns in [0, 80] {
        let (code, screen) = stage.run_on_screen(&["slack", "plan"], "xterm", columns);
        assert!(code == 6 && screen.contains("hint"), "{screen}");
        for line in lines(&screen) {
            assert!(line.chars().count() <= 80, "{columns}: {line}\n{screen}");
        }
    }
}

#[test]
fn missing_rights_fit_their_terminals() {
    let aws = ["s3:PutBucketCORS", "sqs:CreateQueue", "iam:PutRolePolicy"];
    let azure = ["Microsoft.Storage/storageAccounts/queueServices/queues/write"];
    let shown = [(&AWS, &aws[..]), (&AZURE, &azure)].map(|(cloud, taken)| {
        let stage = cloud.planned();
        let rights = document(cloud, &stage, "apply");
        attach(&stage, &taken.iter().fold(rights, |rights, right| without(cloud, &rights, right)));
        [&["plan"][..], &["apply", "--yes"]].map(|command| screens(cloud, &stage, command)).join("\n")
    });
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"(127\.0\.0\.1|localhost):\d+", "$1:PORT");
    settings.bind(|| insta::assert_snapshot!("missing_rights", shown.join("\n")));
}

/// Emacs, and some terminals of CI, move no cursor.
#[test]
fn terminal_that_moves_no_cursor_gets_lines() {
    let stage = AWS.planned();
    let (code, screen) = stage.run_on_screen(&["aws", "apply", "--yes", "--no-color"], "dumb", 80);
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("  created bucket `acme-") && !screen.contains('\u{1b}'), "{screen}");
}

#[test]
fn deleted_objects_that_stay_restorable_are_said_to_be_billed() {
    let stage = GCP.applied();
    (GCP.upload)(&stage.hand(), "a");
    let plan = GCP.succeed(&stage, &["plan", "--destroy", "--delete-data", GCP.bucket]);
    assert!(plan.contains("deleted objects stay restorable for 7 days, and are billed until then"), "{plan}");
    let stage = AWS.applied();
    let plan = AWS.succeed(&stage, &["plan", "--destroy", "--delete-data", AWS.bucket]);
    assert!(plan.contains("and everything in it:") && !plan.contains("restorable"), "{plan}");
}

/// What a destroy that was broken off leaves looks like something that somebody took away.
#[test]
fn missing_parts_name_the_command_that_finishes_a_destroy_too() {
    for cloud in [&AWS, &GCP, &AZURE] {
        let stage = cloud.applied();
        let finish = format!("If a destroy was broken off, finish it: provision {} destroy provision.toml", cloud.name);
        // One thing that is gone is no destroy.
        for (gone, is_told) in [(0, false), (2, true)] {
            (cloud.edits.gone[gone].make)(&stage.hand());
            for (code, command) in [(2, "drift"), (0, "plan")] {
                let told = cloud.ends(&stage, code, &[command]);
                assert!(told.contains(&finish) == is_told && told.contains("apply provision.toml"), "{told}");
            }
        }
    }
}

/// Rules of others are in the bucket that goes.
#[test]
fn what_others_have_on_a_bucket_is_said_to_go_with_it() {
    let stage = AWS.applied();
    boto(
        &stage.hand(),
        "b = 'acme-{s}'
s3.put_bucket_cors(Bucket=b, CORSConfiguration={'CORSRules': s3.get_bucket_cors(Bucket=b)['CORSRules'] + [{'ID': 'theirs', 'AllowedMethods': ['GET'], 'AllowedOrigins': ['https://theirs.example.com']}]})
n = s3.get_bucket_notification_configuration(Bucket=b)
thumbs = {'Id': 'thumbs', 'QueueArn': 'arn:aws:sqs:eu-west-1:{a}:thumbs', 'Events': ['s3:ObjectRemoved:*']}
n = {'QueueConfigurations': n['QueueConfigurations'] + [thumbs]}
s3.put_bucket_notification_configuration(Bucket=b, NotificationConfiguration=n, SkipDestinationValidation=True)",
    );
    let plan = AWS.succeed(&stage, &["plan", "--destroy"]);
    assert!(plan.contains("    goes with it: CORS rule `theirs` for https://theirs.example.com: GET"), "{plan}");
    assert!(plan.contains("    goes with it: notification `thumbs`"), "{plan}");
    let plan = AWS.succeed(&stage, &["plan", "--destroy", "--format", "markdown"]);
    assert!(plan.contains("goes with it: `CORS rule") || plan.contains("goes with it: <code>CORS rule"), "{plan}");
    assert!(plan.contains("thumbs"), "{plan}");
}

#[test]
fn refusal_is_called_refused_and_its_plan_is_not_saved() {
    let stage = AWS.planned();
    boto(
        &stage.hand(),
        "s3.create_bucket(Bucket='acme-{s}', CreateBucketConfiguration={'LocationConstraint': 'eu-west-1'})",
    );
    assert!(AWS.ends(&stage, 6, &["drift"]).contains("wandb-prod: refused"));
    let plan = AWS.ends(&stage, 6, &["plan", "--out", "set.json"]);
    assert!(plan.contains("set.json was not saved") && !stage.path().join("set.json").exists(), "{plan}");
}
