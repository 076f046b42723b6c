//! What Azure alone has: accounts that deployments share, accounts of another name, its credentials.

use provision_sandbox::EmulatorKind;
use provision_sandbox::azure::CLIENT;
use provision_sandbox::fault::{Fault, Nth, What, When};
use provision_tests::run::Ran;
use provision_tests::stage::{Hand, Stage};
use serde_json::{Value, json};

use crate::clouds::azure::{ACCOUNT, GROUP, assignments, container, events, queue, rules, set_rules};
use crate::clouds::{AZURE, fault};

/// A deployment in an account that others use too.
const SHARED: &str = r#"
[deployment]
name = "wandb-one"
host = "https://wandb.example.com"
[azure]
subscription = "00000000-0000-0000-0000-000000000000"
resource_group = { name = "wandb" }
[azure.account]
name = "acmefiles"
create = false
[azure.container]
name = "one-files"
adopt = true
[azure.queue]
name = "one-events"
adopt = true
[azure.access]
principal_id = "11111111-1111-1111-1111-111111111111"
"#;

/// A stage with the shared account and nothing in it.
fn shared() -> Stage {
    let stage = Stage::start(EmulatorKind::Azure);
    (AZURE.seed)(&stage);
    let hand = stage.hand();
    hand.send("PUT", GROUP, json!({"location": "westeurope"}));
    hand.send("PUT", ACCOUNT, json!({"location": "westeurope", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}));
    stage.write("one.toml", SHARED);
    stage.write("two.toml", &SHARED.replace("one", "two"));
    stage.faults().clear();
    stage
}

fn upload(hand: &Hand, container: &str, name: &str) {
    hand.send("PUT", &format!("blob:/acmefiles/{container}/{name}"), json!("content"));
}

/// How many messages wait, all of which are about this container.
fn messages(hand: &Hand, queue: &str, container: &str) -> usize {
    let answer = hand.send("GET", &format!("queue:/acmefiles/{queue}/messages?numofmessages=32"), Value::Null);
    let texts = answer.as_str().unwrap_or_default().split("<MessageText>").skip(1);
    let texts = texts.filter_map(|rest| rest.split("</MessageText>").next());
    let about = |text: &str| {
        let event = String::from_utf8(data_encoding::BASE64.decode(text.as_bytes()).unwrap()).unwrap();
        assert!(event.contains(&format!("/containers/{container}/blobs/")), "{event}");
    };
    texts.map(about).count()
}

/// The rule that a plan file with this host wants.
fn rule(host: &str) -> Value {
    json!({"allowedOrigins": [host], "allowedMethods": ["PUT", "GET", "HEAD"], "allowedHeaders": ["*"],
        "exposedHeaders": ["*"], "maxAgeInSeconds": 3000})
}

#[test]
fn two_deployments_share_one_account() {
    let stage = shared();
    let hand = stage.hand();
    for (plan, place) in [("one.toml", "one"), ("two.toml", "two")] {
        AZURE.succeed(&stage, &["apply", plan, "--yes"]);
        assert_eq!(AZURE.succeed(&stage, &["drift", plan]), format!("wandb-{place}: in sync\n"));
    }
    assert_eq!((rules(&hand).len(), events(&hand).len(), assignments(&hand).len()), (1, 2, 4));
    for place in ["one", "two", "two"] {
        upload(&hand, &format!("{place}-files"), "run");
    }
    assert_eq!(messages(&hand, "one-events", "one-files"), 1);
    assert_eq!(messages(&hand, "two-events", "two-files"), 2);

    AZURE.succeed(&stage, &["destroy", "one.toml", "--yes", "--delete-data", "one-files"]);
    assert_eq!(AZURE.succeed(&stage, &["drift", "two.toml"]), "wandb-two: in sync\n");
    assert_eq!((rules(&hand).len(), events(&hand).len(), assignments(&hand).len()), (1, 1, 3));
    let gone = AZURE.ends(&stage, 2, &["drift", "one.toml"]);
    assert!(gone.contains("not applied, or gone"), "{gone}");
    stage.faults().clear();
    AZURE.succeed(&stage, &["destroy", "one.toml", "--yes"]);
    assert_eq!(stage.writes(), Vec::<String>::new());
    upload(&hand, "two-files", "later");
    assert_eq!(messages(&hand, "two-events", "two-files"), 1);

    AZURE.succeed(&stage, &["destroy", "two.toml", "--yes", "--delete-data", "two-files"]);
    assert_eq!((rules(&hand), events(&hand), assignments(&hand)), (Vec::new(), Vec::new(), Vec::new()));
    hand.send("GET", ACCOUNT, Value::Null);
}

