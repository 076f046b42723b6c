//! `helm`: values of W&B's chart `operator-wandb` (<https://github.com/wandb/helm-charts/tree/main/charts/operator-wandb>).
//!
//! Secrets stay in the Secret that `k8s-secret` makes, or in the one that the plan file names, wherever the chart takes a
//! reference. What it has no value for goes into the server's container as a variable.

use serde_json::{Map, Value, json};

use super::kubernetes::{MYSQL_PASSWORD, place, secret_name};
use super::written::{Settings, Unwritable, Written};
use super::yaml;
use crate::output::{Output, SecretKey, Setting};
use crate::server::mysql::{Mysql, encoded};

/// Secrets that the chart takes in no other way than in full.
const ONLY_IN_FULL: &str = "SLACK_SECRET";

/// Names that YAML of version 1.1 takes for something else than a text: the chart writes names as they are.
const NO_NAMES: [&str; 12] = ["Y", "N", "YES", "NO", "ON", "OFF", "TRUE", "FALSE", "NULL", "NAN", "INF", "_"];

/// Whether the chart takes a setting in no other way.
pub(super) fn only_in_full(name: &str) -> bool {
    name == ONLY_IN_FULL
}

/// What is said of such a secret where it is not written.
pub(super) fn in_full_only(reader: &str, output: &Output) -> String {
    let reason = output.unavailable().unwrap_or_else(|| "`--reveal` writes it".to_owned());
    format!("{} is left out: the {reader} takes it in full only, and {reason}", output.name)
}

pub(super) fn write(settings: &Settings<'_>) -> Result<Written, Unwritable> {
    let (values, notes) = values(settings)?;
    Ok(Written { notes, ..Written::of(yaml::write(&[values])?) })
}

/// The values, and what the chart cannot take.
pub(super) fn values(settings: &Settings<'_>) -> Result<(Value, Vec<String>), Unwritable> {
    let mut chart = Chart { settings, values: json!({}), notes: Vec::new(), refers: false };
    for output in settings.outputs {
        chart.take(output)?;
    }
    if chart.refers {
        let secret = secret_name(settings.deployment);
        chart.notes.insert(0, format!("secrets are read from Secret `{secret}`, which `--format k8s-secret` makes"));
    }
    Ok((chart.values, chart.notes))
}

struct Chart<'a> {
    settings: &'a Settings<'a>,
    values: Value,
    notes: Vec<String>,
    /// Whether anything is read from the Secret that `k8s-secret` makes.
    refers: bool,
}

