//! What no emulator says: throttling, conflicts, denials, lost answers, signals.

use std::collections::BTreeSet;
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use provision_sandbox::fault::{Fault, Nth, What, When};
use provision_tests::run::signal;
use provision_tests::stage::{PACE, Stage};

use crate::clouds::{Place, fault, wrote_nothing};

contract! {
    everywhere: [],
    sandboxes: [
        passing_faults_are_repeated = "The fault layer answers in place of the service.",
        effect_without_an_answer_is_found_and_finished = "The fault layer takes the answer away.",
        retry_after_is_obeyed = "The fault layer answers in place of the service.",
        denied_write_is_final_and_names_the_call = "The fault layer answers in place of the service.",
        denied_read_is_unknown_never_in_sync = "The fault layer answers in place of the service.",
        refusal_in_nobodys_words_is_no_missing_right_and_nothing_missing = "The fault layer answers in place of the service.",
        interrupted_apply_says_what_is_done_and_the_rerun_finishes = "The signal is the binary's affair.",
        second_signal_stops_waiting_and_does_not_call_it_done = "The signal is the binary's affair.",
        time_limit_stops_like_a_signal_and_the_rerun_finishes = "The clock is the binary's affair.",
        time_limit_and_signals_end_a_look_too = "The clock and the signal are the binary's affair.",
        final_error_ends_the_look_after_the_writes = "The fault layer answers in place of the service.",
        without_a_terminal_the_flag_to_add_is_named = "Nothing is sent.",
        nothing_is_repeated_after_a_signal = "The signal is the binary's affair.",
    ],
}

fn passing_faults_are_repeated(cloud: &Place) {
    let undisturbed = done_by_apply(cloud);
    side_by_side(&(cloud.faults.passing)(), |(operation, what)| {
        let stage = cloud.planned();
        stage.faults().clear();
        fault(&stage, operation, Nth::Number(1), what.clone());
        cloud.succeed(&stage, &["apply", "--yes"]);
        let usual = undisturbed.iter().filter(|done| done == operation).count();
        assert!(stage.faults().count(operation) > usual, "{operation} was not repeated: {:?}", stage.writes());
        cloud.is_in_sync(&stage);
        assert_eq!((cloud.ours)(&stage.hand()), cloud.applied, "{operation} {what:?}");
    });
}

/// Try each, all at the same time: they mostly wait.
fn side_by_side<T: Sync>(all: &[T], attempt: impl Fn(&T) + Sync) {
    let attempt = &attempt;
    std::thread::scope(|scope| {
        all.iter().for_each(|one| drop(scope.spawn(move || attempt(one))));
    });
}

/// The operations of an apply that nothing disturbs, without those that are sent again since something is not seen yet.
fn done_by_apply(cloud: &Place) -> Vec<String> {
    let stage = cloud.planned();
    cloud.succeed(&stage, &["apply", "--yes"]);
    let done = stage.calls().into_iter().filter(|record| record.status.is_some_and(|status| status < 400));
    done.map(|record| record.operation).collect()
}

fn effect_without_an_answer_is_found_and_finished(cloud: &Place) {
    side_by_side(cloud.faults.lost, |operation| {
        let stage = cloud.planned();
        let (operation, nth) = ((*operation).to_owned(), Nth::Number(1));
        stage.faults().clear();
        stage.faults().fault(Fault { operation: operation.clone(), nth, at: When::After, what: What::Drop });
        cloud.succeed(&stage, &["apply", "--yes"]);
        assert!(stage.faults().count(&operation) >= 1, "{operation} never came: {:?}", stage.writes());
        cloud.is_in_sync(&stage);
        assert_eq!((cloud.ours)(&stage.hand()), cloud.applied, "{operation}");
    });
}

fn retry_after_is_obeyed(cloud: &Place) {
    let stage = cloud.planned();
    let (operation, what) = (cloud.faults.patient)();
    fault(&stage, operation, Nth::Number(1), what);
    cloud.succeed(&stage, &["apply", "--yes"]);
    let records = stage.faults().records();
    let mut calls: Vec<_> = records.iter().filter(|record| record.operation == operation).collect();
    calls.sort_by_key(|record| record.start);
    let refused = calls.iter().position(|record| record.status.is_some_and(|status| status >= 400)).unwrap();
    // Another resource's call of the same name may come in between.
    let next = calls[refused + 1..].iter().find(|record| record.path == calls[refused].path);
    let waited = next.unwrap_or_else(|| panic!("{operation} was not repeated")).start - calls[refused].end;
    assert!(waited * PACE >= Duration::from_secs(2), "{operation} was repeated after {waited:?}");
    cloud.is_in_sync(&stage);
}

