//! Why a command does not get through to a cloud: what is between here and there, whose credentials they are, what they may do.
//!
//! Nothing is written. What does not depend on each other is looked at at once, each for a limited time; what cannot be said because
//! of an earlier check is not known, so that a cause is named once.

mod cause;

use std::time::{Duration, SystemTime};

use futures::future::join_all;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::time::{Instant, timeout};
use url::Url;

use crate::assess::Intent;
use crate::change_set::ChangeSet;
use crate::engine;
use crate::error::{Error, ErrorKind};
use crate::event::EventSink;
use crate::preflight;
use crate::provider::{Connection, Observer, ProviderConfig};
use crate::reach::{CredentialSource, Endpoint};
use crate::refusal::Refusal;
use crate::rights::MissingRight;
use crate::web::{Browser, Request};

/// How long one address may take.
const ENDPOINT_LIMIT: Duration = Duration::from_secs(10);
/// How long credentials may take: their sources have limits of their own, but for those that wait for a person.
const CREDENTIALS_LIMIT: Duration = Duration::from_secs(45);
/// How long it may take to find out whose they are.
const IDENTITY_LIMIT: Duration = Duration::from_secs(30);
/// How long the look at the deployment may take.
const LOOK_LIMIT: Duration = Duration::from_secs(90);
/// How far a clock may be off. AWS refuses requests that are 15 minutes old or young
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html>), Azure's storage likewise
/// (<https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key#specifying-the-date-header>), and who checks tokens
/// allows for five (<https://learn.microsoft.com/entra/identity-platform/access-tokens#validate-tokens>).
const CLOCK_LIMIT_S: u64 = 300;

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It is as it should be.
    Ok,
    /// It is not: this is a cause.
    Failed,
    /// It is not known, mostly because of an earlier check.
    Unknown,
}

/// One check.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Check {
    /// What was looked at.
    pub name: String,
    /// What came of it.
    pub status: Status,
    /// What was found.
    pub found: String,
    /// What to do about it, or what to know.
    pub hint: Option<String>,
    /// The kind of the error that it failed with.
    pub kind: Option<ErrorKind>,
}

impl Check {
    /// It is as it should be.
    #[must_use]
    pub fn ok(name: impl Into<String>, found: impl Into<String>) -> Self {
        Self { name: name.into(), status: Status::Ok, found: found.into(), hint: None, kind: None }
    }

    /// It is not.
    #[must_use]
    pub fn failed(name: impl Into<String>, found: impl Into<String>, hint: Option<&str>) -> Self {
        Self { status: Status::Failed, hint: hint.map(str::to_owned), ..Self::ok(name, found) }
    }

    /// It is not known.
    #[must_use]
    pub fn unknown(name: impl Into<String>, found: impl Into<String>) -> Self {
        Self { status: Status::Unknown, ..Self::ok(name, found) }
    }

    /// An error.
    #[must_use]
    pub fn of(name: &str, error: &Error) -> Self {
        Self { kind: Some(error.kind()), ..Self::failed(name, error.to_string(), error.hint()) }
    }

    /// Whether it is a cause.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.status == Status::Failed
    }
}

/// What of the machine decides how addresses are reached.
pub trait Surroundings: Send + Sync {
    /// The proxy on the way to an address, for people: without what it is told a password by.
    fn proxy(&self, url: &str) -> Option<String>;

    /// Whether that proxy answers, where there is one.
    fn answers(&self, proxy: &str) -> bool;

    /// How many seconds a clock is ahead of ours, by the header in which it says its time.
    fn ahead_s(&self, date: &str) -> Option<i64>;

    /// Our time.
    fn now(&self) -> SystemTime;
}

