//! What a person at a terminal sees: the question, live rows, looking again after the answer.

use std::time::Duration;

use crate::clouds::AWS;
use crate::clouds::aws::hand::boto;

const QUESTION: &str = "Only `yes` is accepted: ";

#[test]
fn apply_asks_and_yes_goes_on_with_a_row_for_each_operation() {
    let stage = AWS.planned();
    stage.faults().set_latency(Duration::from_millis(200));
    let (code, screen) = stage.run_on_terminal(&["aws", "apply"], &[(QUESTION, "yes\n")]);
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("create bucket `acme-{s}` (0s)"), "a live row: {screen}");
    assert!(screen.contains("created bucket") && screen.contains("BUCKET=s3://acme-"), "{screen}");
    assert_eq!(stage.run(&["aws", "drift"]).code, 0);
}

#[test]
fn apply_without_a_yes_changes_nothing() {
    for answer in ["no\n", "y\n", "\n", "\u{4}"] {
        let stage = AWS.planned();
        let (code, screen) = stage.run_on_terminal(&["aws", "apply"], &[(QUESTION, answer)]);
        assert_eq!(code, 6, "{answer:?}: {screen}");
        assert!(screen.contains("not confirmed; nothing was changed"), "{screen}");
        assert!(stage.faults().writes().is_empty());
    }
}

#[test]
fn destroy_asks_too() {
    let stage = AWS.applied();
    let (code, screen) = stage.run_on_terminal(&["aws", "destroy"], &[(QUESTION, "no\n")]);
    assert_eq!(code, 6, "{screen}");
    assert!(stage.faults().writes().is_empty());
    let (code, screen) = stage.run_on_terminal(&["aws", "destroy"], &[(QUESTION, "yes\n")]);
    assert!(code == 0 && screen.contains("Destroyed deployment"), "{screen}");
}

/// Who deletes data says which, and is told how much it is.
#[test]
fn destroy_with_data_asks_for_the_bucket_s_name() {
    let stage = AWS.applied();
    boto(&stage.hand(), "s3.put_object(Bucket=b, Key='k', Body=b'x')");
    let destroy = ["aws", "destroy", "--delete-data", "acme-{s}"];
    let question = stage.fill("This cannot be undone. Only `acme-{s}` is accepted: ");
    let (code, screen) = stage.run_on_terminal(&destroy, &[(&question, "yes\n")]);
    assert!(
        code == 6 && screen.contains("and everything in it:") && screen.contains("1 object or version, 1 byte"),
        "{screen}"
    );
    let (code, screen) = stage.run_on_terminal(&destroy, &[(&question, &stage.fill("acme-{s}\n"))]);
    assert_eq!(code, 0, "{screen}");
}

#[test]
fn colour_is_for_terminals_and_for_who_asks() {
    let stage = AWS.planned();
    let (_, screen) = stage.run_on_terminal(&["aws", "plan"], &[]);
    assert!(screen.contains("\u{1b}[32m+ bucket"), "{screen}");
    let (_, screen) = stage.run_on_terminal(&["aws", "plan", "--no-color"], &[]);
    assert!(!screen.contains('\u{1b}'), "{screen}");
    assert!(!stage.run(&["aws", "plan"]).stdout.contains('\u{1b}'));
    assert!(stage.run(&["aws", "plan", "--color", "always"]).stdout.contains("\u{1b}[32m"));
    let none = stage.run_with(&["aws", "plan", "--color", "auto"], |command| {
        command.env("NO_COLOR", "1");
    });
    assert!(!none.stdout.contains('\u{1b}'));
}

#[test]
fn answer_looks_again_and_stops_if_the_cloud_changed() {
    let stage = AWS.planned();
    let others = || boto(&stage.hand(), "sqs.create_queue(QueueName=q)");
    let (code, screen) = stage.run_on_terminal_while(&["aws", "apply"], &[(QUESTION, "yes\n")], others);
    assert_eq!(code, 3, "{screen}");
    assert!(screen.contains("the cloud changed while you were asked"), "{screen}");
    assert_eq!(stage.writes(), ["sqs:CreateQueue"], "theirs alone");
}

/// Also where the terminal does not say how wide it is.
#[test]
fn lines_of_a_proof_fit_eighty_columns() {
    let stage = AWS.applied();
    boto(&stage.hand(), "s3.delete_bucket_cors(Bucket=b)");
    for columns in [80, 0] {
        let (code, screen) = stage.run_on_screen(&["aws", "verify", "--no-color"], "dumb", columns);
        assert_eq!(code, 2, "{screen}");
        assert!(screen.contains("event of the upload reached") && screen.contains("sent OPTIONS"), "{screen}");
        let is_one_word = |line: &str| line.split_whitespace().count() == 1;
        for line in screen.replace('\r', "").lines().map(str::trim_end) {
            assert!(line.chars().count() <= 80 || is_one_word(line), "{columns}: {line}\n{screen}");
        }
    }
}
