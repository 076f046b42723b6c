//! What Kubernetes and W&B's chart and operator make of the settings.

use std::process::Command;

use provision_tests::python;
use serde_json::Value;

use super::{PLAN_FILE, Place, readers};

/// Everything that the resource has a place for, and what has none.
const SIGNING_IN: &str = r#"
[server.env]
OIDC_CLIENT_ID = "aB3"
OIDC_SECRET = "${env:PASSWORD}"
OIDC_ISSUER = "https://acme.eu.auth0.com/"
OIDC_AUTH_METHOD = "pkce"
SLACK_CLIENT_ID = "1.2"
SLACK_SECRET = "${env:PASSWORD}"
ODD = "a $(HOST) {{ x }} 'b' # c"
SECRET_TOKEN = "${env:PASSWORD}"
"#;

/// The stores of three clouds.
const STORES: [&str; 3] = [
    "[aws]\nregion = \"eu-west-1\"\n[aws.bucket]\nname = \"acme-files\"\n",
    "[gcp]\nproject = \"acme-ml\"\n[gcp.bucket]\nname = \"acme-files\"\n",
    "[azure]\nsubscription = \"00000000-0000-0000-0000-000000000000\"\nlocation = \"westeurope\"\n\
     resource_group = { name = \"wandb\", create = true }\n\
     [azure.account]\nname = \"acmewandb\"\n[azure.container]\nname = \"wandb-files\"\n",
];

fn place(store: &str) -> Place {
    Place::new(&(PLAN_FILE.replace(STORES[0], store) + SIGNING_IN))
}

/// No field but those that its authors describe, each as they do.
#[test]
fn operator_s_resource_is_one_by_the_fields_that_are_described() {
    let judge = "import json, sys, jsonschema, yaml\n\
                 schema = json.loads(sys.argv[1])\n\
                 for path in sys.argv[2:]:\n\
                 \x20   [found] = [each for each in yaml.safe_load_all(open(path)) if each['kind'] == 'WeightsAndBiases']\n\
                 \x20   jsonschema.validate(found, schema)";
    let schema = include_str!("apps.wandb.com_v2.json");
    for store in STORES {
        let place = place(store);
        let written = |file: &str, secrets: &str| {
            let ran = place.run(&["output", "--format", "cr", secrets, "--out", file], &[]);
            assert_eq!(ran.code, 0, "{}", ran.stderr);
            place.0.path().join(file)
        };
        let mut files = vec![written("sealed", "--no-secrets")];
        // Azure's key is not fetched here.
        if !store.starts_with("[azure]") {
            files.push(written("revealed", "--reveal"));
        }
        let ran = Command::new(python::CI.interpreter()).args(["-c", judge, schema]).args(files).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }
}

#[test]
fn kubectl_takes_the_secret_as_it_is() {
    let place = place(STORES[0]);
    place.succeed(&["output", "--format", "k8s-secret", "--reveal", "--out", "secret"]);
    let [written] = readers::yaml(place.0.path(), ["secret"]);
    if let Some(read) = readers::kubectl(place.0.path(), "secret") {
        let text = |value: &Value| value["stringData"].clone();
        assert_eq!((text(&read), &read["type"]), (text(&written[0]), &written[0]["type"]));
    }
}