/// What is looked at.
pub struct Examined<'a> {
    /// The plan file's section.
    pub config: &'a dyn ProviderConfig,
    /// The way to the cloud.
    pub connection: &'a Connection,
    /// What sends plain requests; why there is nothing that does.
    pub browser: Result<&'a dyn Browser, &'a Error>,
    /// What is on the way.
    pub surroundings: &'a dyn Surroundings,
    /// What the look at the deployment is for.
    pub intent: &'a Intent,
    /// What the cloud calls that which pays, and the place where its things are.
    pub nouns: (&'static str, &'static str),
    /// Who is told that a look lasts.
    pub events: &'a dyn EventSink,
}

/// All checks but those of the machine itself, in the order in which they depend on each other.
pub async fn examine(examined: &Examined<'_>) -> Vec<Check> {
    let endpoints = match limited("endpoints", ENDPOINT_LIMIT, examined.config.endpoints(examined.connection)).await {
        Ok(endpoints) => endpoints,
        Err(error) => return vec![Check::of("endpoints", &error)],
    };
    let credentials = limited("credentials", CREDENTIALS_LIMIT, examined.config.credential_source(examined.connection));
    let (reached, source) = futures::join!(join_all(endpoints.iter().map(|one| reach(examined, one))), credentials);
    let signs_in = endpoints.iter().zip(&reached).all(|(one, reached)| !one.signs_in || reached.is_there());
    let all_there = endpoints.iter().zip(&reached).all(|(one, reached)| one.made_later || reached.is_there());
    let mut checks: Vec<_> = reached.iter().map(|reached| reached.check.clone()).collect();
    checks.push(clock(&reached));
    checks.push(credentials_check(&source, signs_in, examined.surroundings.now()));
    let observer = match source {
        Ok(_) => limited("credentials", CREDENTIALS_LIMIT, examined.config.observer(examined.connection)).await,
        Err(error) => Err(error),
    };
    match observer {
        Ok(observer) => checks.extend(in_the_cloud(examined, observer.as_ref(), all_there).await),
        Err(_) => checks
            .extend(["identity", "resources", "rights"].map(|name| Check::unknown(name, "there are no credentials"))),
    }
    checks
}

/// What did not end in time did not answer.
async fn limited<T>(what: &str, limit: Duration, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    timeout(limit, work).await.unwrap_or_else(|_| {
        let error = Error::new(ErrorKind::Unavailable, format!("look at the {what}"));
        Err(error.with_message(format!("nothing came within {} s", limit.as_secs())))
    })
}

/// What came of an address.
struct Reached {
    check: Check,
    /// How far its clock is ahead.
    ahead_s: Option<i64>,
}

impl Reached {
    fn is_there(&self) -> bool {
        self.check.status == Status::Ok
    }
}

async fn reach(examined: &Examined<'_>, endpoint: &Endpoint) -> Reached {
    let name = format!("endpoint {}", endpoint.service);
    let url = match &endpoint.set_by {
        Some(variable) => format!("{} ({variable})", endpoint.url),
        None => endpoint.url.clone(),
    };
    let nowhere = |check: Check| Reached { check, ahead_s: None };
    if !Url::parse(&endpoint.url).is_ok_and(|url| url.has_host() && matches!(url.scheme(), "http" | "https")) {
        let hint = "write an address that begins with `https://`, or with `http://` for an emulator";
        return nowhere(Check::failed(name, format!("{url} is no URL"), Some(hint)));
    }
    let Ok(browser) = examined.browser else {
        return nowhere(Check::unknown(name, format!("{url}: not asked, for want of certificates")));
    };
    let proxy = examined.surroundings.proxy(&endpoint.url);
    if proxy.as_ref().is_some_and(|proxy| !examined.surroundings.answers(proxy)) {
        return nowhere(Check::unknown(name, format!("{url}: not asked, since the proxy cannot be used")));
    }
    let begun = Instant::now();
    let request = Request { operation: "doctor", method: "GET", url: endpoint.probe(), ..Request::default() };
    let answer = limited("endpoint", ENDPOINT_LIMIT, browser.send(&request)).await;
    let wrong = match &answer {
        Ok(answer) => cause::of_answer(endpoint, answer, proxy.as_deref()),
        Err(error) => Some(cause::of_silence(endpoint, error, proxy.as_deref())),
    };
    if let (true, Err(error)) = (endpoint.made_later, &answer)
        && cause::is_unknown_name(error)
    {
        let found = "its name is not known here, as before the first apply";
        return nowhere(Check::unknown(name, format!("{url}: {found}")));
    }
    if let Some((found, hint)) = wrong {
        return nowhere(Check::failed(name, format!("{url}: {found}"), Some(&hint)));
    }
    let date = answer.as_ref().ok().and_then(|answer| answer.header("date"));
    let ahead_s = date.and_then(|date| examined.surroundings.ahead_s(date));
    Reached { check: Check::ok(name, format!("{url} answers after {:.1} s", begun.elapsed().as_secs_f64())), ahead_s }
}

