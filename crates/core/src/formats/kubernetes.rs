//! `k8s-secret`: a Secret with all settings, which a container takes whole (`envFrom`) and other formats refer to
//! (<https://kubernetes.io/docs/concepts/configuration/secret/>).

use serde_json::{Map, Value, json};

use super::written::{Settings, Unwritable, known};
use super::yaml;
use crate::output::{Output, SecretKey, Setting};
use crate::server::mysql::{Mysql, encoded};

/// The key of the database's password alone: the chart puts it into a URL as it is, so that it is percent-encoded here.
pub(super) const MYSQL_PASSWORD: &str = "mysql-password";

/// The most bytes of a Secret.
const LARGEST: usize = 1 << 20;

/// The Secret's name.
pub(super) fn secret_name(deployment: &str) -> String {
    format!("{}-settings", name(deployment))
}

/// A deployment's name as one in Kubernetes, which does not end in `-`
/// (<https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-label-names>).
pub(super) fn name(deployment: &str) -> &str {
    deployment.trim_end_matches('-')
}

/// Where a setting is, once the Secret was made: there, or in the one that the plan file names.
pub(super) fn place(deployment: &str, output: &Output) -> SecretKey {
    match &output.value {
        Setting::InKubernetes(place) => place.clone(),
        _ => SecretKey { secret: secret_name(deployment), key: output.name.clone() },
    }
}

pub(super) fn write(settings: &Settings<'_>) -> Result<String, Unwritable> {
    let mut data: Map<String, Value> =
        known(settings.outputs).map(|(output, value)| (output.name.clone(), Value::from(value))).collect();
    let url = data.get("MYSQL").and_then(Value::as_str).and_then(Mysql::read);
    if let Some(mysql) = url {
        // The chart has the key of a database without a password too.
        let password = mysql.password.unwrap_or_default();
        data.entry(MYSQL_PASSWORD).or_insert_with(|| Value::from(encoded(&password)));
    }
    if data.values().filter_map(Value::as_str).map(str::len).sum::<usize>() >= LARGEST {
        return Err(Unwritable::whole("a Secret has at most 1 MB, and these settings have more"));
    }
    let metadata = json!({ "name": secret_name(settings.deployment) });
    yaml::write(&[json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "stringData": data
    })])
}