#[test]
fn rule_that_others_had_is_used_and_left() {
    let stage = shared();
    let hand = stage.hand();
    let theirs = [rule("https://theirs.example.com"), rule("https://wandb.example.com")];
    set_rules(&hand, &theirs);
    let before = rules(&hand);
    stage.faults().clear();
    let plan = AZURE.succeed(&stage, &["plan", "one.toml"]);
    assert!(!plan.contains("azure.cors"), "{plan}");
    AZURE.succeed(&stage, &["apply", "one.toml", "--yes"]);
    assert!(!stage.writes().contains(&"arm:blobServices.put".to_owned()), "{:?}", stage.writes());
    assert_eq!(AZURE.succeed(&stage, &["drift", "one.toml"]), "wandb-one: in sync\n");
    // Who relies on it still hears that it is gone.
    set_rules(&hand, &theirs[..1]);
    let drift = AZURE.ends(&stage, 2, &["drift", "one.toml"]);
    assert!(drift.contains("azure.cors") && drift.contains("is gone"), "{drift}");
    set_rules(&hand, &theirs);
    AZURE.succeed(&stage, &["destroy", "one.toml", "--yes"]);
    assert_eq!(rules(&hand), before);
    let drift = AZURE.ends(&stage, 2, &["drift", "one.toml"]);
    assert!(drift.contains("not applied, or gone"), "{drift}");
}

#[test]
fn rule_that_others_had_stays_theirs_after_a_run_that_was_stopped() {
    let stage = shared();
    let hand = stage.hand();
    let theirs = [rule("https://wandb.example.com")];
    set_rules(&hand, &theirs);
    let before = rules(&hand);
    let (operation, what) = ("arm:eventSubscriptions.put".to_owned(), (AZURE.refusal)());
    stage.faults().fault(Fault { operation, nth: Nth::Number(1), at: When::Before, what });
    AZURE.ends(&stage, 5, &["apply", "one.toml", "--yes"]);
    stage.faults().clear();
    AZURE.succeed(&stage, &["apply", "one.toml", "--yes"]);
    // Another host is another rule, beside theirs; that one is ours.
    stage.write("moved.toml", &SHARED.replace("wandb.example.com", "moved.example.com"));
    assert!(AZURE.succeed(&stage, &["drift", "moved.toml"]).contains("pending"));
    AZURE.succeed(&stage, &["apply", "moved.toml", "--yes"]);
    let found = rules(&hand);
    assert!(found.len() == 2 && found[0]["allowedOrigins"] == json!(["https://moved.example.com"]), "{found:?}");
    assert_eq!(found[1..], before);
    AZURE.succeed(&stage, &["destroy", "moved.toml", "--yes"]);
    assert_eq!(rules(&hand), before);
}

#[test]
fn rule_of_others_for_the_same_origin_is_kept_behind_ours() {
    let stage = shared();
    let hand = stage.hand();
    let mut theirs = rule("https://wandb.example.com");
    theirs["allowedMethods"] = json!(["DELETE"]);
    set_rules(&hand, &[theirs]);
    let before = rules(&hand);
    let plan = AZURE.succeed(&stage, &["plan", "one.toml"]);
    assert!(plan.contains("kept: CORS rule for https://wandb.example.com: DELETE"), "{plan}");
    AZURE.succeed(&stage, &["apply", "one.toml", "--yes"]);
    let found = rules(&hand);
    assert!(found.len() == 2 && found[0]["allowedMethods"] != json!(["DELETE"]), "{found:?}");
    assert_eq!(found[1..], before);
    assert_eq!(AZURE.succeed(&stage, &["drift", "one.toml"]), "wandb-one: in sync\n");
    AZURE.succeed(&stage, &["destroy", "one.toml", "--yes"]);
    assert_eq!(rules(&hand), before);
}

