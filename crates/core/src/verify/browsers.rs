//! What a browser is told before it lets a page use the bucket, and with each answer
//! (<https://fetch.spec.whatwg.org/#http-cors-protocol>).

use crate::change_set::{Action, Change, ChangeSet, FacetChange};
use crate::cors::covers;
use crate::error::Error;
use crate::hop::{Hop, HopId};
use crate::probe::Probes;
use crate::provider::{BrowserAccess, Observer};
use crate::web::{Answer, Browser, Request, ask};

use super::mending::Mending;
use super::wanted::Wanted;

/// What pages of the server do.
const METHODS: [&str; 3] = ["GET", "HEAD", "PUT"];
/// A page that is nobody's: the name belongs to no one (<https://www.rfc-editor.org/rfc/rfc6761#section-6.4>).
const FOREIGN: &str = "https://provision-verify.invalid";

pub(super) const ALLOW_ORIGIN: &str = "access-control-allow-origin";
const ALLOW_METHODS: &str = "access-control-allow-methods";
const ALLOW_HEADERS: &str = "access-control-allow-headers";
pub(super) const EXPOSE_HEADERS: &str = "access-control-expose-headers";

/// Ask as a browser asks, from a page of the server and from another one.
pub(super) async fn hop(
    observer: &dyn Observer,
    browser: &dyn Browser,
    set: &ChangeSet,
    wanted: &Wanted,
    mending: &Mending,
) -> Hop {
    let hop = Hop::new(HopId::Browsers, format!("browser access: {} from {}", METHODS.join(", "), wanted.origin));
    let key = Probes::new(&wanted.prefix, &set.deployment).another().key;
    match observer.browser_access(&key).await {
        Ok(Some(access)) => preflights(hop, browser, &access, set, wanted, mending).await,
        Ok(None) => hop.not_proven("pages cannot be let in or kept out here"),
        Err(error) => mending.ended(hop, &error),
    }
}

async fn preflights(
    mut hop: Hop,
    browser: &dyn Browser,
    access: &BrowserAccess,
    set: &ChangeSet,
    wanted: &Wanted,
    mending: &Mending,
) -> Hop {
    for method in METHODS {
        let answer = match preflight(&mut hop, browser, access, &wanted.origin, method).await {
            Ok(answer) => answer,
            Err(error) => return mending.ended(hop, &error),
        };
        if let Some(lack) = lack(&answer, &wanted.origin, method, access.headers) {
            let wall = mending.obstacle(HopId::Browsers).filter(|_| is_in_sync(access, set) && !answer.is_success());
            if let Some(wall) = wall {
                return hop.failed(&wall.reason, Some(wall.hint.clone()));
            }
            let mend = how_to_allow(access, set, &wanted.origin, method, mending);
            return hop.failed(format!("a page of {} may not {method}: {lack}", wanted.origin), Some(mend));
        }
    }
    if access.rule.origins.iter().any(|origin| covers(origin, FOREIGN)) {
        return hop;
    }
    for method in METHODS {
        match preflight(&mut hop, browser, access, FOREIGN, method).await {
            Ok(answer) if answer.lists(ALLOW_ORIGIN, FOREIGN) => return let_in(hop, method, access, set, mending),
            Ok(_) => {}
            Err(error) => return mending.ended(hop, &error),
        }
    }
    hop
}

async fn preflight(
    hop: &mut Hop,
    browser: &dyn Browser,
    access: &BrowserAccess,
    origin: &str,
    method: &str,
) -> Result<Answer, Error> {
    let request =
        Request { operation: "browser:Preflight", method: "OPTIONS", url: access.url.clone(), ..Request::default() }
            .with_header("origin", origin)
            .with_header("access-control-request-method", method)
            .with_header("access-control-request-headers", &access.headers.join(","));
    let sent = format!("{} from {origin} for {method} with {}", request.shown(), access.headers.join(", "));
    let answer = ask(browser, &request).await;
    let came = answer
        .as_ref()
        .map_or_else(ToString::to_string, |(answer, _)| answer.shown(&[ALLOW_ORIGIN, ALLOW_METHODS, ALLOW_HEADERS]));
    hop.exchange(sent, came);
    answer.map(|(answer, _)| answer)
}

/// What of an answer keeps a browser from going on. The status says nothing: a success may be without any of it.
fn lack(answer: &Answer, origin: &str, method: &str, headers: &[&str]) -> Option<String> {
    let header = headers.iter().find(|header| !answer.lists(ALLOW_HEADERS, header));
    match header {
        _ if !answer.lists(ALLOW_ORIGIN, origin) => Some("the answer does not allow the origin".to_owned()),
        _ if !answer.lists(ALLOW_METHODS, method) => Some("the answer does not allow the method".to_owned()),
        Some(header) => Some(format!("the answer does not allow the header {header}")),
        None if !answer.is_success() => Some(format!("the answer is {}", answer.status)),
        None => None,
    }
}

/// What helps where a rule is as the plan file says, and the answer is not.
const SPREADING: &str = "run the same command again in a minute: the rules are as the plan file says, and the service does not \
                         answer by them yet";

