//! What of this machine decides how addresses are reached: proxies, root certificates, the clock.

use std::collections::BTreeMap;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::{Duration, SystemTime};

use hyper_util::client::proxy::matcher::Matcher;
use provision_core::Error;
use provision_core::doctor::{Check, Surroundings};
use provision_core::provider::Connection;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

use crate::proxies::{self, FOR_PLAIN, FOR_TLS};

/// How long a proxy may take to answer.
const PROXY_LIMIT: Duration = Duration::from_secs(3);
/// This machine's, or those of a sandbox, which is reached directly.
pub(crate) struct Machine {
    /// Whether each proxy that an address is reached through answers; why not.
    proxies: BTreeMap<String, Result<(), String>>,
    matcher: Option<Matcher>,
    /// A proxy is named that cannot be used; why not.
    unusable: Option<Error>,
}

impl Machine {
    /// Look at the proxies on the way to these addresses.
    pub(crate) fn look<'a>(connection: &Connection, urls: impl Iterator<Item = &'a str>) -> Self {
        let matcher = connection.sandbox.is_none().then(Matcher::from_env);
        let unusable = matcher.as_ref().and_then(|_| proxies::usable().err());
        let mut machine = Self { proxies: BTreeMap::new(), matcher, unusable };
        for url in urls {
            if let Some((shown, place)) = machine.way(url) {
                machine.proxies.entry(shown).or_insert_with(|| open(&place));
            }
        }
        machine
    }

    /// The proxy on the way to an address: for people, and its host and port.
    fn way(&self, url: &str) -> Option<(String, String)> {
        let found = self.matcher.as_ref()?.intercept(&url.parse().ok()?)?;
        let (proxy, names) = (found.uri(), if url.starts_with("https:") { FOR_TLS } else { FOR_PLAIN });
        let port = proxy.port_u16().unwrap_or(if proxy.scheme_str() == Some("https") { 443 } else { 80 });
        // Without the user's name and password, which stand before the host.
        let place = format!("{}:{port}", proxy.host()?);
        let name = names.into_iter().find(|name| set(name).is_some());
        let by = name.map(|name| format!(" ({name})")).unwrap_or_default();
        Some((format!("{}://{place}{by}", proxy.scheme_str().unwrap_or("http")), place))
    }

    /// What there is to say of proxies.
    pub(crate) fn proxy_check(&self) -> Check {
        if let Some(error) = &self.unusable {
            return Check::of("proxy", error);
        }
        let past = set("NO_PROXY").or_else(|| set("no_proxy")).map(|hosts| format!("; not for {hosts} (NO_PROXY)"));
        let past = past.filter(|_| self.matcher.is_some()).unwrap_or_default();
        let unreached = self.proxies.iter().find_map(|(proxy, answer)| Some((proxy, answer.as_ref().err()?)));
        match (unreached, self.proxies.keys().cloned().collect::<Vec<_>>().join(", ")) {
            (Some((proxy, why)), _) => Check::failed(
                "proxy",
                format!("the proxy {proxy} does not answer: {why}{past}"),
                Some("correct or unset its variable, or name the hosts in NO_PROXY that are reached directly"),
            ),
            (None, used) if used.is_empty() => Check::ok("proxy", format!("none{past}")),
            (None, used) => Check::ok("proxy", format!("{used}{past}")),
        }
    }
}

impl Surroundings for Machine {
    fn proxy(&self, url: &str) -> Option<String> {
        if self.unusable.is_some() {
            return Some("the one that is named".to_owned());
        }
        self.way(url).map(|(shown, _)| shown)
    }

    fn answers(&self, proxy: &str) -> bool {
        self.unusable.is_none() && self.proxies.get(proxy).is_none_or(Result::is_ok)
    }

    /// A date as in <https://www.rfc-editor.org/rfc/rfc9110#name-date-time-formats>.
    fn ahead_s(&self, date: &str) -> Option<i64> {
        let format =
            format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
        let theirs = PrimitiveDateTime::parse(date, &format).ok()?.assume_utc();
        Some((theirs - OffsetDateTime::now_utc()).whole_seconds())
    }

    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// A variable that is set to something.
fn set(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Open a connection, and close it.
fn open(place: &str) -> Result<(), String> {
    let mut addresses = place.to_socket_addrs().map_err(|error| error.to_string())?;
    let first = addresses.next().ok_or("its name has no address")?;
    TcpStream::connect_timeout(&first, PROXY_LIMIT).map(drop).map_err(|error| error.to_string())
}

/// The root certificates by which servers are told; without any, no address of TLS is reached.
pub(crate) fn certificates_check(connection: &Connection) -> Check {
    const HINT: &str = "install them (the package `ca-certificates`), or name a file of them in SSL_CERT_FILE";
    if connection.sandbox.is_some() {
        return Check::ok("certificates", "those of the sandbox");
    }
    let names = ["SSL_CERT_FILE", "SSL_CERT_DIR"].into_iter().filter_map(|name| Some(format!("{name}={}", set(name)?)));
    let names = names.collect::<Vec<_>>().join(", ");
    let from = if names.is_empty() { "this machine's own".to_owned() } else { names };
    let found = rustls_native_certs::load_native_certs();
    match (found.certs.len(), found.errors.first()) {
        (0, Some(error)) => Check::failed("certificates", format!("none can be read, {from}: {error}"), Some(HINT)),
        (0, None) => Check::failed("certificates", format!("there are none, {from}"), Some(HINT)),
        (1, _) => Check::ok("certificates", format!("1 root certificate, {from}")),
        (count, _) => Check::ok("certificates", format!("{count} root certificates, {from}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxy_is_shown_without_its_password() {
        let matcher = Matcher::builder().https("http://ann:hunter2@proxy.example:3128").no("local.example").build();
        let machine = Machine { proxies: BTreeMap::new(), matcher: Some(matcher), unusable: None };
        let shown = machine.proxy("https://sts.amazonaws.com").unwrap();
        assert!(shown.starts_with("http://proxy.example:3128"), "{shown}");
        assert_eq!(machine.proxy("https://local.example"), None);
        assert_eq!(machine.proxy("http://sts.amazonaws.com"), None);
    }

    #[test]
    fn clock_of_a_service_is_read_from_its_header() {
        let machine = Machine { proxies: BTreeMap::new(), matcher: None, unusable: None };
        assert!(machine.ahead_s("Sun, 06 Nov 1994 08:49:37 GMT").unwrap() < -900_000_000);
        assert_eq!(machine.ahead_s("yesterday"), None);
    }
}
