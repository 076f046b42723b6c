//! `cr`: the resource that W&B's operator makes a server of (<https://github.com/wandb/operator>).
//!
//! `apps.wandb.com/v2` takes nearly everything from Secrets, what is none too: a Secret with the parts of the bucket's URL stands before
//! it. `apps.wandb.com/v1` holds the chart's values.

use serde_json::{Map, Value, json};

use super::helm::in_full_only;
use super::kubernetes::{name, place, secret_name};
use super::written::{Settings, Unwritable, Written};
use super::{helm, yaml};
use crate::output::{Output, SecretKey, Setting};

/// What the settings are kept under: the resource has maps of several databases and stores.
const INSTANCE: &str = "default";

/// What is selected for single sign-on: the resource's key, and the setting.
const OIDC: [(&str, &str); 4] = [
    ("clientId", "OIDC_CLIENT_ID"),
    ("clientSecret", "OIDC_SECRET"),
    ("issuerUrl", "OIDC_ISSUER"),
    ("authMethod", "OIDC_AUTH_METHOD"),
];

/// The same for Slack.
const SLACK: [(&str, &str); 2] = [("clientId", "SLACK_CLIENT_ID"), ("clientSecret", "SLACK_SECRET")];

/// What else is selected from the Secret with the settings.
const SELECTED: [&str; 2] = ["MYSQL", "AZURE_STORAGE_KEY"];

/// What the resource says itself, or in parts.
const SAID: [&str; 4] = ["HOST", "LICENSE", "BUCKET", "AWS_REGION"];

/// Whether the resource takes a setting in no other way than in full.
pub(super) fn only_in_full(name: &str) -> bool {
    name == "LICENSE"
}

/// Version 1.
pub(super) fn write_v1(settings: &Settings<'_>) -> Result<Written, Unwritable> {
    let (values, notes) = helm::values(settings)?;
    let metadata = json!({ "name": name(settings.deployment) });
    let resource = json!({
        "apiVersion": "apps.wandb.com/v1", "kind": "WeightsAndBiases", "metadata": metadata, "spec": { "values": values }
    });
    Ok(Written { notes, ..Written::of(yaml::write(&[resource])?) })
}

/// Version 2.
pub(super) fn write(settings: &Settings<'_>) -> Result<Written, Unwritable> {
    let version = settings.version.ok_or_else(|| {
        Unwritable::whole("this resource names the server's version: set `version` under [server] in the plan file")
    })?;
    let mut resource = Resource { settings, notes: Vec::new(), store: Map::new() };
    let wandb = resource.wandb(version);
    let mut spec = json!({ "retentionPolicy": { "onDelete": "preserve" }, "wandb": wandb });
    if let Some(mysql) = resource.setting("MYSQL") {
        let url = resource.selector(mysql);
        spec["mysql"] = json!({ INSTANCE: { "externalMysql": { "url": url } } });
    }
    if let Some(store) = resource.object_store() {
        spec["objectStore"] = json!({ INSTANCE: { "externalObjectStore": store } });
    }
    resource.tell_what_is_left();
    let metadata = json!({ "name": name(settings.deployment) });
    let whole =
        json!({"apiVersion": "apps.wandb.com/v2", "kind": "WeightsAndBiases", "metadata": metadata, "spec": spec});
    let store = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": resource.store_name() }, "type": "Opaque",
        "stringData": resource.store
    });
    let documents = if resource.store.is_empty() { vec![whole] } else { vec![store, whole] };
    Ok(Written { notes: resource.notes, ..Written::of(yaml::write(&documents)?) })
}

struct Resource<'a> {
    settings: &'a Settings<'a>,
    notes: Vec<String>,
    /// The parts of the bucket's URL.
    store: Map<String, Value>,
}

impl<'a> Resource<'a> {
    fn setting(&self, name: &str) -> Option<&'a Output> {
        let there = |output: &&Output| output.name == name && output.absent().is_none();
        self.settings.outputs.iter().find(there)
    }

    fn known(&self, name: &str) -> Option<&'a str> {
        self.setting(name).and_then(Output::known)
    }

    /// Where a setting is.
    fn selector(&self, output: &Output) -> Value {
        let SecretKey { secret, key } = place(self.settings.deployment, output);
        json!({ "name": secret, "key": key })
    }

    /// The name of the Secret with the parts of the bucket's URL.
    fn store_name(&self) -> String {
        format!("{}-object-store", name(self.settings.deployment))
    }

    fn wandb(&mut self, version: &str) -> Value {
        let hostname = self.known("HOST").unwrap_or_default();
        let mut wandb = json!({ "hostname": hostname, "version": version, "features": {}, "bucketProxy": false });
        if let Some(license) = self.setting("LICENSE") {
            match license.known().filter(|_| self.settings.in_full) {
                Some(license) => wandb["license"] = Value::from(license),
                None => self.notes.push(in_full_only("resource", license)),
            }
        }
        let selectors = |names: &[(&str, &str)]| -> Map<String, Value> {
            let selector = |(key, name): &(&str, &str)| Some(((*key).to_owned(), self.selector(self.setting(name)?)));
            names.iter().filter_map(selector).collect()
        };
        let (oidc, slack) = (selectors(&OIDC), selectors(&SLACK));
        if !oidc.is_empty() {
            wandb["oidc"] = Value::Object(oidc);
        }
        if !slack.is_empty() {
            wandb["notifications"] = json!({ "slack": slack });
        }
        wandb
    }

    /// Where the files are. On Azure, the access key is the account's name and the secret key is its key.
    fn object_store(&mut self) -> Option<Value> {
        let (scheme, rest) = self.known("BUCKET")?.split_once("://")?;
        let (name, path) = rest.split_once('/').unwrap_or((rest, ""));
        let region = self.known("AWS_REGION").unwrap_or_default();
        let parts: Vec<(&str, &str)> = match scheme {
            "gs" => vec![("provider", "gcs"), ("bucket", name), ("path", path)],
            "az" => vec![("provider", "azure"), ("accessKey", name), ("bucket", path)],
            scheme => vec![("provider", scheme), ("bucket", name), ("path", path), ("region", region)],
        };
        let mut store = Map::new();
        for (key, value) in parts.into_iter().filter(|(_, value)| !value.is_empty()) {
            self.store.insert(key.to_owned(), Value::from(value));
            store.insert(key.to_owned(), json!({ "name": self.store_name(), "key": key }));
        }
        if let Some(key) = self.setting("AZURE_STORAGE_KEY").filter(|_| scheme == "az") {
            store.insert("secretKey".to_owned(), self.selector(key));
        }
        Some(Value::Object(store))
    }

    fn tell_what_is_left(&mut self) {
        let left = self.settings.outputs.iter().filter(|output| {
            let name = output.name.as_str();
            !is_selected(name) && !SAID.contains(&name)
        });
        self.notes.extend(left.map(|output| format!("{} is left out: the resource has no place for it", output.name)));
        let own = |output: &Output| {
            let elsewhere = matches!(output.value, Setting::InKubernetes(_)) || output.absent().is_some();
            is_selected(&output.name) && !elsewhere
        };
        if self.settings.outputs.iter().any(own) {
            let secret = secret_name(self.settings.deployment);
            self.notes
                .insert(0, format!("settings are read from Secret `{secret}`, which `--format k8s-secret` makes"));
        }
    }
}

/// Whether a setting is selected from a Secret.
fn is_selected(name: &str) -> bool {
    SELECTED.contains(&name) || OIDC.iter().chain(&SLACK).any(|(_, selected)| *selected == name)
}
