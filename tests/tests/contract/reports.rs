//! What programs read: JSON by its schemas, and reports in every format.

use provision_sandbox::fault::{Nth, What};
use provision_tests::documents;
use provision_tests::stage::Stage;
use serde_json::{Value, json};

use crate::clouds::{Place, fault};

contract! {
    everywhere: [],
    sandboxes: [
        json_is_as_its_schema_says_however_a_run_ends = "What is printed does not depend on who was asked.",
        reports_hold_all_that_was_found = "What is printed does not depend on who was asked.",
        reports_of_a_plan_and_of_a_saved_one_are_the_same = "What is printed does not depend on who was asked.",
        reports_hold_the_error_and_take_the_place_of_no_other_file = "What is printed does not depend on who was asked.",
    ],
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The last line of a stream, which begins with the version.
fn end(cloud: &Place, stage: &Stage, code: i32, arguments: &[&str]) -> Value {
    let ran = cloud.run(stage, &[arguments, &["--json"]].concat());
    assert_eq!(ran.code, code, "{arguments:?}\n{}{}", ran.stdout, ran.stderr);
    let mut lines = lines(&ran.stdout);
    assert!(lines[0]["type"] == "version" && lines[0]["format"] == 1, "{}", ran.stdout);
    let end = lines.pop().unwrap();
    assert!(end["type"] == "summary" && (end["complete"] == json!(code == 0)), "{end}");
    end
}

/// Each run is judged by the stage.
fn json_is_as_its_schema_says_however_a_run_ends(cloud: &Place) {
    let stage = cloud.planned();
    for command in [&["plan"][..], &["drift"], &["output", "--no-secrets"], &["plan", "--out", "set.json"]] {
        cloud.run(&stage, &[command, &["--json"]].concat());
    }
    assert_eq!(stage.run(&["show", "set.json", "--json"]).code, 0);
    let refused = end(cloud, &stage, 64, &["apply"]);
    assert!(refused["deployment"].is_null() && refused["errors"][0]["kind"] == "usage", "{refused}");
    let denied = &cloud.faults.denied;
    let what = What::Error { status: 403, code: denied.code.to_owned(), message: denied.message.to_owned() };
    fault(&stage, denied.operation, Nth::Every, what);
    let partly = end(cloud, &stage, 5, &["apply", "--yes"]);
    assert!(partly["failed"].as_array().is_some_and(|failed| !failed.is_empty()), "{partly}");
    assert_eq!(partly["failed"].as_array().unwrap().len(), partly["errors"].as_array().unwrap().len());
    stage.faults().clear();
    let applied = end(cloud, &stage, 0, &["apply", "--yes"]);
    for line in cloud.plans.outputs {
        let (name, value) = line.trim_end().split_once('=').unwrap();
        assert_eq!(applied["outputs"][name], json!({"value": value, "sensitive": false}));
    }
    let open = cloud.succeed(&stage, &["output", "--no-secrets", "--format", "json"]);
    let open: Value = serde_json::from_str(&open).unwrap();
    for (name, setting) in applied["outputs"].as_object().unwrap() {
        let sealed = json!({"value": null, "sensitive": true});
        assert!(open.get(name).is_some() || *setting == sealed, "{name}: {setting}");
    }
    let none = end(cloud, &stage, 0, &["apply", "--yes"]);
    assert!(none["done"] == json!([]) && none["changes"] == json!({}), "{none}");
    cloud.run(&stage, &["output", "--reveal", "--json"]);
    end(cloud, &stage, 0, &["destroy", "--yes"]);
    looked_at_in_vain(cloud);
}

/// All is written, and the look after it fails.
fn looked_at_in_vain(cloud: &Place) {
    let stage = cloud.planned();
    let (operation, answer) = (cloud.faults.ignored)();
    fault(&stage, operation, Nth::Every, answer);
    let unseen = end(cloud, &stage, 1, &["apply", "--yes"]);
    let done = unseen["done"].as_array().unwrap();
    assert!(!done.is_empty() && unseen["failed"] == json!([]) && unseen["errors"][0]["text"].is_string(), "{unseen}");
}

const DRIFT: [&str; 8] = [
    "--report",
    "json=found.json",
    "--report",
    "markdown=found.md",
    "--report",
    "junit=found.xml",
    "--report",
    "sarif=found.sarif",
];

fn reports_hold_all_that_was_found(cloud: &Place) {
    let stage = cloud.applied();
    cloud.change(&stage, cloud.plans.queue_renamed.0);
    cloud.apply(&stage);
    cloud.edit(&stage, cloud.edits.facets[0].make);
    cloud.edit(&stage, cloud.edits.renamed_gone);
    let pending = cloud.plans.settings.iter().map(|setting| setting.pair());
    let changes: Vec<_> = cloud.plans.queue_renamed.0.iter().copied().chain(pending.take(1)).collect();
    cloud.change(&stage, &changes);
    cloud.ends(&stage, 2, &[&["drift"], &DRIFT[..]].concat());
    let found = told(&stage);
    for part in ["\"missing\":true", "\"orphans\":[{", "\"finding\":\"drift\""] {
        assert!(found.to_string().contains(part), "{part}: {found}");
    }
    let (operation, text) = cloud.faults.denied_read;
    let code = cloud.faults.denied.code.to_owned();
    fault(
        &stage,
        operation,
        Nth::Every,
        What::Error { status: 403, code, message: "no | <b>@me</b> `way`".to_owned() },
    );
    cloud.ends(&stage, 1, &[&["drift"], &DRIFT[..]].concat());
    let found = told(&stage).to_string();
    assert!(found.contains("no | <b>@me</b> `way`"), "{text}: {found}");
    let stage = cloud.planned();
    cloud.edit(&stage, cloud.foreign.unmarked);
    cloud.ends(&stage, 6, &[&["drift"], &DRIFT[..]].concat());
    assert!(told(&stage).to_string().contains("\"action\":\"refuse\""));
}

/// What the reports of the stage tell, each of which tells all.
fn told(stage: &Stage) -> Value {
    let [document, markdown, junit, sarif] =
        ["found.json", "found.md", "found.xml", "found.sarif"].map(|name| stage.read(name));
    documents::judge_json("drift", &document);
    documents::judge_junit(&junit);
    documents::judge_sarif(&sarif);
    let document: Value = serde_json::from_str(&document).unwrap();
    let sarif: Value = serde_json::from_str(&sarif).unwrap();
    let texts = [unescaped(&markdown), unescaped(&junit), strings(&sarif)];
    for fact in document["deployments"].as_array().unwrap().iter().flat_map(facts) {
        for text in &texts {
            assert!(text.contains(&fact), "{fact} is not in {text}");
        }
    }
    assert!(!markdown.contains("<b>") && markdown.len() < 65_536, "{markdown}");
    document
}

/// What must be told of a deployment.
fn facts(looked: &Value) -> Vec<String> {
    let set = &looked["change_set"];
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    let mut facts: Vec<_> = list(&set["warnings"]).iter().chain([&looked["verdict"]]).map(text).collect();
    facts.extend(list(&set["orphans"]).iter().map(|orphan| text(&orphan["name"])));
    let unread = list(&set["errors"]).into_iter().filter(|error| error["kind"] != "refused");
    facts.extend(unread.map(|error| text(&error["text"])));
    facts.push(text(&looked["error"]["text"]));
    let told = |change: &Value| !["no_op", "record"].contains(&change["action"].as_str().unwrap());
    for change in list(&set["changes"]).iter().filter(|change| told(change)) {
        facts.extend([&change["name"], &change["refusal"]["reason"], &change["refusal"]["hint"]].map(text));
        let differs = |facet: &&Value| ["drift", "both", "pending"].contains(&facet["finding"].as_str().unwrap());
        let facets = list(&change["facets"]);
        let facets = facets.iter().filter(differs).filter(|_| change["action"] == "update");
        facts.extend(facets.map(|facet| text(&facet["facet"])));
    }
    // SARIF has no place for what a deployment comes to: its results say it.
    facts.retain(|fact| *fact != looked["verdict"].as_str().unwrap());
    facts
}

/// All texts of a document.
fn strings(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{text}\n"),
        Value::Array(list) => list.iter().map(strings).collect(),
        Value::Object(members) => members.values().map(strings).collect(),
        _ => String::new(),
    }
}

