//! Who may call: whoever is on this machine, and no page of another site in a browser on it. Callers show no credentials, so that
//! a page could otherwise write whatever it likes.

use http::HeaderMap;

use super::call::Call;
use super::refusal::Refusal;

/// Refuse a page, and a name that somebody else gave to this machine
/// (<https://owasp.org/www-community/attacks/DNS_Rebinding>). Pages use the XML API, with signed URLs.
pub(super) fn check(call: &Call<'_>) -> Result<(), Refusal> {
    let host = call.address.trim_start_matches("http://");
    if !is_here(host) {
        return Err(Refusal::denied(format!("the sandbox is not called `{host}`")));
    }
    match origin(&call.headers) {
        Some(origin) if !call.operation.starts_with("storage.xml:") => {
            Err(Refusal::denied(format!("the sandbox does not serve pages of `{origin}`")))
        }
        _ => Ok(()),
    }
}

fn origin(headers: &HeaderMap) -> Option<&str> {
    headers.get(http::header::ORIGIN).and_then(|origin| origin.to_str().ok())
}

/// This machine's own names; those of Google's, which nobody else can give away, are sent by clients that are told another address.
pub(crate) fn is_here(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let here = name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    here || name == "localhost" || name.ends_with(".localhost") || name.ends_with(".googleapis.com")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known_by_its_own_names() {
        for host in ["127.0.0.1:42", "127.0.0.1", "localhost:42", "[::1]:42", "pubsub.googleapis.com"] {
            assert!(is_here(host), "{host}");
        }
        for host in ["evil.example:42", "127.0.0.1.evil.example", "10.0.0.1", "googleapis.com.evil.example", ""] {
            assert!(!is_here(host), "{host}");
        }
    }
}