#[test]
fn rule_of_two_deployments_stays_when_one_of_them_moves() {
    let stage = shared();
    for plan in ["one.toml", "two.toml"] {
        AZURE.succeed(&stage, &["apply", plan, "--yes"]);
    }
    stage.write("one.toml", &SHARED.replace("wandb.example.com", "moved.example.com"));
    AZURE.succeed(&stage, &["apply", "one.toml", "--yes"]);
    assert_eq!(rules(&stage.hand()).len(), 2);
    for (plan, place) in [("one.toml", "one"), ("two.toml", "two")] {
        assert_eq!(AZURE.succeed(&stage, &["drift", plan]), format!("wandb-{place}: in sync\n"));
    }
}

#[test]
fn account_s_own_deployment_leaves_its_guests_their_roles() {
    let stage = AZURE.applied();
    stage.write("one.toml", SHARED);
    AZURE.succeed(&stage, &["apply", "one.toml", "--yes"]);
    AZURE.change(&stage, &[("11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222")]);
    AZURE.apply(&stage);
    AZURE.is_in_sync(&stage);
    assert_eq!(AZURE.succeed(&stage, &["drift", "one.toml"]), "wandb-one: in sync\n");
}

/// An event subscription of others on the account, directly or below a system topic of theirs.
fn their_subscription(hand: &Hand, collection: &str, prefix: &str) {
    let body = json!({"properties": {
        "destination": {"endpointType": "StorageQueue", "properties": {
            "resourceId": ACCOUNT, "queueName": "one-events"}},
        "filter": {"subjectBeginsWith": prefix, "includedEventTypes": ["Microsoft.Storage.BlobCreated"]},
    }});
    hand.send("PUT", &format!("{collection}/eventSubscriptions/theirs"), body);
}

#[test]
fn subscription_of_others_that_doubles_ours_is_refused() {
    let stage = shared();
    let hand = stage.hand();
    for place in [container("one-files"), queue("one-events")] {
        hand.send("PUT", &place, json!({}));
    }
    let collection = format!("{ACCOUNT}/providers/Microsoft.EventGrid");
    their_subscription(&hand, &collection, "/blobServices/default/containers/one-files");
    stage.faults().clear();
    let plan = AZURE.ends(&stage, 6, &["plan", "one.toml"]);
    assert!(plan.contains("would hear of each twice") && plan.contains("delete it"), "{plan}");
    // It differs in what the plan file cannot say: no name makes it the one that is wanted.
    assert!(!plan.contains("to use it"), "{plan}");
    assert_eq!(stage.writes(), Vec::<String>::new());
}

#[test]
fn account_with_a_subscription_of_others_below_a_topic_is_not_deleted() {
    let stage = AZURE.applied();
    let hand = stage.hand();
    let topic = format!("{GROUP}/providers/Microsoft.EventGrid/systemTopics/theirs");
    let source = json!({"source": ACCOUNT, "topicType": "Microsoft.Storage.StorageAccounts"});
    hand.send("PUT", &topic, json!({"location": "westeurope", "properties": source}));
    hand.send("PUT", &queue("one-events"), json!({}));
    their_subscription(&hand, &topic, "/blobServices/default/containers/others/");
    hand.send("DELETE", &queue("one-events"), Value::Null);
    stage.faults().clear();
    let refused = AZURE.ends(&stage, 6, &["destroy", "--yes"]);
    assert!(refused.contains("event subscription `theirs`"), "{refused}");
    assert_eq!(stage.writes(), Vec::<String>::new());
}

