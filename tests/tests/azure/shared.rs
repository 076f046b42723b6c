//! An account of somebody else, with what deployments and others have in it.

use provision_sandbox::EmulatorKind;
use provision_sandbox::fault::{Fault, Nth, When};
use provision_tests::stage::{Hand, Stage};
use serde_json::{Value, json};

use crate::clouds::AZURE;
use crate::clouds::azure::hand::{
    ACCOUNT, GROUP, assignments, container, events, keep_deleted, queue, rules, set_rules,
};

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
pub(super) fn shared() -> Stage {
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

/// Drift finds nothing; what is open about a shared account may be warned about.
fn in_sync(stage: &Stage, plan_file: &str, deployment: &str) {
    let drift = AZURE.succeed(stage, &["drift", plan_file]);
    assert!(drift.ends_with(&format!("{deployment}: in sync\n")), "{drift}");
}

fn upload(hand: &Hand, container: &str, name: &str) {
    hand.send("PUT", &format!("blob:/acmefiles/{container}/{name}"), json!("content"));
}

/// How many messages wait, all of which are about this container.
fn messages(hand: &Hand, queue: &str, container: &str) -> usize {
    let place = format!("queue:/acmefiles/{queue}/messages?numofmessages=32&visibilitytimeout=604800");
    let answer = hand.send("GET", &place, Value::Null);
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
        in_sync(&stage, plan, &format!("wandb-{place}"));
    }
    assert_eq!((rules(&hand).len(), events(&hand).len(), assignments(&hand).len()), (1, 2, 4));
    for place in ["one", "two", "two"] {
        upload(&hand, &format!("{place}-files"), "run");
    }
    assert_eq!(messages(&hand, "one-events", "one-files"), 1);
    assert_eq!(messages(&hand, "two-events", "two-files"), 2);

    AZURE.succeed(&stage, &["destroy", "one.toml", "--yes", "--delete-data", "one-files"]);
    in_sync(&stage, "two.toml", "wandb-two");
    assert_eq!((rules(&hand).len(), events(&hand).len(), assignments(&hand).len()), (1, 1, 3));
    let gone = AZURE.ends(&stage, 2, &["drift", "one.toml"]);
    assert!(gone.contains("nothing of it exists"), "{gone}");
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
    assert!(!plan.contains("+ CORS rule"), "{plan}");
    AZURE.succeed(&stage, &["apply", "one.toml", "--yes"]);
    assert!(!stage.writes().contains(&"arm:blobServices.put".to_owned()), "{:?}", stage.writes());
    in_sync(&stage, "one.toml", "wandb-one");
    // Who relies on it still hears that it is gone.
    set_rules(&hand, &theirs[..1]);
    let drift = AZURE.ends(&stage, 2, &["drift", "one.toml"]);
    assert!(drift.contains("CORS rule `") && drift.contains("is gone"), "{drift}");
    set_rules(&hand, &theirs);
    AZURE.succeed(&stage, &["destroy", "one.toml", "--yes"]);
    assert_eq!(rules(&hand), before);
    let drift = AZURE.ends(&stage, 2, &["drift", "one.toml"]);
    assert!(drift.contains("nothing of it exists"), "{drift}");
}

#[test]
fn rule_that_others_had_stays_theirs_after_a_run_that_was_stopped() {
    let stage = shared();
    let hand = stage.hand();
    let theirs = [rule("https://wandb.example.com")];
    set_rules(&hand, &theirs);
    let before = rules(&hand);
    let (operation, what) = ("arm:eventSubscriptions.put".to_owned(), (AZURE.faults.refusal)());
    stage.faults().fault(Fault { operation, nth: Nth::Number(1), at: When::Before, what });
    AZURE.ends(&stage, 5, &["apply", "one.toml", "--yes"]);
    stage.faults().clear();
    AZURE.succeed(&stage, &["apply", "one.toml", "--yes"]);
    // Another host is another rule, beside theirs; that one is ours.
    stage.write("moved.toml", &SHARED.replace("wandb.example.com", "moved.example.com"));
    assert!(AZURE.succeed(&stage, &["drift", "moved.toml"]).contains("not applied yet"));
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
    in_sync(&stage, "one.toml", "wandb-one");
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
        in_sync(&stage, plan, &format!("wandb-{place}"));
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
    in_sync(&stage, "one.toml", "wandb-one");
}

