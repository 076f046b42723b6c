//! What is refused, by us or by Slack, and what is said of it.

use std::time::Duration;

use provision_sandbox::fault::{Fault, Nth, What, When};

use super::{PLAN, applied, edit, ends, planned, run};

#[test]
fn creation_needs_a_place_for_the_secret_before_anything_is_sent() {
    let stage = planned(PLAN);
    let refused = ends(&stage, 64, &["apply", "--yes"]);
    assert!(refused.contains("SLACK_SECRET is given once") && refused.contains("--reveal"), "{refused}");
    let refused = ends(&stage, 64, &["apply", "--yes", "--out", "provision.toml"]);
    assert!(refused.contains("is the plan file itself"), "{refused}");
    let refused = ends(&stage, 64, &["apply", "--yes", "--out", "no/such/folder.env"]);
    assert!(refused.contains("cannot be written"), "{refused}");
    let refused = stage.run(&["slack", "apply", "--yes", "--reveal", "--json"]);
    assert_eq!(refused.code, 64, "{}", refused.stderr);
    assert!(stage.faults().records().is_empty());
    assert_eq!(stage.read("provision.toml"), PLAN);
}

#[test]
fn token_that_is_not_taken_says_how_to_get_one() {
    let stage = applied(PLAN);
    let with = |token: Option<&str>| {
        let ran = stage.run_with(&["slack", "plan"], |command| match token {
            Some(token) => {
                command.env("SLACK_CONFIG_TOKEN", token);
            }
            None => {
                command.env_remove("SLACK_CONFIG_TOKEN");
            }
        });
        assert_eq!(ran.code, 4, "{token:?}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains("api.slack.com/apps"), "{}", ran.stderr);
        ran.stderr
    };
    assert!(with(None).contains("SLACK_CONFIG_TOKEN is not set"));
    assert!(with(Some("xoxb-1-hunter2")).contains("a token of another kind"));
    assert!(with(Some("xoxe.xoxp-1-hunter2")).contains("your workspace does not take requests from this address"));
    stage.sandbox().world().clock.advance(Duration::from_secs(12 * 3600 + 1));
    assert!(with(Some(super::TOKEN)).contains("provision slack token --out FILE"));
}

#[test]
fn mistakes_in_the_section_are_shown_with_their_lines() {
    let text =
        PLAN.replace("\"203.0.113.7\"", "\"10.0.0.1\"") + "app_id = \"B1\"\nredirect_urls = [\"http://a.example\"]\n";
    let stage = planned(&text);
    let printed = ends(&stage, 64, &["plan"]);
    for expected in
        ["provision.toml:7:", "provision.toml:10:", "provision.toml:11:", "no local addresses", "https addresses only"]
    {
        assert!(printed.contains(expected), "no {expected} in {printed}");
    }
    assert!(stage.faults().records().is_empty());
    let eleven: Vec<_> = (0..11).map(|last| format!("203.0.113.{last}")).collect();
    stage.write("provision.toml", &PLAN.replace("\"203.0.113.7\",", &format!("{eleven:?}").replace(['[', ']'], "")));
    assert!(ends(&stage, 64, &["plan"]).contains("at most 10"));
    stage.write("provision.toml", PLAN);
    assert!(ends(&stage, 0, &["plan"]).contains("not the webhooks that the server uses"));
}

#[test]
fn endpoint_that_a_token_must_not_be_sent_to_is_refused() {
    let stage = planned(PLAN);
    for endpoint in ["http://slack.example.com/api", "slack.com"] {
        let ran = stage.run_with(&["slack", "plan"], |command| {
            command.env("PROVISION_SLACK_ENDPOINT", endpoint);
        });
        let told = format!("cannot use PROVISION_SLACK_ENDPOINT=`{endpoint}`: ");
        assert!(ran.code == 1 && ran.stderr.contains(&told), "{} {}", ran.code, ran.stderr);
    }
    assert!(stage.faults().records().is_empty());
}

/// What cannot be read is not known: never "not there", and never as a new one has it.
#[test]
fn answer_that_is_no_manifest_is_unknown() {
    let ok = |manifest: &str| format!("{{\"ok\": true, \"manifest\": {manifest}}}");
    for body in [
        "<html>sign in</html>".to_owned(),
        "{}".to_owned(),
        "{\"ok\": true}".to_owned(),
        ok("{}"),
        ok("{\"display_information\": {\"name\": \"a\"}, \"oauth_config\": {\"redirect_urls\": {}}}"),
        "{\"ok\": false}".to_owned(),
    ] {
        let stage = applied(PLAN);
        let what = What::Answer { status: 200, headers: Vec::new(), body: body.clone() };
        let operation = "slack:apps.manifest.export".to_owned();
        stage.faults().clear();
        stage.faults().fault(Fault { operation, nth: Nth::Every, at: When::Before, what });
        for command in [&["plan"][..], &["drift"], &["apply", "--yes"], &["destroy", "--yes"]] {
            let printed = ends(&stage, 1, command);
            assert!(printed.contains("the answer cannot be read"), "{body}: {printed}");
        }
        assert_eq!(stage.writes(), Vec::<String>::new(), "{body}");
    }
}

#[test]
fn app_of_slack_is_not_looked_for_in_the_sandbox_nor_the_other_way_round() {
    let stage = planned(&format!("{PLAN}app_id = \"A012ABCD0A0\"\n"));
    let refused = ends(&stage, 6, &["plan", "--sandbox"]);
    assert!(refused.contains("rehearse with a copy of the plan file without it"), "{refused}");
    stage.write("provision.toml", &format!("{PLAN}app_id = \"A0SANDBOX7\"\n"));
    let refused = ends(&stage, 6, &["plan"]);
    assert!(refused.contains("if it is one of a rehearsal's"), "{refused}");
}

#[test]
fn token_is_made_anew_and_saved_first() {
    let stage = planned(PLAN);
    let made = run(&stage, &["token", "--out", "pair.env"]);
    assert_eq!(made.code, 0, "{}{}", made.stdout, made.stderr);
    assert!(made.stdout.contains("for 12 hours") && !made.stdout.contains("xoxe"), "{}", made.stdout);
    assert_eq!(stage.read("pair.env"), "SLACK_CONFIG_TOKEN=xoxe.xoxp-2-sandbox\nSLACK_REFRESH_TOKEN=xoxe-2-sandbox\n");
    // The file's own is newer than that of the environment, which is used up.
    ends(&stage, 0, &["token", "--out", "pair.env"]);
    assert!(stage.read("pair.env").contains("xoxe-3-sandbox"));
    let used = ends(&stage, 4, &["token", "--out", "other.env"]);
    assert!(used.contains("each refresh token can be used once") && !used.contains("xoxe-"), "{used}");
    // Where the pair could not be saved, it is not asked for.
    stage.faults().clear();
    let failed = run(&stage, &["token", "--out", "no/such/folder.env"]);
    assert_eq!(failed.code, 64, "{}", failed.stderr);
    assert_eq!(stage.faults().begun("slack:tooling.tokens.rotate"), 0);
}

/// The run that made the app has changed the plan file, and so has the one that deleted it.
#[test]
fn change_set_that_was_executed_is_told_so_and_not_that_the_plan_file_changed() {
    let stage = planned(PLAN);
    let first = ends(&stage, 0, &["plan", "--out", "made.json"]);
    assert!(first.contains("SLACK_CLIENT_ID") && first.contains("known once it is made"), "{first}");
    ends(&stage, 0, &["apply", "made.json", "--out", "slack.env"]);
    let again = ends(&stage, 3, &["apply", "made.json", "--out", "other.env"]);
    assert!(again.contains("this change set was applied already"), "{again}");
    ends(&stage, 0, &["plan", "--destroy", "--out", "gone.json"]);
    edit(&stage, "203.0.113.7", "203.0.113.8");
    let edited = ends(&stage, 3, &["destroy", "gone.json"]);
    assert!(edited.contains("says something else now"), "{edited}");
    ends(&stage, 0, &["plan", "--destroy", "--out", "gone.json"]);
    ends(&stage, 0, &["destroy", "gone.json"]);
    let again = ends(&stage, 3, &["destroy", "gone.json"]);
    assert!(again.contains("this change set was applied already"), "{again}");
}