/// The account, container and queue of the contract's plan file under another account's name, with their marks, as a
/// version that did not know of renamed accounts left them.
fn left_behind(stage: &Stage) -> String {
    let hand = stage.hand();
    let old = ACCOUNT.replace("acmefiles", "acmeold");
    AZURE.change(stage, &[("acmefiles", "acmeold")]);
    AZURE.apply(stage);
    let inside = [container("wandb-files"), queue("wandb-events")].map(|place| place.replace("acmefiles", "acmeold"));
    let account = hand.send("GET", &old, Value::Null);
    let metadata =
        inside.each_ref().map(|place| hand.send("GET", place, Value::Null)["properties"]["metadata"].clone());
    AZURE.succeed(stage, &["destroy", "--yes"]);
    AZURE.change(stage, &[]);
    AZURE.apply(stage);
    let made = json!({"location": "westeurope", "kind": "StorageV2", "sku": {"name": "Standard_ZRS"}, "tags": account["tags"]});
    hand.send("PUT", &old, made);
    for (place, metadata) in inside.iter().zip(metadata) {
        hand.send("PUT", place, json!({"properties": {"metadata": metadata}}));
    }
    stage.faults().clear();
    old
}

#[test]
fn account_of_a_former_name_is_an_orphan_and_its_data_is_kept() {
    let stage = AZURE.planned();
    let old = left_behind(&stage);
    let hand = stage.hand();
    hand.send("PUT", "blob:/acmeold/wandb-files/run", json!("content"));
    stage.faults().clear();
    let plan = AZURE.succeed(&stage, &["plan"]);
    let orphans = ["storage account `acmeold`", "container `acmeold/wandb-files`", "queue `acmeold/wandb-events`"];
    for orphan in orphans {
        assert!(plan.contains(&format!("? orphan {orphan}")), "{plan}");
        assert!(AZURE.succeed(&stage, &["drift"]).contains(orphan));
    }
    let refused = AZURE.ends(&stage, 6, &["destroy", "--yes"]);
    assert!(refused.contains("resource group `wandb` holds the orphan") && refused.contains("--orphans"), "{refused}");
    assert_eq!(stage.writes(), Vec::<String>::new());

    AZURE.succeed(&stage, &["apply", "--yes", "--orphans"]);
    assert_eq!(stage.writes(), ["arm:queues.delete"]);
    let full = AZURE.ends(&stage, 5, &["destroy", "--yes", "--orphans"]);
    assert!(full.contains("container `acmeold/wandb-files`") && full.contains("1 object or version"), "{full}");
    hand.send("DELETE", "blob:/acmeold/wandb-files/run", Value::Null);
    // What is left is the old one: its own plan file takes it down.
    AZURE.change(&stage, &[("acmefiles", "acmeold")]);
    AZURE.succeed(&stage, &["destroy", "--yes", "--orphans"]);
    assert_eq!(hand.ask("GET", &old, &Value::Null).0, 404);
    assert_eq!(hand.ask("GET", GROUP, &Value::Null).0, 404);
}

#[test]
fn account_that_is_used_and_not_made_any_more_is_no_orphan() {
    let stage = AZURE.applied();
    AZURE.change(&stage, &[("\"acmefiles\"\n", "\"acmefiles\"\ncreate = false\n")]);
    let plan = AZURE.succeed(&stage, &["plan"]);
    assert!(plan.contains("container `wandb-files`") || plan.contains("No changes."), "{plan}");
    assert!(!plan.contains("orphan"), "{plan}");
}

#[test]
fn accounts_are_listed_where_that_is_allowed() {
    let denied = || What::Error { status: 403, code: "AuthorizationFailed".to_owned(), message: "denied".to_owned() };
    let operation = "arm:storageAccounts.list".to_owned();
    // The subscription's may be denied, then the resource group's are listed.
    let stage = AZURE.applied();
    stage.faults().fault(Fault { operation: operation.clone(), nth: Nth::Number(1), at: When::Before, what: denied() });
    AZURE.is_in_sync(&stage);
    assert_eq!(stage.faults().count(&operation), 2);
    // Who only has rights in a shared account looks no further.
    let stage = shared();
    stage.faults().fault(Fault { operation, nth: Nth::Every, at: When::Before, what: denied() });
    AZURE.succeed(&stage, &["apply", "one.toml", "--yes"]);
}