/// An event subscription of others on the account, directly or below a system topic of theirs.
pub(super) fn their_subscription(hand: &Hand, collection: &str, prefix: &str) {
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
    assert!(
        plan.contains("would hear of each twice") && plan.contains("az eventgrid event-subscription delete"),
        "{plan}"
    );
    // It differs in what the plan file cannot say: no name makes it the one that is wanted.
    assert!(!plan.contains("to use it"), "{plan}");
    assert_eq!(stage.writes(), Vec::<String>::new());
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
        in_sync(&stage, file, deployment);
    }
    upload(&hand, "files2", "run");
    assert_eq!(messages(&hand, "files-events", "files"), 0);
    assert_eq!(messages(&hand, "files2-events", "files2"), 1);
    upload(&hand, "files", "run");
    assert_eq!(messages(&hand, "files-events", "files"), 1);
    AZURE.succeed(&stage, &["destroy", "one.toml", "--yes", "--delete-data", "files"]);
    in_sync(&stage, "two.toml", "wandb-b");
    upload(&hand, "files2", "later");
    assert_eq!(messages(&hand, "files2-events", "files2"), 1);
}

/// What silences the server on an account of somebody else's is said each time, and left.
#[test]
fn closed_shared_account_is_warned_about_and_left() {
    let stage = shared();
    stage.write("key.toml", SHARED.split("[azure.access]").next().unwrap());
    let hand = stage.hand();
    AZURE.succeed(&stage, &["apply", "one.toml", "--yes"]);
    for (properties, warning, opens) in [
        (
            json!({"networkAcls": {"defaultAction": "Deny", "bypass": "None"}}),
            "`networkAcls.defaultAction` = Deny",
            "--default-action Allow",
        ),
        (
            json!({"publicNetworkAccess": "Disabled"}),
            "`publicNetworkAccess` = Disabled",
            "--public-network-access Enabled",
        ),
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
        let proof = AZURE.ends(&stage, 2, &["verify", "one.toml", "--read-only"]);
        let mend = format!("to mend it: open it: `az storage account update --name acmefiles {opens}`");
        assert!(proof.contains("failed      browser access") && proof.contains(&mend), "{proof}");
    }
    hand.send(
        "PATCH",
        ACCOUNT,
        json!({"properties": {"publicNetworkAccess": "Enabled",
        "networkAcls": {"defaultAction": "Allow"}, "allowSharedKeyAccess": false}}),
    );
    for look in [&["plan"][..], &["verify", "--read-only"]] {
        let warned = |plan: &str| tells(&stage, &[look, &[plan]].concat(), "AZURE_STORAGE_KEY is of no use");
        assert!(!warned("one.toml") && warned("key.toml"), "{look:?}");
    }
}

/// Whether a look says this, however it ends.
fn tells(stage: &Stage, look: &[&str], says: &str) -> bool {
    let ran = AZURE.run(stage, look);
    format!("{}{}", ran.stdout, ran.stderr).contains(says)
}