fn denied_write_is_final_and_names_the_call(cloud: &Place) {
    let stage = cloud.planned();
    let denied = &cloud.faults.denied;
    let (code, message) = (denied.code.to_owned(), denied.message.to_owned());
    fault(&stage, denied.operation, Nth::Every, What::Error { status: 403, code, message });
    let ran = cloud.ends(&stage, 5, &["apply", "--yes"]);
    for text in denied.says {
        assert!(ran.contains(text), "{text}: {ran}");
    }
    assert_eq!(stage.faults().count(denied.operation), denied.at_once);
    stage.faults().clear();
    let plan = cloud.ends(&stage, 2, &["plan", "--detailed-exitcode"]);
    assert!(plan.contains(denied.unfinished), "{plan}");
    cloud.apply(&stage);
    cloud.is_in_sync(&stage);
}

fn denied_read_is_unknown_never_in_sync(cloud: &Place) {
    let stage = cloud.applied();
    let (operation, address) = cloud.faults.denied_read;
    fault(&stage, operation, Nth::Every, (cloud.faults.refusal)());
    let drift = cloud.ends(&stage, 1, &["drift"]);
    assert!(drift.contains("unknown") && drift.contains(address) && !drift.contains("in sync"), "{drift}");
    cloud.ends(&stage, 1, &["apply", "--yes"]);
    wrote_nothing(&stage);
}

/// A proxy or a portal refuses for the service, whatever is read: that says neither what one may do nor what is there.
fn refusal_in_nobodys_words_is_no_missing_right_and_nothing_missing(cloud: &Place) {
    let stage = cloud.applied();
    stage.faults().clear();
    cloud.succeed(&stage, &["plan"]);
    let reads: BTreeSet<_> = stage.calls().into_iter().map(|record| record.operation).collect();
    let reads = reads.iter().filter(|operation| !operation.starts_with("login:"));
    // Which rights are missing is asked beside, and need not be known.
    let asks = [
        "simulateprincipalpolicy",
        "iam:getrole",
        "testiampermissions",
        "geteffectiveorgpolicy",
        "permissions.list",
        "denyassignments.list",
        "checkpolicyrestrictions",
    ];
    let reads = reads.filter(|operation| !asks.iter().any(|ask| operation.to_lowercase().ends_with(ask)));
    for operation in reads.filter(|operation| !cloud.faults.bodiless.contains(&operation.as_str())) {
        for status in [403, 404, 501] {
            stage.faults().clear();
            let headers = vec![("content-type".to_owned(), "text/html".to_owned())];
            let body =
                "<!DOCTYPE html><html><body>Your administrator does not let you go there</body></html>".to_owned();
            fault(&stage, operation, Nth::Every, What::Answer { status, headers, body });
            let ran = cloud.run(&stage, &["apply", "--yes"]);
            assert_eq!(ran.code, 1, "{operation} {status}: {}{}", ran.stdout, ran.stderr);
            let ran = ran.stdout + &ran.stderr;
            assert!(ran.contains(&(cloud.faults.says)(operation)), "{operation} {status} is not named: {ran}");
            assert!(!ran.contains("grant `"), "{operation} {status} is taken for a missing right: {ran}");
            wrote_nothing(&stage);
        }
    }
    stage.faults().clear();
    cloud.is_in_sync(&stage);
}

fn interrupted_apply_says_what_is_done_and_the_rerun_finishes(cloud: &Place) {
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        let stage = cloud.planned();
        stage.faults().clear();
        stage.faults().set_latency(Duration::from_millis(300));
        let child = cloud.spawn(&stage, &["apply", "--yes"]);
        wait_for(&stage, cloud.faults.begins);
        signal(&child, name);
        let ran = stage.finished(child);
        assert_eq!(ran.code, code, "{}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains("done:") && ran.stderr.contains("again: it goes on"), "{}", ran.stderr);
        stage.faults().set_latency(Duration::ZERO);
        cloud.apply(&stage);
        cloud.is_in_sync(&stage);
        assert_eq!((cloud.ours)(&stage.hand()), cloud.applied);
    }
}

fn second_signal_stops_waiting_and_does_not_call_it_done(cloud: &Place) {
    use std::io::{BufRead as _, BufReader, Read as _};
    let stage = cloud.planned();
    // Longer than the test may take: whoever waits for the answer is found out.
    let endless = Duration::from_secs(600);
    fault(&stage, cloud.faults.begins, Nth::Every, What::Delay(endless));
    let mut child = cloud.spawn(&stage, &["apply", "--yes"]);
    let mut printed = BufReader::new(child.stderr.take().unwrap());
    wait_for_start(&stage, cloud.faults.begins);
    signal(&child, "INT");
    let mut text = String::new();
    while !text.contains("no new writes") {
        assert!(printed.read_line(&mut text).unwrap() > 0, "it ended: {text}");
    }
    signal(&child, "INT");
    printed.read_to_string(&mut text).unwrap();
    let ran = stage.finished(child);
    assert_eq!(ran.code, 130, "{text}");
    let not_done = text.split("not done:").nth(1).unwrap_or_default();
    let bucket = stage.fill(cloud.bucket);
    assert!(not_done.lines().any(|line| line.contains("create") && line.contains(&bucket)), "{text}");
}

