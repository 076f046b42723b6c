//! What a person at a terminal sees: the question, live rows, looking again after a slow answer.

use std::time::Duration;

use crate::lifecycle::planned;
use provision_tests::backend::Backend;

cases! {
    apply_asks_and_yes_goes_on_with_a_row_for_each_operation,
    apply_without_a_yes_changes_nothing,
    destroy_asks_too,
    colour_is_for_terminals_and_for_who_asks,
    slow_answer_looks_again_and_stops_if_the_cloud_changed,
}

const QUESTION: &str = "Type `yes` to go on: ";

fn apply_asks_and_yes_goes_on_with_a_row_for_each_operation(backend: Backend) {
    let rig = planned(backend);
    rig.proxy.set_latency(Duration::from_millis(200));
    let (code, screen) = rig.run_on_terminal(&["aws", "apply"], &[(QUESTION, "yes\n")]);
    assert_eq!(code, 0, "{screen}");
    let row = format!("create bucket `acme-{}` (0s)", rig.suffix);
    assert!(screen.contains(&row), "a live row: {screen}");
    assert!(screen.contains("done create bucket") && screen.contains("BUCKET=s3://acme-"), "{screen}");
    assert_eq!(rig.run(&["aws", "drift"]).code, 0);
}

fn apply_without_a_yes_changes_nothing(backend: Backend) {
    for answer in ["no\n", "y\n", "\n", "\u{4}"] {
        let rig = planned(backend);
        let (code, screen) = rig.run_on_terminal(&["aws", "apply"], &[(QUESTION, answer)]);
        assert_eq!(code, 6, "{answer:?}: {screen}");
        assert!(screen.contains("not confirmed; nothing was changed"), "{screen}");
        assert!(rig.proxy.writes().is_empty());
    }
}

fn destroy_asks_too(backend: Backend) {
    let rig = crate::lifecycle::applied(backend);
    let (code, screen) = rig.run_on_terminal(&["aws", "destroy"], &[(QUESTION, "no\n")]);
    assert_eq!(code, 6, "{screen}");
    assert!(rig.proxy.writes().is_empty());
    let (code, screen) = rig.run_on_terminal(&["aws", "destroy"], &[(QUESTION, "yes\n")]);
    assert!(code == 0 && screen.contains("Destroyed deployment"), "{screen}");
}

fn colour_is_for_terminals_and_for_who_asks(backend: Backend) {
    let rig = planned(backend);
    let (_, screen) = rig.run_on_terminal(&["aws", "plan"], &[]);
    assert!(screen.contains("\u{1b}[32m+ create bucket"), "{screen}");
    let (_, screen) = rig.run_on_terminal(&["aws", "plan", "--no-color"], &[]);
    assert!(!screen.contains('\u{1b}'), "{screen}");
    assert!(!rig.run(&["aws", "plan"]).stdout.contains('\u{1b}'));
    assert!(rig.run(&["aws", "plan", "--color", "always"]).stdout.contains("\u{1b}[32m"));
    let none = rig.run_with(&["aws", "plan", "--color", "auto"], |command| {
        command.env("NO_COLOR", "1");
    });
    assert!(!none.stdout.contains('\u{1b}'));
}

fn slow_answer_looks_again_and_stops_if_the_cloud_changed(backend: Backend) {
    let rig = planned(backend);
    // The bucket appears while the question waits for longer than a look stays good.
    let seen = std::thread::scope(|scope| {
        let answered = scope.spawn(|| rig.run_on_terminal_slowly(&["aws", "apply"], &[(QUESTION, "yes\n")], 21));
        while rig.proxy.count("s3:HeadBucket") == 0 {
            std::thread::sleep(Duration::from_millis(50));
        }
        std::thread::sleep(Duration::from_secs(2));
        rig.boto3("sqs.create_queue(QueueName='acme-{s}-events')");
        answered.join().unwrap()
    });
    assert_eq!(seen.0, 3, "{}", seen.1);
    assert!(seen.1.contains("the cloud changed while you were asked"), "{}", seen.1);
    assert!(rig.proxy.writes().is_empty());
}
