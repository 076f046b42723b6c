//! Leases: who holds one alone may delete a container (<https://learn.microsoft.com/rest/api/storageservices/lease-container>), or
//! delete and write a blob (<https://learn.microsoft.com/rest/api/storageservices/lease-blob>).

use serde::{Deserialize, Serialize};

use crate::azure::call::Call;
use crate::azure::guid;
use crate::azure::refusal::Refusal;
use crate::state::Transaction;

/// How many seconds a lease may be held that has an end.
const SECONDS: std::ops::RangeInclusive<i64> = 15..=60;

/// A lease, held or not any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lease {
    id: String,
    /// Until when it is held; `None` for one without an end.
    until_ms: Option<u64>,
    broken: bool,
}

/// What is asked for: as Resource Manager has it in a document
/// (<https://learn.microsoft.com/rest/api/storagerp/blob-containers/lease>), and the Blob service in headers.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Wanted {
    action: String,
    lease_id: Option<String>,
    break_period: Option<u64>,
    lease_duration: Option<i64>,
    proposed_lease_id: Option<String>,
}

/// What became of a lease.
#[derive(Debug)]
pub(super) struct Changed {
    pub(super) status: u16,
    pub(super) lease: Option<Lease>,
    /// Of one that was acquired.
    pub(super) id: Option<String>,
    /// How long one that was broken is still held.
    pub(super) seconds: Option<u64>,
}

impl Wanted {
    /// As the headers say.
    pub(super) fn of(call: &Call<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            action: call.header("x-ms-lease-action").unwrap_or_default().to_owned(),
            lease_id: call.header("x-ms-lease-id").map(str::to_owned),
            break_period: number(call, "x-ms-lease-break-period")?,
            lease_duration: number(call, "x-ms-lease-duration")?,
            proposed_lease_id: call.header("x-ms-proposed-lease-id").map(str::to_owned),
        })
    }

    /// Acquire, release or break.
    pub(super) fn change(
        self,
        state: &mut Transaction<'_>,
        now_ms: u64,
        found: Option<Lease>,
    ) -> Result<Changed, Refusal> {
        match self.action.to_ascii_lowercase().as_str() {
            "acquire" => self.acquire(state, now_ms, found.as_ref()),
            "release" => self.release(found.as_ref()),
            "break" => self.end(now_ms, found),
            action => Err(Refusal::not_served(&format!("the lease action `{action}`"))),
        }
    }

    fn acquire(self, state: &mut Transaction<'_>, now_ms: u64, found: Option<&Lease>) -> Result<Changed, Refusal> {
        let held = found.filter(|lease| lease.is_held(now_ms));
        let same = |lease: &Lease| self.proposed_lease_id.as_deref() == Some(lease.id.as_str()) && !lease.broken;
        if held.is_some_and(|lease| !same(lease)) {
            return Err(Refusal::conflict("LeaseAlreadyPresent", "There is already a lease present."));
        }
        let until_ms = match self.lease_duration {
            Some(-1) => None,
            Some(seconds) if SECONDS.contains(&seconds) => Some(now_ms + 1_000 * seconds.unsigned_abs()),
            _ => return Err(invalid("x-ms-lease-duration")),
        };
        let id = self.proposed_lease_id.map_or_else(|| guid::next(state), Ok)?;
        let lease = Lease { id: id.clone(), until_ms, broken: false };
        Ok(Changed { status: 201, lease: Some(lease), id: Some(id), seconds: None })
    }

    fn release(self, found: Option<&Lease>) -> Result<Changed, Refusal> {
        match found {
            Some(lease) if self.lease_id.as_deref() == Some(lease.id.as_str()) => {
                Ok(Changed { status: 200, lease: None, id: None, seconds: None })
            }
            Some(_) => {
                let message = "The lease ID specified did not match the lease ID of the lease.";
                Err(Refusal::conflict("LeaseIdMismatchWithLeaseOperation", message))
            }
            None => Err(not_present()),
        }
    }

    /// One without an end ends at once, any other when it would have ended, unless another time is given.
    fn end(self, now_ms: u64, found: Option<Lease>) -> Result<Changed, Refusal> {
        let Some(lease) = found else { return Err(not_present()) };
        let left_ms = lease.until_ms.map(|until| until.saturating_sub(now_ms));
        let given_ms = self.break_period.map(|seconds| 1_000 * seconds);
        let ends_ms = match (left_ms, given_ms) {
            (Some(left), Some(given)) => left.min(given),
            (left, given) => left.or(given).unwrap_or_default(),
        };
        let broken = Lease { until_ms: Some(now_ms + ends_ms), broken: true, ..lease };
        Ok(Changed { status: 202, lease: Some(broken), id: None, seconds: Some(ends_ms.div_ceil(1_000)) })
    }
}