/// What lets a page in: the plan file's rule does, once it is applied, or it must be written first.
pub(super) fn how_to_allow(
    access: &BrowserAccess,
    set: &ChangeSet,
    origin: &str,
    method: &str,
    mending: &Mending,
) -> String {
    match to_write(access, origin, method) {
        Some(written) => format!("{written}, then {}", mending.apply()),
        None if is_in_sync(access, set) => SPREADING.to_owned(),
        None => mending.apply(),
    }
}

/// What of the plan file's rule has to be changed to let a page in.
fn to_write(access: &BrowserAccess, origin: &str, method: &str) -> Option<String> {
    let BrowserAccess { rule, table, .. } = access;
    if !rule.origins.iter().any(|allowed| covers(allowed, origin)) {
        return Some(format!("add \"{origin}\" to `origins` under [{table}]"));
    }
    let named = rule.methods.iter().any(|allowed| allowed == method);
    (!named).then(|| format!("add \"{method}\" to `methods` under [{table}]"))
}

/// Whether the rule is as the plan file says.
fn is_in_sync(access: &BrowserAccess, set: &ChangeSet) -> bool {
    let (address, facet) = &access.facet;
    let differs = |found: &FacetChange| found.facet == *facet && found.finding.differs();
    let there = |change: &Change| {
        let open = change.missing || change.refusal.is_some() || change.action == Action::Create;
        change.address == *address && !open && !change.facets.iter().any(differs)
    };
    set.changes.iter().any(there)
}

/// A page of somebody else's is let in: by our rule's place or absence, or by a rule of others, which is left alone.
fn let_in(hop: Hop, method: &str, access: &BrowserAccess, set: &ChangeSet, mending: &Mending) -> Hop {
    let (address, facet) = &access.facet;
    let change = set.changes.iter().find(|change| change.address == *address);
    let others = || change.into_iter().flat_map(|change| &change.unmanaged).filter(|other| other.facet == *facet);
    let other = others().find(|other| other.entry.contains('*')).or_else(|| others().next());
    let reason = format!("pages of anybody may {method}");
    match other.filter(|_| is_in_sync(access, set)) {
        Some(other) => {
            let reason = format!("{reason}: {} lets them in, which somebody else wrote", other.entry);
            hop.not_proven(reason).mended_by(format!("take that rule out if nobody needs it: {}", access.by_hand))
        }
        None => {
            let mend = if is_in_sync(access, set) { SPREADING.to_owned() } else { mending.apply() };
            hop.failed(format!("{reason}, where only the server's should"), Some(mend))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;
    use crate::cors::CorsRule;

    const HOST: &str = "https://w.example";

    fn lacks(status: u16, headers: &[(&str, &str)]) -> Option<String> {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        lack(&Answer { status, headers, body: Vec::new() }, HOST, "PUT", &["content-type"])
    }

    #[test]
    fn preflight_is_judged_by_its_headers_and_not_by_its_status_alone() {
        let whole = [(ALLOW_ORIGIN, HOST), (ALLOW_METHODS, "GET, PUT"), (ALLOW_HEADERS, "Content-Type")];
        assert_eq!(lacks(200, &whole), None);
        assert_eq!(lacks(200, &[(ALLOW_ORIGIN, "*"), (ALLOW_METHODS, "*"), (ALLOW_HEADERS, "*")]), None);
        assert!(lacks(200, &[]).unwrap().contains("origin"));
        assert!(lacks(200, &[(ALLOW_ORIGIN, "https://other.example"), whole[1], whole[2]]).unwrap().contains("origin"));
        assert!(lacks(200, &[whole[0], (ALLOW_METHODS, "GET"), whole[2]]).unwrap().contains("method"));
        assert!(lacks(200, &whole[..2]).unwrap().contains("header content-type"));
        assert!(lacks(403, &whole).unwrap().contains("403"));
    }

    #[test]
    fn what_the_plan_file_does_not_ask_for_is_to_be_written_there_first() {
        let access = |origins: &[&str], methods: &[&str]| BrowserAccess {
            url: String::new(),
            rule: CorsRule {
                origins: origins.iter().map(|text| (*text).to_owned()).collect(),
                methods: methods.iter().map(|text| (*text).to_owned()).collect(),
                headers: Vec::new(),
                expose: Vec::new(),
                max_age_s: 0,
            },
            headers: &[],
            table: "aws.bucket.cors",
            facet: (Address::new("aws.bucket"), "cors"),
            by_hand: String::new(),
        };
        let written = |origins: &[&str], methods: &[&str]| to_write(&access(origins, methods), HOST, "PUT");
        assert_eq!(written(&["https://*.example"], &["PUT"]), None);
        let origin = "add \"https://w.example\" to `origins` under [aws.bucket.cors]";
        assert_eq!(written(&["https://x"], &["PUT"]).unwrap(), origin);
        assert_eq!(written(&[HOST], &["GET"]).unwrap(), "add \"PUT\" to `methods` under [aws.bucket.cors]");
    }
}
