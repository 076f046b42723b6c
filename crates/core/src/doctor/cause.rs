//! What an answer, or that none came, says of what is on the way.

use crate::error::Error;
use crate::reach::{Answers, Endpoint};
use crate::web::Answer;

/// What was found, and what to do about it.
pub(super) type Cause = (String, String);

/// The words in which libraries say what went wrong, what that is called here, and what to do about it.
const SAID: &[(&[&str], &str, &str)] = &[
    (
        &["lookup address", "name resolution", "Name or service not known", "dns error", "No address associated"],
        "the name is not known to this machine's DNS",
        "check the region and the spelling of what names it, and this machine's DNS (`getent hosts HOST`); behind a proxy set \
         HTTPS_PROXY",
    ),
    (
        &["proxy authorization required"],
        "the proxy asks for a user name and a password",
        "write them into the proxy's variable: `http://USER:PASSWORD@HOST:PORT`",
    ),
    (
        &["tunnel error"],
        "the proxy does not let it through",
        "let the proxy connect to this host, or name the host in NO_PROXY where it is reached directly",
    ),
    (
        &["UnknownIssuer", "unknown issuer", "SelfSigned", "self-signed", "CaUsedAsEndEntity"],
        "its certificate is of an authority that this machine does not know, as of a proxy that looks into TLS",
        "put that authority's certificate into a file with all the others, and name the file in SSL_CERT_FILE",
    ),
    (
        &["NotValidForName", "not valid for name", "not valid for any names"],
        "its certificate is another host's",
        "something on the way answers in its place (a captive portal, a proxy); or the endpoint's name is misspelled",
    ),
    (
        &["certificate has expired", "Expired", "NotValidYet", "not valid yet"],
        "its certificate is not good at this machine's time",
        "check this machine's clock (`date -u`)",
    ),
    (
        &["InvalidContentType", "corrupt message", "wrong version number"],
        "it does not speak TLS",
        "write `http://` where an emulator without TLS is meant; something on the way may answer in its place",
    ),
    (
        &["Connection refused"],
        "nothing listens there",
        "check host and port of what names it, and whether a firewall refuses it; behind a proxy set HTTPS_PROXY",
    ),
    (
        &["unreachable"],
        "there is no way from this machine to there",
        "check this machine's network (`ip route`); behind a proxy set HTTPS_PROXY",
    ),
];

/// Whether no answer came since nobody knows the name.
pub(super) fn is_unknown_name(error: &Error) -> bool {
    let reason = error.message().unwrap_or_default();
    SAID.first().is_some_and(|(words, ..)| words.iter().any(|word| reason.contains(word)))
}

/// Why no answer came.
pub(super) fn of_silence(endpoint: &Endpoint, error: &Error, proxy: Option<&str>) -> Cause {
    let reason = error.message().unwrap_or_default();
    let known = SAID.iter().find(|(words, ..)| words.iter().any(|word| reason.contains(word)));
    let through = proxy.map(|proxy| format!(" (through {proxy})")).unwrap_or_default();
    match known {
        Some((_, found, hint)) => (format!("{found}{through}: {reason}"), (*hint).replace("HOST:PORT", "PROXY:PORT")),
        None => {
            let hint = format!("`curl -v {}` shows more; a firewall may drop what is sent", endpoint.url);
            (format!("it does not answer{through}: {reason}"), hint)
        }
    }
}

/// What is wrong with an answer, if anything is.
pub(super) fn of_answer(endpoint: &Endpoint, answer: &Answer, proxy: Option<&str>) -> Option<Cause> {
    let kind = answer.header("content-type").unwrap_or_default().to_ascii_lowercase();
    let is_document = ["json", "xml"].iter().any(|known| kind.contains(known));
    let is_page = kind.starts_with("text/html") || ((300..400).contains(&answer.status) && !is_document);
    if answer.status == 407 {
        let (_, found, hint) = SAID.iter().find(|(words, ..)| words.contains(&"proxy authorization required"))?;
        return Some(((*found).to_owned(), (*hint).to_owned()));
    }
    if !is_page || endpoint.answers == Answers::Anything {
        return None;
    }
    let by = proxy.map_or_else(|| "something on the way".to_owned(), |proxy| format!("the proxy {proxy}"));
    let found = format!("a web page came ({}) in the place of the service's answer: {by} gave it", answer.status);
    Some((found, "sign in to the network (a captive portal), or let the proxy or firewall pass this host".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn endpoint() -> Endpoint {
        Endpoint::new("S3", "https://s3.eu-west-1.amazonaws.com", None, "/acme")
    }

    fn silence(reason: &str) -> String {
        of_silence(&endpoint(), &Error::new(ErrorKind::Unavailable, "send").with_message(reason), None).0
    }

    #[test]
    fn reasons_of_libraries_are_told_as_causes() {
        for (reason, cause) in [
            ("failed to lookup address information: Name or service not known", "is not known to this machine's DNS"),
            ("Connection refused (os error 111)", "nothing listens there"),
            ("tunnel error: unsuccessful", "the proxy does not let it through"),
            ("tunnel error: proxy authorization required", "asks for a user name"),
            ("invalid peer certificate: UnknownIssuer", "an authority that this machine does not know"),
            ("invalid peer certificate: certificate not valid for name \"a\"", "another host's"),
            ("received corrupt message of type InvalidContentType", "it does not speak TLS"),
            ("operation timed out", "it does not answer: operation timed out"),
        ] {
            assert!(silence(reason).contains(cause), "{reason}: {}", silence(reason));
            let error = Error::new(ErrorKind::Unavailable, "send").with_message(reason);
            assert_eq!(is_unknown_name(&error), cause.contains("DNS"), "{reason}");
        }
    }

    #[test]
    fn page_in_the_place_of_a_document_is_somebody_elses() {
        let answer = |status, kind: &str| Answer {
            status,
            headers: [("content-type".to_owned(), kind.to_owned())].into(),
            ..Answer::default()
        };
        assert!(of_answer(&endpoint(), &answer(200, "text/html; charset=utf-8"), None).is_some());
        assert!(
            of_answer(&endpoint(), &answer(302, ""), Some("http://proxy:3128")).unwrap().0.contains("http://proxy")
        );
        assert!(of_answer(&endpoint(), &answer(407, "text/html"), None).unwrap().0.contains("user name"));
        assert!(of_answer(&endpoint(), &answer(403, "application/xml"), None).is_none());
        let any = Endpoint { answers: Answers::Anything, ..endpoint() };
        assert!(of_answer(&any, &answer(404, "text/html"), None).is_none());
    }
}