/// Whoever opened a container to everybody is told so at each look, unless the account lets nobody in or it is to be private.
#[test]
fn adopted_container_that_is_open_to_everybody_is_warned_about() {
    let stage = shared();
    let hand = stage.hand();
    hand.send("PATCH", ACCOUNT, json!({"properties": {"allowBlobPublicAccess": true}}));
    hand.send("PUT", &container("one-files"), json!({"properties": {"publicAccess": "Blob"}}));
    let says = "container `one-files` is open to everybody: its public access is Blob, by which anyone may read its files; \
                `private = true` under [azure.container] closes it";
    let looks: [&[&str]; 2] = [&["plan", "one.toml"], &["verify", "--read-only", "one.toml"]];
    assert!(tells(&stage, looks[0], says));
    AZURE.succeed(&stage, &["apply", "one.toml", "--yes"]);
    assert_eq!(looks.map(|look| tells(&stage, look, says)), [true; 2]);
    hand.send("PATCH", &container("one-files"), json!({"properties": {"publicAccess": "Container"}}));
    assert!(tells(&stage, looks[0], "anyone may list and read its files"));
    hand.send("PATCH", ACCOUNT, json!({"properties": {"allowBlobPublicAccess": false}}));
    assert_eq!(looks.map(|look| tells(&stage, look, "open to everybody")), [false; 2]);
    hand.send("PATCH", ACCOUNT, json!({"properties": {"allowBlobPublicAccess": true}}));
    stage.write("one.toml", &SHARED.replacen("adopt = true\n", "adopt = true\nprivate = true\n", 1));
    AZURE.succeed(&stage, &["apply", "one.toml", "--yes"]);
    assert_eq!(looks.map(|look| tells(&stage, look, "open to everybody")), [false; 2]);
}

/// The firewall is its owner's to open: the command that a proof prints does it.
#[test]
fn closed_shared_account_is_opened_by_what_a_proof_prints() {
    let stage = shared();
    stage.sandbox().seed_azure_data_roles("00000000-0000-0000-0000-000000000000").unwrap();
    let hand = stage.hand();
    AZURE.succeed(&stage, &["apply", "one.toml", "--yes"]);
    let set = |action: &str| {
        hand.send("PATCH", ACCOUNT, json!({"properties": {"networkAcls": {"defaultAction": action}}}));
    };
    set("Deny");
    let printed = AZURE.ends(&stage, 2, &["verify", "one.toml"]);
    assert!(printed.contains("`az storage account update --name acmefiles --default-action Allow`"), "{printed}");
    assert!(!printed.contains("provision azure apply"), "{printed}");
    set("Allow");
    AZURE.succeed(&stage, &["verify", "one.toml", "--strict"]);
}

/// What is deleted there is lost, which is not ours to change.
#[test]
fn shared_account_that_keeps_nothing_of_what_is_deleted_is_warned_about() {
    let stage = shared();
    let hand = stage.hand();
    AZURE.succeed(&stage, &["apply", "one.toml", "--yes"]);
    let told = |command: &[&str]| AZURE.succeed(&stage, command).contains("its soft delete for blobs is off");
    let commands: [&[&str]; 2] = [&["plan", "one.toml"], &["verify", "one.toml", "--read-only"]];
    assert_eq!(commands.map(told), [true, true]);
    keep_deleted(&hand, 5);
    assert_eq!(commands.map(told), [false, false]);
    // Nor does the plan file set it.
    stage.write("one.toml", &SHARED.replace("create = false\n", "create = false\nsoft_delete_days = 7\n"));
    let plan = AZURE.succeed(&stage, &["plan", "one.toml"]);
    assert!(
        plan.contains("No changes") && plan.contains("`soft_delete_days` under [azure.account] is not written"),
        "{plan}"
    );
}

/// Whoever has to take one out sees which there are, and how.
#[test]
fn rules_that_leave_no_room_are_named_with_what_takes_them_out() {
    let stage = shared();
    let rule = |number| {
        json!({"allowedOrigins": [format!("https://{number}.example")], "allowedMethods": ["GET"], "allowedHeaders": [],
            "exposedHeaders": [], "maxAgeInSeconds": 5})
    };
    set_rules(&stage.hand(), &(1..=5).map(rule).collect::<Vec<_>>());
    let refused = AZURE.ends(&stage, 6, &["plan", "one.toml"]);
    for said in [
        "has 5 CORS rules already, and takes no more",
        "CORS rule for https://1.example: GET",
        "CORS rule for https://5.example: GET",
        "`az storage cors list --services b --account-name acmefiles`",
        "az storage cors clear --services b --account-name acmefiles",
    ] {
        assert!(refused.contains(said), "{said}: {refused}");
    }
}