impl Lease {
    fn is_held(&self, now_ms: u64) -> bool {
        self.until_ms.is_none_or(|until| now_ms < until)
    }
}

/// Status and state of what may be leased, in lower case.
pub(super) fn shown(lease: Option<&Lease>, now_ms: u64) -> (&'static str, &'static str) {
    match lease.map(|lease| (lease.is_held(now_ms), lease.broken)) {
        None => ("unlocked", "available"),
        Some((true, false)) => ("locked", "leased"),
        Some((true, true)) => ("locked", "breaking"),
        Some((false, true)) => ("unlocked", "broken"),
        Some((false, false)) => ("unlocked", "expired"),
    }
}

/// Refuse whoever does not hold the lease of what is there, and an id of none; `what` is `blob` or `container`.
pub(super) fn permit(what: &str, lease: Option<&Lease>, given: Option<&str>, now_ms: u64) -> Result<(), Refusal> {
    let held = lease.filter(|lease| lease.is_held(now_ms));
    let of = if what == "blob" { "Blob" } else { "Container" };
    let (code, message) = match (held, given) {
        (None, None) => return Ok(()),
        (Some(lease), Some(id)) if lease.id == id => return Ok(()),
        (Some(_), None) => (
            "LeaseIdMissing".to_owned(),
            format!("There is currently a lease on the {what} and no lease ID was specified in the request."),
        ),
        (Some(_), Some(_)) => (
            format!("LeaseIdMismatchWith{of}Operation"),
            format!("The lease ID specified did not match the lease ID for the {what}."),
        ),
        (None, Some(_)) => {
            (format!("LeaseNotPresentWith{of}Operation"), format!("There is currently no lease on the {what}."))
        }
    };
    Err(Refusal::new(412, &code, message))
}

fn not_present() -> Refusal {
    Refusal::conflict("LeaseNotPresentWithLeaseOperation", "There is currently no lease.")
}

fn number<T: std::str::FromStr>(call: &Call<'_>, header: &str) -> Result<Option<T>, Refusal> {
    call.header(header).map(|text| text.parse().map_err(|_| invalid(header))).transpose()
}

fn invalid(header: &str) -> Refusal {
    let message = format!("The value for one of the HTTP headers is not in the correct format: {header}.");
    Refusal::bad_request("InvalidHeaderValue", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(until_ms: Option<u64>) -> Lease {
        Lease { id: "a".to_owned(), until_ms, broken: false }
    }

    fn code(what: &str, lease: Option<&Lease>, given: Option<&str>) -> String {
        permit(what, lease, given, 10).err().map(|refusal| refusal.code).unwrap_or_default()
    }

    #[test]
    fn what_is_leased_is_for_whoever_holds_the_lease() {
        let (leased, over) = (held(None), held(Some(10)));
        assert_eq!(code("blob", Some(&leased), None), "LeaseIdMissing");
        assert_eq!(code("blob", Some(&leased), Some("b")), "LeaseIdMismatchWithBlobOperation");
        assert_eq!(code("container", Some(&over), Some("a")), "LeaseNotPresentWithContainerOperation");
        for (lease, given) in [(Some(&leased), Some("a")), (Some(&over), None), (None, None)] {
            assert_eq!(code("container", lease, given), "");
        }
        assert_eq!((shown(Some(&leased), 10), shown(Some(&over), 10)), (("locked", "leased"), ("unlocked", "expired")));
    }

    #[test]
    fn broken_lease_ends_at_once_or_when_it_would_have_ended() {
        let end = |until_ms: Option<u64>, break_period: Option<u64>| {
            let wanted = Wanted { break_period, ..Wanted::default() };
            let lease = wanted.end(1_000, Some(held(until_ms))).unwrap().lease.unwrap();
            (lease.until_ms, shown(Some(&lease), 1_500).1)
        };
        assert_eq!(end(None, None), (Some(1_000), "broken"));
        assert_eq!(end(Some(9_000), None), (Some(9_000), "breaking"));
        assert_eq!(end(Some(9_000), Some(2)), (Some(3_000), "breaking"));
        assert_eq!(end(None, Some(2)), (Some(3_000), "breaking"));
    }
}
