//! What a browser is told before it lets a page use the bucket, and with each answer
//! (<https://fetch.spec.whatwg.org/#http-cors-protocol>).

use crate::change_set::{ChangeSet, FacetChange};
use crate::cors::{CorsRule, covers};
use crate::error::Error;
use crate::hop::{Hop, HopId};
use crate::probe::Probes;
use crate::provider::{BrowserAccess, Observer};
use crate::web::{Answer, Browser, Request, ask};

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
pub(super) async fn hop(observer: &dyn Observer, browser: &dyn Browser, set: &ChangeSet, wanted: &Wanted) -> Hop {
    let hop = Hop::new(HopId::Browsers, format!("browser access: {} from {}", METHODS.join(", "), wanted.origin));
    let key = Probes::new(&wanted.prefix, &set.deployment).another().key;
    match observer.browser_access(&key).await {
        Ok(Some(access)) => preflights(hop, browser, &access, set, wanted).await,
        Ok(None) => hop.not_proven("this cloud cannot be asked"),
        Err(error) => hop.ended_by(&error),
    }
}

async fn preflights(
    mut hop: Hop,
    browser: &dyn Browser,
    access: &BrowserAccess,
    set: &ChangeSet,
    wanted: &Wanted,
) -> Hop {
    for method in METHODS {
        let answer = match preflight(&mut hop, browser, access, &wanted.origin, method).await {
            Ok(answer) => answer,
            Err(error) => return hop.ended_by(&error),
        };
        if let Some(lack) = lack(&answer, &wanted.origin, method, access.headers) {
            let mend = how_to_allow(&access.rule, access.table, &wanted.origin, method, &wanted.mend);
            return hop.failed(format!("a page of {} may not {method}: {lack}", wanted.origin), Some(mend));
        }
    }
    if access.rule.origins.iter().any(|origin| covers(origin, FOREIGN)) {
        return hop;
    }
    for method in METHODS {
        match preflight(&mut hop, browser, access, FOREIGN, method).await {
            Ok(answer) if answer.lists(ALLOW_ORIGIN, FOREIGN) => return let_in(hop, method, access, set, &wanted.mend),
            Ok(_) => {}
            Err(error) => return hop.ended_by(&error),
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

/// What lets a page in: the plan file's rule does, once it is applied, or it must be written first.
pub(super) fn how_to_allow(rule: &CorsRule, table: &str, origin: &str, method: &str, mend: &str) -> String {
    if !rule.origins.iter().any(|allowed| covers(allowed, origin)) {
        return format!("add \"{origin}\" to cors.origins under [{table}], then {mend}");
    }
    if !rule.methods.iter().any(|allowed| allowed == method) {
        return format!("add \"{method}\" to cors.methods under [{table}], then {mend}");
    }
    mend.to_owned()
}

/// A page of somebody else's is let in: by our rule's place or absence, or by a rule of others, which is left alone.
fn let_in(hop: Hop, method: &str, access: &BrowserAccess, set: &ChangeSet, mend: &str) -> Hop {
    let (address, facet) = &access.facet;
    let change = set.changes.iter().find(|change| change.address == *address);
    let differs = |found: &FacetChange| found.facet == *facet && found.finding.differs();
    let in_sync = change.is_some_and(|change| !change.facets.iter().any(differs));
    let others = change.into_iter().flat_map(|change| &change.unmanaged).find(|other| other.facet == *facet);
    match others.filter(|_| in_sync) {
        Some(other) => hop.not_proven(format!("pages of anybody may {method}: {} is not provision's", other.entry)),
        None => {
            hop.failed(format!("pages of anybody may {method}, where only the server's should"), Some(mend.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let rule = |origins: &[&str], methods: &[&str]| CorsRule {
            origins: origins.iter().map(|text| (*text).to_owned()).collect(),
            methods: methods.iter().map(|text| (*text).to_owned()).collect(),
            headers: Vec::new(),
            expose: Vec::new(),
            max_age_s: 0,
        };
        let mend = |rule: &CorsRule| how_to_allow(rule, "aws.bucket", HOST, "PUT", "apply");
        assert_eq!(mend(&rule(&["https://*.example"], &["PUT"])), "apply");
        assert!(mend(&rule(&["https://x"], &["PUT"])).starts_with("add \"https://w.example\" to cors.origins"));
        assert!(
            mend(&rule(&[HOST], &["GET"])).starts_with("add \"PUT\" to cors.methods under [aws.bucket], then apply")
        );
    }
}