/// Run the whole job with other credentials than the client secret.
fn job_with(variables: &[(&str, &str)], without: &[&str]) -> (Stage, String) {
    let stage = AZURE.planned();
    let mut printed = String::new();
    for arguments in [&["apply", "--yes"][..], &["drift"], &["output", "--reveal"], &["destroy", "--yes"]] {
        let ran = with(&stage, arguments, variables, without);
        assert_eq!(ran.code, 0, "{arguments:?} {}{}", ran.stdout, ran.stderr);
        printed += &ran.stdout;
    }
    (stage, printed)
}

fn with(stage: &Stage, arguments: &[&str], variables: &[(&str, &str)], without: &[&str]) -> Ran {
    stage.write("token.jwt", JWT);
    stage.write("junk.jwt", "junk");
    let manager = stage.sandbox().environment().into_iter().find(|(name, _)| name == "AZURE_RESOURCE_MANAGER_ENDPOINT");
    let endpoint = format!("{}/msi/token", manager.unwrap().1);
    stage.run_with(&[&["azure"], arguments].concat(), |command| {
        command.env_remove("AZURE_CLIENT_SECRET").env("PATH", "/nonexistent");
        for name in without {
            command.env_remove(name);
        }
        command.envs(variables.iter().map(|(name, value)| (*name, value.replace("{endpoint}", &endpoint))));
    })
}

/// A token such as Kubernetes mounts; nobody verifies its signature.
const JWT: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQ6Y2k6ZGVwbG95In0.c2lnbmF0dXJl\n";

