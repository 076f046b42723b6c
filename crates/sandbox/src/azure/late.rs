//! What lists go on showing after it is gone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Error;
use crate::azure::call::Call;
use crate::state::Transaction;

/// A list that lags behind.
#[derive(Clone, Copy, Debug)]
pub(super) struct LateList {
    /// As its delay is called.
    pub(super) name: &'static str,
    /// How long it usually lags, in milliseconds.
    pub(super) usual_ms: u64,
}

/// Containers and queues of an account.
pub(super) const CONTENT: LateList = LateList { name: "lists", usual_ms: 0 };

/// Role assignments
/// <https://learn.microsoft.com/azure/role-based-access-control/troubleshooting#symptom---role-assignment-changes-are-not-being-detected>.
pub(super) const ASSIGNMENTS: LateList = LateList { name: "assignments", usual_ms: 0 };

/// What is in a resource group <https://github.com/hashicorp/terraform-provider-azurerm/issues/16069>.
pub(super) const RESOURCES: LateList = LateList { name: "resources", usual_ms: 0 };

/// Event subscriptions, which are there with a state of their own until they are gone.
pub(super) const EVENT_SUBSCRIPTIONS: LateList = LateList { name: "eventSubscriptions", usual_ms: 300 };

#[derive(Debug, Serialize, Deserialize)]
struct Gone {
    until_ms: u64,
    shown: Value,
}

impl LateList {
    /// Something went that the list showed so. Gives when the list forgets it.
    pub(super) fn note(
        self,
        state: &mut Transaction<'_>,
        call: &Call<'_>,
        id: &str,
        shown: Value,
    ) -> Result<u64, Error> {
        let until_ms = call.now_ms + call.delay_ms(self.name, self.usual_ms);
        if until_ms > call.now_ms {
            state.put(&self.key(id), &Gone { until_ms, shown })?;
        }
        Ok(until_ms)
    }

    /// One that is gone, and still shown.
    pub(super) fn one(self, state: &Transaction<'_>, call: &Call<'_>, id: &str) -> Result<Option<Value>, Error> {
        let found: Option<Gone> = state.get(&self.key(id))?;
        Ok(found.filter(|gone| call.now_ms < gone.until_ms).map(|gone| gone.shown))
    }

    /// What is there below an id, with what is gone, in the order of ids.
    pub(super) fn shown(
        self,
        state: &Transaction<'_>,
        call: &Call<'_>,
        below: &str,
        there: impl IntoIterator<Item = (String, Value)>,
    ) -> Result<Vec<(String, Value)>, Error> {
        let start = self.key("").len();
        let late: Vec<(String, Gone)> = state.scan(&format!("{}/", self.key(below)))?;
        let late = late.into_iter().filter(|(_, gone)| call.now_ms < gone.until_ms);
        let mut all: BTreeMap<_, _> = late.map(|(key, gone)| (key[start..].to_owned(), gone.shown)).collect();
        all.extend(there.into_iter().map(|(id, shown)| (id.to_ascii_lowercase(), shown)));
        Ok(all.into_iter().collect())
    }

    fn key(self, id: &str) -> String {
        format!("azure/late/{}{}", self.name, id.to_ascii_lowercase())
    }
}
