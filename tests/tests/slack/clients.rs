//! Slack's own Python client on the sandbox: it reads what the binary made, and the binary reads what it made.

use provision_tests::python;
use serde_json::json;

use super::{PLAN, applied, ends, manifest};

const SCRIPT: &str = r#"
import os
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

base = os.environ["PROVISION_SLACK_ENDPOINT"] + "/"
client = WebClient(token=os.environ["SLACK_CONFIG_TOKEN"], base_url=base)

def refused(call, code):
    try:
        call()
    except SlackApiError as error:
        assert error.response["error"] == code, error.response
        return error.response
    raise SystemExit("taken, and not refused as " + code)

made = client.apps_manifest_export(app_id="A0SANDBOX1")["manifest"]
assert made["oauth_config"]["redirect_urls"] == ["https://wandb.example.com"], made
made["oauth_config"]["redirect_urls"].append("https://theirs.example.com")
assert client.apps_manifest_validate(manifest=made, app_id="A0SANDBOX1")["ok"]
assert client.apps_manifest_update(app_id="A0SANDBOX1", manifest=made)["app_id"] == "A0SANDBOX1"

made["oauth_config"]["scopes"]["bot"] = ["incoming_webhook"]
errors = refused(lambda: client.apps_manifest_validate(manifest=made), "invalid_manifest")["errors"]
assert errors[0]["pointer"] == "/oauth_config/scopes/bot/0", errors

other = client.apps_manifest_create(manifest={"display_information": {"name": "Other"}})
assert other["credentials"]["client_secret"] and other["app_id"] != "A0SANDBOX1"
assert client.apps_manifest_delete(app_id=other["app_id"])["ok"]
refused(lambda: client.apps_manifest_export(app_id=other["app_id"]), "app_not_found")

pair = WebClient(base_url=base).tooling_tokens_rotate(refresh_token=os.environ["SLACK_REFRESH_TOKEN"])
assert pair["exp"] - pair["iat"] == 43200
refused(lambda: WebClient(base_url=base).tooling_tokens_rotate(refresh_token=os.environ["SLACK_REFRESH_TOKEN"]),
        "invalid_refresh_token")
assert WebClient(token=pair["token"], base_url=base).apps_manifest_export(app_id="A0SANDBOX1")["ok"]
refused(lambda: WebClient(token="xoxb-1", base_url=base).apps_manifest_export(app_id="A0SANDBOX1"),
        "not_allowed_token_type")
"#;

#[test]
fn slacks_own_client_and_the_binary_read_each_other() {
    let stage = applied(PLAN);
    let output = python::SLACK.run(SCRIPT, &stage.environment());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let urls = json!(["https://wandb.example.com", "https://theirs.example.com"]);
    assert_eq!(manifest(&stage)["oauth_config"]["redirect_urls"], urls);
    let plan = ends(&stage, 0, &["plan", "-v"]);
    assert!(plan.contains("redirect URL https://theirs.example.com"), "{plan}");
}