#[test]
fn workload_identity_does_the_whole_job_with_a_token_file() {
    let (stage, printed) = job_with(&[("AZURE_FEDERATED_TOKEN_FILE", "token.jwt")], &[]);
    assert!(printed.contains(&format!("as {CLIENT}")), "{printed}");
    assert_eq!(stage.faults().count("login:GetManagedIdentityToken"), 0);
    let ran = with(&stage, &["plan"], &[("AZURE_FEDERATED_TOKEN_FILE", "junk.jwt")], &[]);
    assert!(ran.code == 4 && ran.stderr.contains("AADSTS50027"), "{}{}", ran.stdout, ran.stderr);
    let ran = with(&stage, &["plan"], &[("AZURE_FEDERATED_TOKEN_FILE", "nowhere.jwt")], &[]);
    assert!(ran.code == 4 && ran.stderr.contains("`nowhere.jwt`"), "{}{}", ran.stdout, ran.stderr);
    let ran = with(&stage, &["plan"], &[("AZURE_FEDERATED_TOKEN_FILE", "token.jwt")], &["AZURE_TENANT_ID"]);
    assert!(ran.code == 4 && ran.stderr.contains("AZURE_TENANT_ID"), "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn managed_identity_does_the_whole_job_on_request() {
    let asked = [
        ("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential"),
        ("IDENTITY_ENDPOINT", "{endpoint}"),
        ("IDENTITY_HEADER", "secret"),
    ];
    // That of the machine, then one that is named.
    let (stage, printed) = job_with(&asked, &["AZURE_CLIENT_ID", "AZURE_TENANT_ID"]);
    assert!(printed.contains(&format!("as {CLIENT}")), "{printed}");
    assert!(stage.faults().count("login:GetManagedIdentityToken") >= 4);
    assert_eq!(stage.faults().count("login:GetToken"), 0);
    let named = [&asked[..], &[("AZURE_CLIENT_ID", "0a0a0a0a-0000-4000-8000-00000000000b")]].concat();
    let ran = with(&stage, &["plan"], &named, &[]);
    assert!(ran.code == 0 && ran.stdout.contains("as 0a0a0a0a-0000-4000-8000-00000000000b"), "{}", ran.stdout);
    // Unasked, nobody looks for it.
    let ran = with(&stage, &["plan"], &asked[1..], &[]);
    assert!(ran.code == 4 && ran.stderr.contains("az login"), "{}{}", ran.stdout, ran.stderr);
}

/// The run before was killed right after it began to create the account.
#[test]
fn account_that_is_still_being_made_is_waited_for() {
    let stage = AZURE.planned();
    let (code, message) = ("StorageAccountIsNotProvisioned".to_owned(), "The state must be 'Succeeded'.".to_owned());
    fault(&stage, "arm:containers.get", Nth::Number(1), What::Error { status: 409, code, message });
    AZURE.apply(&stage);
    AZURE.is_in_sync(&stage);
    assert_eq!((AZURE.ours)(&stage.hand()), AZURE.applied);
}

/// One name is the beginning of the other, in one account: neither hears of the other's files.
#[test]
fn containers_with_alike_names_in_one_account_are_kept_apart() {
    let stage = shared();
    let hand = stage.hand();
    for (file, deployment, name) in [("one.toml", "wandb", "files"), ("two.toml", "wandb-b", "files2")] {
        let plan = SHARED.replace("wandb-one", deployment).replace("one-files", name);
        stage.write(file, &plan.replace("one-events", &format!("{name}-events")));
        AZURE.succeed(&stage, &["apply", file, "--yes"]);
    }
    for (file, deployment) in [("one.toml", "wandb"), ("two.toml", "wandb-b")] {
        assert_eq!(AZURE.succeed(&stage, &["drift", file]), format!("{deployment}: in sync\n"));
    }
    upload(&hand, "files2", "run");
    assert_eq!(messages(&hand, "files-events", "files"), 0);
    assert_eq!(messages(&hand, "files2-events", "files2"), 1);
    upload(&hand, "files", "run");
    assert_eq!(messages(&hand, "files-events", "files"), 1);
    AZURE.succeed(&stage, &["destroy", "one.toml", "--yes", "--delete-data", "files"]);
    assert_eq!(AZURE.succeed(&stage, &["drift", "two.toml"]), "wandb-b: in sync\n");
    upload(&hand, "files2", "later");
    assert_eq!(messages(&hand, "files2-events", "files2"), 1);
}

/// A least version of TLS that is higher than asked for is no drift.
#[test]
fn harder_setting_of_the_account_is_no_drift() {
    let stage = AZURE.applied();
    stage.send("PATCH", ACCOUNT, json!({"properties": {"minimumTlsVersion": "TLS1_3"}}));
    AZURE.is_in_sync(&stage);
}

/// A server without an identity signs with the account's key; one that has an identity needs none.
#[test]
fn shared_keys_that_are_off_are_drift_where_the_server_needs_them() {
    let stage = AZURE.applied();
    let off = || stage.send("PATCH", ACCOUNT, json!({"properties": {"allowSharedKeyAccess": false}}));
    off();
    AZURE.is_in_sync(&stage);
    let by_key = AZURE.plan_with(&[("[azure.access]\nprincipal_id = \"11111111-1111-1111-1111-111111111111\"\n", "")]);
    stage.write("provision.toml", &by_key);
    AZURE.apply(&stage);
    AZURE.is_in_sync(&stage);
    off();
    let drift = AZURE.ends(&stage, 2, &["drift"]);
    assert!(drift.contains("security.shared_keys") && drift.contains("false -> true"), "{drift}");
    AZURE.apply(&stage);
    AZURE.is_in_sync(&stage);
}

/// Rules that others gave the firewall of an account of ours outlive its opening.
#[test]
fn firewall_that_was_closed_is_opened_and_keeps_its_rules() {
    let stage = AZURE.applied();
    let hand = stage.hand();
    let rules =
        json!({"defaultAction": "Deny", "bypass": "None", "ipRules": [{"value": "192.0.2.1", "action": "Allow"}]});
    hand.send("PATCH", ACCOUNT, json!({"properties": {"networkAcls": rules}}));
    AZURE.ends(&stage, 2, &["drift"]);
    AZURE.apply(&stage);
    let found = hand.send("GET", ACCOUNT, Value::Null)["properties"]["networkAcls"].clone();
    assert_eq!((&found["defaultAction"], &found["bypass"]), (&json!("Allow"), &json!("None")));
    assert_eq!(found["ipRules"], rules["ipRules"]);
}

/// What silences the server on an account of somebody else's is said each time, and left.
#[test]
fn closed_shared_account_is_warned_about_and_left() {
    let stage = shared();
    stage.write("key.toml", SHARED.split("[azure.access]").next().unwrap());
    let hand = stage.hand();
    AZURE.succeed(&stage, &["apply", "one.toml", "--yes"]);
    for (properties, warning) in [
        (json!({"networkAcls": {"defaultAction": "Deny", "bypass": "None"}}), "`networkAcls.defaultAction` = Deny"),
        (json!({"publicNetworkAccess": "Disabled"}), "`publicNetworkAccess` = Disabled"),
    ] {
        hand.send("PATCH", ACCOUNT, json!({"properties": properties}));
        let before = hand.send("GET", ACCOUNT, Value::Null);
        for command in ["plan", "drift"] {
            let ran = AZURE.run(&stage, &[command, "one.toml"]);
            assert!(
                ran.code == 0 && format!("{}{}", ran.stdout, ran.stderr).contains(warning),
                "{}{}",
                ran.stdout,
                ran.stderr
            );
        }
        AZURE.succeed(&stage, &["apply", "one.toml", "--yes"]);
        assert_eq!(hand.send("GET", ACCOUNT, Value::Null), before);
    }
    hand.send(
        "PATCH",
        ACCOUNT,
        json!({"properties": {"publicNetworkAccess": "Enabled",
        "networkAcls": {"defaultAction": "Allow"}, "allowSharedKeyAccess": false}}),
    );
    let warned = |plan: &str| {
        let ran = AZURE.run(&stage, &["plan", plan]);
        format!("{}{}", ran.stdout, ran.stderr).contains("AZURE_STORAGE_KEY is of no use")
    };
    assert!(!warned("one.toml") && warned("key.toml"));
}

/// Events of other kinds do not come, or have no queue to come to: refused before anything is written.
#[test]
fn shared_account_of_the_wrong_kind_is_refused_at_plan() {
    for (kind, sku, hint) in [
        ("Storage", "Standard_LRS", "--set kind=StorageV2"),
        ("BlobStorage", "Standard_LRS", "--set kind=StorageV2"),
        ("BlockBlobStorage", "Premium_LRS", "it cannot be made one"),
        ("FileStorage", "Premium_LRS", "it cannot be made one"),
        ("StorageV2", "Premium_LRS", "it cannot be made one"),
    ] {
        let stage = shared();
        let hand = stage.hand();
        hand.send("DELETE", ACCOUNT, Value::Null);
        hand.send("PUT", ACCOUNT, json!({"location": "westeurope", "kind": kind, "sku": {"name": sku}}));
        stage.faults().clear();
        let plan = AZURE.ends(&stage, 6, &["plan", "one.toml"]);
        assert!(plan.contains(&format!("is of kind {kind}")) && plan.contains(hint), "{plan}");
        AZURE.ends(&stage, 6, &["apply", "one.toml", "--yes"]);
        assert_eq!(stage.writes(), Vec::<String>::new());
    }
}

/// Roles on a shared account outlive the container: those under the deployment's former name go too.
#[test]
fn roles_of_a_renamed_deployment_go_with_it() {
    let stage = shared();
    for name in ["wandb-one\"", "wandb-new\"\nwas = \"wandb-one\"", "wandb-new\""] {
        stage.write("one.toml", &SHARED.replace("wandb-one\"", name));
        AZURE.succeed(&stage, &["apply", "one.toml", "--yes"]);
    }
    AZURE.succeed(&stage, &["destroy", "one.toml", "--yes"]);
    let hand = stage.hand();
    assert_eq!((rules(&hand), events(&hand), assignments(&hand)), (Vec::new(), Vec::new(), Vec::new()));
}