/// A text as a reader of XML and of Markdown sees it, with spaces where lines end.
fn unescaped(text: &str) -> String {
    let mut parts = text.split('&');
    let first = parts.next().unwrap_or_default().to_owned();
    let named = |name: &str| match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => char::from_u32(name.strip_prefix('#')?.parse().ok()?),
    };
    let text = parts.fold(first, |text, part| {
        let (name, rest) = part.split_once(';').unwrap();
        format!("{text}{}{rest}", named(name).unwrap())
    });
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn reports_of_a_plan_and_of_a_saved_one_are_the_same(cloud: &Place) {
    let stage = cloud.applied();
    cloud.change(&stage, cloud.plans.update);
    let reports = |name: &str| ["markdown", "gitlab", "json"].map(|format| format!("{format}={name}.{format}"));
    let with_reports = |arguments: &[&str], name: &str| {
        let reports = reports(name);
        let reports = reports.iter().flat_map(|report| ["--report", report.as_str()]);
        stage.run(&arguments.iter().copied().chain(reports).collect::<Vec<_>>())
    };
    let planned = with_reports(&[cloud.name, "plan", "--detailed-exitcode", "--out", "set"], "plan");
    assert_eq!(planned.code, 2, "{}", planned.stderr);
    assert_eq!(with_reports(&["show", "set"], "show").code, 0);
    for format in ["markdown", "gitlab", "json"] {
        let [plan, show] = ["plan", "show"].map(|name| stage.read(&format!("{name}.{format}")));
        assert_eq!(plan, show);
        let printed = stage.run(&["show", "set", "--format", format]).stdout;
        assert_eq!(stage.emptied(&plan), printed);
    }
    let document: Value = serde_json::from_str(&stage.read("plan.json")).unwrap();
    documents::judge_json("plan", &document.to_string());
    let updates = document["changes"].as_array().unwrap().iter().filter(|change| change["action"] == "update");
    let updated: Vec<_> = updates.map(|change| change["name"].as_str().unwrap()).collect();
    let gitlab: Value = serde_json::from_str(&stage.read("plan.gitlab")).unwrap();
    assert_eq!(gitlab, json!({"create": 0, "update": updated.len(), "delete": 0}));
    let markdown = unescaped(&stage.read("plan.markdown"));
    assert!(updated.iter().all(|name| markdown.contains(name)), "{markdown}");
    assert!(markdown.contains(&format!("{} to update", updated.len())), "{markdown}");
    assert!(stage.run(&["show", "set", "--format", "text"]).stdout.contains("to update"));
    stage.write("provision.toml", cloud.plans.whole);
    with_reports(&[cloud.name, "plan", "--destroy"], "gone");
    let gone: Value = serde_json::from_str(&stage.read("gone.gitlab")).unwrap();
    assert!(gone["delete"].as_u64().unwrap() > 0 && gone["create"] == 0, "{gone}");
}

