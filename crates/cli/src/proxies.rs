//! The variables that name proxies. What cannot be used is an error: clients would pass over it, and go directly.

use http::Uri;
use provision_core::{Error, ErrorKind};

/// The variables that say which proxy is asked, in the order in which they count for an address of TLS, and for one without
/// (<https://curl.se/docs/manpage.html#ENVIRONMENT>).
pub(crate) const FOR_TLS: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
pub(crate) const FOR_PLAIN: [&str; 4] = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

/// Whether each proxy that is named can be used.
///
/// # Errors
///
/// One cannot. A user's name and password in it are not shown.
pub(crate) fn usable() -> Result<(), Error> {
    [FOR_TLS, FOR_PLAIN].iter().try_for_each(|names| first_usable(names))
}

/// The first one that is set is the one that counts.
fn first_usable(names: &[&str]) -> Result<(), Error> {
    let named = names.iter().find_map(|name| Some((*name, std::env::var(name).ok()?)));
    let Some((name, value)) = named.filter(|(_, value)| !value.is_empty()) else { return Ok(()) };
    let Some(wrong) = wrong_with(&value) else { return Ok(()) };
    let shown = value.rsplit_once('@').map_or(value.as_str(), |(_, place)| place);
    let error = Error::new(ErrorKind::InvalidInput, format!("use the proxy `{shown}` ({name})")).with_message(wrong);
    Err(error.with_hint(format!("write `http://HOST:PORT` into {name}, or unset it where there is no proxy")))
}

/// Why it is no proxy that can be used.
fn wrong_with(value: &str) -> Option<&'static str> {
    let Ok(uri) = value.parse::<Uri>() else { return Some("it is no address") };
    if !matches!(uri.scheme_str(), None | Some("http" | "https")) {
        return Some("only proxies of `http` and `https` are spoken to");
    }
    let Some(authority) = uri.authority() else { return Some("it names no host") };
    let place = authority.as_str().rsplit('@').next().unwrap_or_default();
    let port = place.rsplit(']').next().and_then(|rest| rest.split_once(':'));
    match port {
        _ if authority.host().is_empty() => Some("it names no host"),
        Some((_, port)) if !port.is_empty() && port.parse::<u16>().is_err() => Some("its port is none"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxy_that_clients_would_pass_over_is_told() {
        for taken in ["proxy:3128", "proxy", "http://a:b@proxy:3128/", "https://[::1]:9", "http://proxy"] {
            assert_eq!(wrong_with(taken), None, "{taken}");
        }
        for wrong in [
            "socks9://proxy:1",
            "socks5://proxy:1",
            "ftp://proxy",
            "https//proxy",
            "http://u:p@ba%%d:9",
            "http://proxy:99999",
            "/",
            " ",
        ] {
            assert!(wrong_with(wrong).is_some(), "{wrong}");
        }
    }
}
