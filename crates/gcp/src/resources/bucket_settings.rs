//! Settings of a bucket, as change sets have them and as the service does.

use serde::{Deserialize, Serialize};

use crate::client::json::Int64;
use crate::client::storage::{self, Bucket, IamConfiguration, SoftDeletePolicy, UniformBucketLevelAccess};
use crate::config::BucketSection;

const SECONDS_A_DAY: i64 = 86_400;

/// Where objects are kept, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Storage {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) location: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) class: Option<String>,
}

/// Who may let everybody in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PublicAccess {
    pub(super) uniform_access: bool,
    pub(super) prevention: String,
}

/// Whose keys encrypt objects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Encryption {
    #[serde(rename = "google-managed")]
    Google,
    #[serde(rename = "kms_key")]
    Key(String),
}

/// How long what is deleted can be restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum SoftDelete {
    Days(i64),
    /// What is no number of days.
    Seconds {
        seconds: i64,
    },
}

impl Storage {
    pub(super) fn desired(bucket: &BucketSection, created: bool) -> Self {
        let location = (created || bucket.location.is_some()).then(|| bucket.location());
        let class = created || bucket.storage_class.is_some();
        Self { location, class: class.then(|| bucket.storage_class.unwrap_or_default().name().to_owned()) }
    }

    pub(super) fn in_words(self) -> String {
        [self.location, self.class].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    pub(super) fn observed(bucket: &Bucket) -> Self {
        Self { location: Some(bucket.location.to_uppercase()), class: Some(bucket.storage_class.to_uppercase()) }
    }
}

impl PublicAccess {
    pub(super) fn prevented() -> Self {
        Self { uniform_access: true, prevention: "enforced".to_owned() }
    }

    /// Spellings of "nobody prevents it": <https://cloud.google.com/storage/docs/public-access-prevention>.
    pub(super) fn observed(config: &IamConfiguration) -> Self {
        let enforced = config.public_access_prevention.eq_ignore_ascii_case("enforced");
        let prevention = if enforced { "enforced" } else { "inherited" };
        Self { uniform_access: config.uniform_bucket_level_access.enabled, prevention: prevention.to_owned() }
    }

    pub(super) fn into_configuration(self) -> IamConfiguration {
        IamConfiguration {
            uniform_bucket_level_access: UniformBucketLevelAccess { enabled: self.uniform_access },
            public_access_prevention: self.prevention,
        }
    }
}

impl Encryption {
    pub(super) fn of(key: Option<String>) -> Self {
        key.filter(|key| !key.is_empty()).map_or(Self::Google, Self::Key)
    }

    pub(super) fn in_words(self) -> String {
        match self {
            Self::Google => "keys that Google manages".to_owned(),
            Self::Key(key) => format!("with key {key}"),
        }
    }

    pub(super) fn observed(bucket: &Bucket) -> Self {
        Self::of(bucket.encryption.as_ref().and_then(|encryption| encryption.default_kms_key_name.clone()))
    }

    pub(super) fn into_setting(self) -> storage::Encryption {
        let key = match self {
            Self::Google => None,
            Self::Key(key) => Some(key),
        };
        storage::Encryption { default_kms_key_name: key }
    }
}

impl SoftDelete {
    pub(super) fn observed(bucket: &Bucket) -> Self {
        let Int64(seconds) = bucket.soft_delete_policy.unwrap_or_default().retention_duration_seconds;
        match seconds % SECONDS_A_DAY {
            0 => Self::Days(seconds / SECONDS_A_DAY),
            _ => Self::Seconds { seconds },
        }
    }

    pub(super) fn in_words(self) -> String {
        match self {
            Self::Days(0) => "off".to_owned(),
            Self::Days(days) => format!("{days} days"),
            Self::Seconds { seconds } => format!("{seconds} s"),
        }
    }

    pub(super) fn into_policy(self) -> SoftDeletePolicy {
        let seconds = match self {
            Self::Days(days) => days * SECONDS_A_DAY,
            Self::Seconds { seconds } => seconds,
        };
        SoftDeletePolicy { retention_duration_seconds: Int64(seconds) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn soft_delete_is_counted_in_days_where_it_is_days() {
        let of = |seconds| {
            let soft_delete_policy = Some(SoftDeletePolicy { retention_duration_seconds: Int64(seconds) });
            json!(SoftDelete::observed(&Bucket { soft_delete_policy, ..Bucket::default() }))
        };
        assert_eq!(of(604_800), json!(7));
        assert_eq!(of(604_801), json!({"seconds": 604_801}));
        assert_eq!(json!(SoftDelete::observed(&Bucket::default())), json!(0));
    }

    /// Change sets and marks have values in this form: it must not change.
    #[test]
    fn values_are_spelled_as_in_change_sets() {
        let storage = Storage { location: Some("US".to_owned()), class: None };
        assert_eq!(json!(storage), json!({"location": "US"}));
        let access = json!({"uniform_access": true, "prevention": "enforced"});
        assert_eq!(json!(PublicAccess::prevented()), access);
        assert_eq!(json!(Encryption::of(None)), json!("google-managed"));
        assert_eq!(json!(Encryption::of(Some("k".to_owned()))), json!({"kms_key": "k"}));
    }
}