fn reports_hold_the_error_and_take_the_place_of_no_other_file(cloud: &Place) {
    let stage = cloud.planned();
    let plan_file = stage.read("provision.toml");
    for (code, report) in
        [(64, "pdf=a"), (64, "markdown"), (64, "markdown="), (64, "text=a"), (64, "json=provision.toml")]
    {
        let ran = cloud.ends(&stage, code, &["plan", "--report", report]);
        assert!(ran.contains("--report"), "{ran}");
    }
    cloud.ends(&stage, 64, &["plan", "--report", "json=a", "--report", "markdown=a"]);
    cloud.ends(&stage, 64, &["plan", "--report", "json=a", "--report", "markdown=./a"]);
    cloud.ends(&stage, 64, &["plan", "--out", "a", "--report", "markdown=a"]);
    assert_eq!(stage.read("provision.toml"), plan_file);
    cloud.ends(&stage, 1, &["plan", "--report", "json=no/such/folder"]);
    let (without, with) = cloud.credentials;
    let mut arguments = vec![cloud.name, "drift"];
    arguments.extend(DRIFT);
    let ran = stage.run_with(&arguments, |command| {
        for name in without {
            command.env_remove(name);
        }
        command.envs(with.iter().copied());
    });
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    told(&stage);
    stage.write("provision.toml", "[deployment]\nname = \"A\"\n");
    cloud.ends(&stage, 64, &[&["drift"], &DRIFT[..]].concat());
    let plans = ["--report", "markdown=plan.md", "--report", "gitlab=plan.gitlab"];
    cloud.ends(&stage, 64, &[&["plan"], &plans[..]].concat());
    for name in ["found.json", "found.md", "found.xml", "found.sarif", "plan.md", "plan.gitlab"] {
        let text = unescaped(&stage.read(name).replace("\\\"", "\""));
        assert!(text.contains(&format!("no [{}] section", cloud.name)), "{name}: {text}");
    }
    documents::judge_junit(&stage.read("found.xml"));
    documents::judge_sarif(&stage.read("found.sarif"));
    // GitLab shows a report without counts as one that failed.
    assert!(!stage.read("plan.gitlab").contains("create"));
}

#[test]
fn schemas_refuse_what_they_do_not_name() {
    for (of, document) in [
        ("plan", json!({"format": 1, "tool": "0", "errors": []})),
        ("drift", json!({"format": 1, "tool": "0", "deployments": []})),
        ("output", json!({"format": 1, "tool": "0", "outputs": {}})),
        ("output", json!({"format": 1, "tool": "0", "deployments": [], "errors": []})),
        ("diff", json!({"format": 1, "tool": "0", "same": true, "deployments": []})),
        ("doctor", json!({"format": 1, "tool": "0", "cloud": "aws", "plan_file": null, "healthy": true, "checks": []})),
        ("events", json!({"type": "version", "format": 1, "tool": "0", "time": "2026-01-01T00:00:00Z"})),
    ] {
        let validator = jsonschema::validator_for(&documents::schema(of)).unwrap();
        assert!(validator.is_valid(&document), "{of}");
        let mut other = document.clone();
        other["other"] = json!(1);
        assert!(!validator.is_valid(&other), "{of}");
    }
    assert_eq!(documents::schema("plan-file")["required"], json!(["deployment"]));
}