impl Chart<'_> {
    fn take(&mut self, output: &Output) -> Result<(), Unwritable> {
        if let Some(reason) = output.absent() {
            self.notes.push(format!("{} is left out: {reason}", output.name));
            return Ok(());
        }
        let plain = output.known().unwrap_or_default();
        match output.name.as_str() {
            "HOST" => self.set("/global/host", plain),
            "LICENSE" => self.refer("/global/licenseSecret", ["name", "key"], output),
            "BUCKET" => self.bucket(plain),
            "AWS_REGION" if self.is_on("s3://") => self.set("/global/bucket/region", plain),
            "AWS_S3_KMS_ID" if self.is_on("s3://") => self.set("/global/bucket/kmsKey", plain),
            "AZURE_STORAGE_KEY" if self.is_on("az://") => {
                self.refer("/global/bucket/secret", ["secretName", "accessKeyName"], output);
            }
            "MYSQL" => self.mysql(output),
            "SLACK_CLIENT_ID" => self.set("/global/slack/clientId", plain),
            "SLACK_SECRET" => self.slack_secret(output),
            "OIDC_CLIENT_ID" => self.set("/global/auth/oidc/clientId", plain),
            "OIDC_ISSUER" => self.set("/global/auth/oidc/issuer", plain),
            "OIDC_AUTH_METHOD" => self.set("/global/auth/oidc/authMethod", plain),
            "OIDC_SECRET" => self.refer("/global/auth/oidc/oidcSecret", ["name", "secretKey"], output),
            _ => self.variable(output)?,
        }
        Ok(())
    }

    /// Whether the bucket has that scheme.
    fn is_on(&self, scheme: &str) -> bool {
        let mut outputs = self.settings.outputs.iter();
        outputs.any(|output| output.name == "BUCKET" && output.known().is_some_and(|url| url.starts_with(scheme)))
    }

    /// The chart makes the URL anew of its parts. `az` is its name for Azure: with `azure` it renders an empty `BUCKET`.
    fn bucket(&mut self, url: &str) {
        let (scheme, rest) = url.split_once("://").unwrap_or_default();
        let (name, path) = rest.split_once('/').unwrap_or((rest, ""));
        let provider = if scheme == "gs" { "gcs" } else { scheme };
        for (key, value) in [("provider", provider), ("name", name), ("path", path)] {
            self.set(&format!("/global/bucket/{key}"), value);
        }
    }

    /// The chart makes this URL too, and encodes nothing.
    fn mysql(&mut self, output: &Output) {
        let Some(mysql) = output.known().and_then(Mysql::read) else {
            self.notes.push(
                "MYSQL is left out: the chart takes no reference to a whole URL; set `global.mysql` and its `passwordSecret`"
                    .to_owned(),
            );
            return;
        };
        let port = mysql.port.unwrap_or(3306);
        self.put("/global/mysql/port", Value::from(port));
        let texts = [("host", mysql.host), ("database", encoded(&mysql.database)), ("user", encoded(&mysql.user))];
        texts.iter().for_each(|(key, text)| self.set(&format!("/global/mysql/{key}"), text));
        self.refers = true;
        self.set("/global/mysql/passwordSecret/name", &secret_name(self.settings.deployment));
        self.set("/global/mysql/passwordSecret/passwordKey", MYSQL_PASSWORD);
        self.put("/mysql/install", Value::from(false));
        if mysql.scheme != "mysql" || mysql.parameters != [("tls".to_owned(), "preferred".to_owned())] {
            let note = "MYSQL: the chart always writes `mysql://` and `?tls=preferred`, whatever the plan file says";
            self.notes.push(note.to_owned());
        }
    }

    fn slack_secret(&mut self, output: &Output) {
        match output.known().filter(|_| self.settings.in_full) {
            Some(secret) => self.set("/global/slack/secret", secret),
            None => self.notes.push(in_full_only("chart", output)),
        }
    }

    /// What the chart has no value for. Kubernetes expands `$(NAME)` in a variable and reads `$$` as `$`
    /// (<https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/>), and the chart
    /// expands `{{`.
    fn variable(&mut self, output: &Output) -> Result<(), Unwritable> {
        if NO_NAMES.contains(&output.name.to_ascii_uppercase().as_str()) {
            return Err(Unwritable::setting(
                output,
                "the chart writes its name so that YAML takes it for something else",
            ));
        }
        if output.name == "BUCKET_QUEUE" {
            let note = "BUCKET_QUEUE: the chart's server hears of files by a queue of its own";
            self.notes.push(note.to_owned());
        }
        let value = match &output.value {
            Setting::Plain(value) => Value::from(value.replace('$', "$$").replace("{{", "{{`{{`}}")),
            _ => {
                let place = self.place(output);
                json!({"valueFrom": {"secretKeyRef": {"name": place.secret, "key": place.key}}})
            }
        };
        self.put(&format!("/app/env/{}", output.name), value);
        Ok(())
    }

    /// Where a secret is read from.
    fn place(&mut self, output: &Output) -> SecretKey {
        self.refers |= !matches!(output.value, Setting::InKubernetes(_));
        place(self.settings.deployment, output)
    }

    fn refer(&mut self, path: &str, [name, key]: [&str; 2], output: &Output) {
        let place = self.place(output);
        self.set(&format!("{path}/{name}"), &place.secret);
        self.set(&format!("{path}/{key}"), &place.key);
    }

    fn set(&mut self, path: &str, text: &str) {
        self.put(path, Value::from(text));
    }

    fn put(&mut self, path: &str, value: Value) {
        let keys = path.trim_start_matches('/').split('/');
        let place = keys.fold(&mut self.values, |place, key| {
            if !place.is_object() {
                *place = Value::Object(Map::new());
            }
            &mut place[key]
        });
        *place = value;
    }
}