fn time_limit_stops_like_a_signal_and_the_rerun_finishes(cloud: &Place) {
    let stage = cloud.planned();
    // Until then, nothing is written twice.
    fault(&stage, cloud.faults.begins, Nth::Number(1), What::Delay(Duration::from_secs(4)));
    let ran = cloud.run(&stage, &["apply", "--yes", "--timeout", "3"]);
    assert_eq!(ran.code, 5, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("time limit: no new writes") && ran.stderr.contains("not done:"), "{}", ran.stderr);
    stage.faults().clear();
    cloud.apply(&stage);
    cloud.is_in_sync(&stage);
}

/// A service that never answers keeps no command: those that only look, and those that would write afterwards.
fn time_limit_and_signals_end_a_look_too(cloud: &Place) {
    let stage = cloud.applied();
    let endless = Duration::from_secs(600);
    let (looked_at, _) = cloud.faults.denied_read;
    let commands: [&[&str]; 4] = [&["plan"], &["drift"], &["apply", "--yes"], &["destroy", "--yes"]];
    side_by_side(&commands, |command| {
        fault(&stage, looked_at, Nth::Every, What::Delay(endless));
        let ran = cloud.run(&stage, &[*command, &["--timeout", "3"]].concat());
        assert_eq!(ran.code, 1, "{command:?}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains("the time limit is over; nothing was written"), "{}", ran.stderr);
    });
    let begun = stage.faults().begun(looked_at);
    let child = cloud.spawn(&stage, &["apply", "--yes"]);
    wait_until(looked_at, || stage.faults().begun(looked_at) > begun);
    signal(&child, "TERM");
    let ran = stage.finished(child);
    assert_eq!(ran.code, 143, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("interrupted; nothing was written"), "{}", ran.stderr);
    wrote_nothing(&stage);
}

/// Credentials that expire after the last write: the run ends under that name, and says that everything is written.
fn final_error_ends_the_look_after_the_writes(cloud: &Place) {
    let (looked_at, _) = cloud.faults.denied_read;
    let usual = cloud.planned();
    usual.faults().clear();
    cloud.succeed(&usual, &["apply", "--yes"]);
    let last = usual.writes().pop().unwrap();
    let stage = cloud.planned();
    let (written, was_written) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let may_go_on = Mutex::new(may_go_on);
    stage.hook(&last, usual.faults().begun(&last), When::After, move |_| {
        written.send(()).unwrap();
        may_go_on.lock().unwrap().recv().unwrap();
    });
    let child = cloud.spawn(&stage, &["apply", "--yes"]);
    was_written.recv_timeout(Duration::from_secs(60)).unwrap();
    let before = stage.faults().begun(looked_at);
    fault(&stage, looked_at, Nth::Every, (cloud.faults.refusal)());
    go_on.send(()).unwrap();
    let ran = stage.finished(child);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(ran.code == 1 && said.contains("everything is written"), "{said}");
    assert!(said.contains("permission denied") && !said.contains("a bug"), "{said}");
    assert_eq!(stage.faults().begun(looked_at), before + 1, "{said}");
    stage.faults().clear();
    cloud.is_in_sync(&stage);
}

fn without_a_terminal_the_flag_to_add_is_named(cloud: &Place) {
    let stage = cloud.planned();
    for command in ["apply", "destroy"] {
        let ran = cloud.ends(&stage, 64, &[command]);
        assert!(ran.contains("--yes"), "{ran}");
    }
    assert!(stage.faults().records().is_empty());
}

/// Wait until an operation has been asked for and answered.
fn wait_for(stage: &Stage, operation: &str) {
    wait_until(operation, || stage.faults().count(operation) > 0);
}

/// Wait until an operation has been asked for.
pub(crate) fn wait_for_start(stage: &Stage, operation: &str) {
    wait_until(operation, || stage.faults().begun(operation) > 0);
}

fn wait_until(what: &str, came: impl Fn() -> bool) {
    let started = Instant::now();
    while !came() {
        assert!(started.elapsed() < Duration::from_secs(60), "{what} never came");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A write that is refused for the time being is not sent again once nothing more is to be written.
fn nothing_is_repeated_after_a_signal(cloud: &Place) {
    use std::io::{BufRead as _, BufReader, Read as _};
    let stage = cloud.planned();
    fault(&stage, cloud.faults.begins, Nth::Every, What::Throttle);
    let mut child = cloud.spawn(&stage, &["apply", "--yes"]);
    let mut printed = BufReader::new(child.stderr.take().unwrap());
    wait_until(cloud.faults.begins, || stage.faults().begun(cloud.faults.begins) >= 2);
    signal(&child, "INT");
    let mut text = String::new();
    while !text.contains("no new writes") {
        assert!(printed.read_line(&mut text).unwrap() > 0, "it ended: {text}");
    }
    let sent = stage.faults().begun(cloud.faults.begins);
    printed.read_to_string(&mut text).unwrap();
    assert_eq!(stage.finished(child).code, 130, "{text}");
    assert_eq!(stage.faults().begun(cloud.faults.begins), sent, "{text}");
    assert!(text.contains("  stop ") && text.contains("not done:"), "{text}");
}
