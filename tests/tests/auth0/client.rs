//! Auth0's own Python client on the sandbox: what it makes the binary finds, and what the binary made it reads.

use provision_tests::python;

use super::{PLAN_FILE, apply, foreign, stage};

fn python(stage: &provision_tests::stage::Stage, script: &str) {
    let output = python::AUTH0.run(script, &stage.environment());
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn what_the_binary_made_the_official_client_reads_and_changes() {
    let stage = stage();
    apply(&stage, PLAN_FILE);
    foreign(&stage.hand());
    python(&stage, include_str!("client.py"));
    let drift = stage.run(&["auth0", "drift"]);
    assert_eq!(drift.code, 2, "{}{}", drift.stdout, drift.stderr);
    assert!(drift.stdout.contains("web_origins"), "{}", drift.stdout);
}