/// How far our clock is off, by the one in the middle of those that told theirs.
fn clock(reached: &[Reached]) -> Check {
    let mut told: Vec<_> = reached.iter().filter_map(|reached| reached.ahead_s).collect();
    told.sort_unstable();
    let Some(ahead) = told.get(told.len() / 2) else { return Check::unknown("clock", "no service told its time") };
    let (off, way) = (ahead.unsigned_abs(), if *ahead > 0 { "behind" } else { "ahead of" });
    match off {
        0..=1 => Check::ok("clock", "as that of the services"),
        off if off <= CLOCK_LIMIT_S => Check::ok("clock", format!("{off} s {way} that of the services")),
        off => Check::failed(
            "clock",
            format!(
                "this machine is {} {way} the services, which refuse what seems too old or too young",
                lasting(off)
            ),
            Some("set the clock (`timedatectl set-ntp true`, or restart a virtual machine's time service)"),
        ),
    }
}

/// A time in the largest unit that says it.
fn lasting(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} minutes", seconds / 60),
        7_200..172_800 => format!("{} hours", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

fn credentials_check(source: &Result<CredentialSource, Error>, signs_in: bool, now: SystemTime) -> Check {
    match source {
        Err(error) if signs_in => Check::of("credentials", error),
        Err(_) => Check::unknown("credentials", "not asked for: where they are had from is not reached"),
        Ok(CredentialSource { from, expires: None }) => Check::ok("credentials", from),
        Ok(CredentialSource { from, expires: Some(expires) }) => match expires.duration_since(now) {
            Ok(left) => Check::ok("credentials", format!("{from}, good for {}", lasting(left.as_secs()))),
            Err(_) => Check {
                kind: Some(ErrorKind::Unauthenticated),
                ..Check::failed("credentials", format!("{from}: they have expired"), Some("renew them"))
            },
        },
    }
}

/// What only the cloud can say.
async fn in_the_cloud(examined: &Examined<'_>, observer: &dyn Observer, all_there: bool) -> Vec<Check> {
    // What is not reached was told as such.
    let of = |name: &str, error: &Error| match error.kind() {
        ErrorKind::Unavailable if !all_there => Check::unknown(name, "not asked: an endpoint is not reached"),
        _ => Check::of(name, error),
    };
    let (account, region) = examined.nouns;
    let identity = match limited("identity", IDENTITY_LIMIT, observer.identity()).await {
        Ok(who) => {
            Check::ok("identity", format!("{account} {}, {region} {}, as {}", who.account, who.region, who.principal))
        }
        Err(error) => {
            let unknown = |name| Check::unknown(name, "not looked at: nobody knows whose credentials these are");
            return vec![of("identity", &error), unknown("resources"), unknown("rights")];
        }
    };
    let look = async {
        let look = engine::plan(observer, examined.intent, &|_| None, examined.events);
        preflight::inquiring(observer, &examined.intent.purpose, look).await
    };
    match limited("resources", LOOK_LIMIT, look).await {
        Ok(set) => vec![identity, resources(&set, &of), rights(&set)],
        Err(error) => vec![identity, of("resources", &error), Check::unknown("rights", "not asked")],
    }
}

/// Whether everything of the plan file can be read.
fn resources(set: &ChangeSet, of: &dyn Fn(&str, &Error) -> Check) -> Check {
    let (unknowns, warnings) = (set.unknowns(), (!set.warnings.is_empty()).then(|| set.warnings.join("; ")));
    match unknowns.as_slice() {
        [] => Check { hint: warnings, ..Check::ok("resources", "all that the plan file names can be read") },
        [error, rest @ ..] => {
            let more = if rest.is_empty() { String::new() } else { format!(" (and {} more)", rest.len()) };
            let check = of("resources", error);
            Check { found: format!("{}{more}", check.found), ..check }
        }
    }
}

/// Whether apply may do what it would do now.
fn rights(set: &ChangeSet) -> Check {
    let rights = &set.rights;
    if !set.blockers().is_empty() {
        return Check::unknown("rights", "not asked: apply would be refused anyhow");
    }
    if !set.has_changes() {
        return Check::ok("rights", "apply has nothing to do now, and needs none but to look");
    }
    if !rights.missing.is_empty() {
        let missing: Vec<_> = rights.missing.iter().map(MissingRight::describe).collect();
        let hint = format!(
            "grant them to {}; `{}` prints all that apply needs",
            set.identity.principal,
            preflight::permissions_command(set)
        );
        let found = format!("apply lacks {}", missing.join("; "));
        return Check { kind: Some(ErrorKind::PermissionDenied), ..Check::failed("rights", found, Some(&hint)) };
    }
    if !rights.refusals.is_empty() {
        let all =
            |text: fn(&Refusal) -> &String| rights.refusals.iter().map(text).cloned().collect::<Vec<_>>().join("; ");
        let check = Check::failed("rights", all(|refusal| &refusal.reason), Some(&all(|refusal| &refusal.hint)));
        return Check { kind: Some(ErrorKind::Refused), ..check };
    }
    match rights.unknown.as_slice() {
        [] => Check::ok("rights", "apply has all that it needs now"),
        unknown => {
            let reasons: Vec<_> = unknown.iter().map(|unknown| unknown.reason.as_str()).collect();
            Check::unknown("rights", reasons.join("; "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(ahead: &[i64]) -> Check {
        let reached = |ahead: &i64| Reached { check: Check::ok("endpoint", ""), ahead_s: Some(*ahead) };
        clock(&ahead.iter().map(reached).collect::<Vec<_>>())
    }

    #[test]
    fn clock_is_judged_by_the_one_in_the_middle() {
        assert_eq!(told(&[]).status, Status::Unknown);
        assert_eq!((told(&[0, 1, 9_000]).status, told(&[300]).status), (Status::Ok, Status::Ok));
        let wrong = told(&[3_600, 3_599, 0]);
        assert!(wrong.has_failed() && wrong.found.contains("59 minutes behind the services"), "{}", wrong.found);
        assert!(told(&[-90_000]).found.contains("25 hours ahead of"));
    }

    #[test]
    fn credentials_are_told_with_their_end_and_not_at_all_where_they_could_not_be_asked_for() {
        let (now, hour) = (SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000), Duration::from_secs(3_600));
        let source = |expires| Ok(CredentialSource { from: "a file".to_owned(), expires: Some(expires) });
        assert_eq!(credentials_check(&source(now + hour), true, now).found, "a file, good for 60 minutes");
        assert!(credentials_check(&source(now - hour), true, now).has_failed());
        let none = || Err(Error::new(ErrorKind::Unauthenticated, "find credentials"));
        let checks = [true, false].map(|signs_in| credentials_check(&none(), signs_in, now).status);
        assert_eq!(checks, [Status::Failed, Status::Unknown]);
    }
}