/// A lock keeps what is deleted at a release too: said before the first write.
#[test]
fn release_of_a_locked_account_is_refused_at_plan() {
    let stage = shared();
    let hand = stage.hand();
    for place in [container("one-files"), queue("one-events")] {
        hand.send("PUT", &place, json!({}));
    }
    AZURE.succeed(&stage, &["apply", "one.toml", "--yes"]);
    let before = (rules(&hand), events(&hand).len(), assignments(&hand).len());
    let lock = format!("{GROUP}/providers/Microsoft.Authorization/locks/theirs");
    hand.send("PUT", &lock, json!({"properties": {"level": "CanNotDelete"}}));
    stage.faults().clear();
    let refused = AZURE.ends(&stage, 6, &["destroy", "one.toml", "--yes"]);
    assert!(refused.contains("`acmefiles` is locked: `theirs`"), "{refused}");
    assert_eq!(stage.writes(), Vec::<String>::new());
    assert_eq!((rules(&hand), events(&hand).len(), assignments(&hand).len()), before);
    hand.send("DELETE", &lock, Value::Null);
    AZURE.succeed(&stage, &["destroy", "one.toml", "--yes"]);
    assert_eq!((rules(&hand), events(&hand), assignments(&hand)), (Vec::new(), Vec::new(), Vec::new()));
}

#[test]
fn lock_on_what_others_have_in_a_shared_account_holds_nothing_up() {
    let stage = shared();
    let hand = stage.hand();
    hand.send("PUT", &container("theirs"), json!({}));
    AZURE.succeed(&stage, &["apply", "one.toml", "--yes"]);
    let lock = format!("{}/providers/Microsoft.Authorization/locks/theirs", container("theirs"));
    hand.send("PUT", &lock, json!({"properties": {"level": "CanNotDelete"}}));
    AZURE.succeed(&stage, &["destroy", "one.toml", "--yes"]);
    assert_eq!((rules(&hand), events(&hand), assignments(&hand)), (Vec::new(), Vec::new(), Vec::new()));
}

/// The server's roles hold for the account, so for what others have in it.
#[test]
fn reach_of_the_server_s_roles_on_a_shared_account_is_said() {
    let stage = shared();
    let warning = "every container in it";
    let warned = |plan: &str| {
        let ran = AZURE.run(&stage, &["plan", plan]);
        format!("{}{}", ran.stdout, ran.stderr).contains(warning)
    };
    stage.write("key.toml", SHARED.split("[azure.access]").next().unwrap());
    assert!(warned("one.toml") && !warned("key.toml"));
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

/// Both kinds of soft deletion must be on: with one of them nothing is left of a container that was emptied first.
#[test]
fn blobs_that_stay_restorable_are_said_to_be_billed() {
    let stage = shared();
    AZURE.succeed(&stage, &["apply", "one.toml", "--yes"]);
    let on = |days: u32| json!({"enabled": true, "days": days});
    let destroy = ["plan", "one.toml", "--destroy", "--delete-data", "one-files"];
    let said = "deleted objects stay restorable for 7 days, and are billed until then";
    for (containers, told) in [(json!({"enabled": false}), false), (on(7), true)] {
        let body =
            json!({"properties": {"deleteRetentionPolicy": on(14), "containerDeleteRetentionPolicy": containers}});
        stage.hand().send("PUT", &format!("{ACCOUNT}/blobServices/default"), body);
        let plan = AZURE.succeed(&stage, &destroy);
        assert_eq!(plan.contains(said), told, "{plan}");
    }
}
