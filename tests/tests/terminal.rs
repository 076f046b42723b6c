//! What a person at a terminal sees: the question, live rows, looking again after a slow answer.

use std::time::{Duration, Instant};

use crate::clouds::AWS;
use crate::clouds::aws::hand::boto;

const QUESTION: &str = "Type `yes` to go on: ";

#[test]
fn apply_asks_and_yes_goes_on_with_a_row_for_each_operation() {
    let stage = AWS.planned();
    stage.faults().set_latency(Duration::from_millis(200));
    let (code, screen) = stage.run_on_terminal(&["aws", "apply"], &[(QUESTION, "yes\n")]);
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("create bucket `acme-{s}` (0s)"), "a live row: {screen}");
    assert!(screen.contains("done create bucket") && screen.contains("BUCKET=s3://acme-"), "{screen}");
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

#[test]
fn colour_is_for_terminals_and_for_who_asks() {
    let stage = AWS.planned();
    let (_, screen) = stage.run_on_terminal(&["aws", "plan"], &[]);
    assert!(screen.contains("\u{1b}[32m+ create bucket"), "{screen}");
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
fn slow_answer_looks_again_and_stops_if_the_cloud_changed() {
    let stage = AWS.planned();
    // The bucket appears while the question waits for longer than a look stays good.
    let seen = std::thread::scope(|scope| {
        let answered = scope.spawn(|| stage.run_on_terminal_slowly(&["aws", "apply"], &[(QUESTION, "yes\n")], 21));
        let asked = stage.path().join("asked");
        let started = Instant::now();
        while !asked.exists() {
            assert!(started.elapsed() < Duration::from_secs(60), "nothing was asked");
            std::thread::sleep(Duration::from_millis(50));
        }
        boto(&stage.hand(), "sqs.create_queue(QueueName=q)");
        answered.join().unwrap()
    });
    assert_eq!(seen.0, 3, "{}", seen.1);
    assert!(seen.1.contains("the cloud changed while you were asked"), "{}", seen.1);
    assert_eq!(stage.writes(), ["sqs:CreateQueue"], "theirs alone");
}
