//! `MYSQL`: where the server's database is, as a URL whose user and password are percent-encoded
//! (<https://github.com/wandb/operator/blob/main/docs/infra-connection-settings.md>).

use std::fmt;

use url::{Host, Url};

/// Schemes that the server knows.
const SCHEMES: [&str; 4] = ["mysql", "mysql-replica", "cloudsql", "cloudsql-replica"];
/// Parameters that it knows.
const PARAMETERS: [&str; 4] = ["tls", "ssl-ca", "ssl-cert", "ssl-key"];
/// What `tls` can be.
const TLS: [&str; 5] = ["true", "false", "skip-verify", "preferred", "custom"];

/// What is wrong with a value, without the value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// What is wrong.
    pub(super) message: &'static str,
    /// What would be right.
    pub(super) label: String,
}

/// Where a database is.
#[derive(Clone, PartialEq, Eq)]
pub struct Mysql {
    /// How it is reached: one of four schemes.
    pub scheme: String,
    /// The user, as it is.
    pub user: String,
    /// The password, as it is.
    pub password: Option<String>,
    /// The server's name or address, one of version 6 in brackets.
    pub host: String,
    /// Its port, where it is not 3306.
    pub port: Option<u16>,
    /// The database's name, as it is.
    pub database: String,
    /// Parameters, in their order.
    pub parameters: Vec<(String, String)>,
}

/// The URL, with everything encoded that may be taken for something else.
impl fmt::Display for Mysql {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, user, password, host, port, database, parameters } = self;
        write!(formatter, "{scheme}://{}", encoded(user))?;
        password.iter().try_for_each(|password| write!(formatter, ":{}", encoded(password)))?;
        write!(formatter, "@{host}")?;
        port.iter().try_for_each(|port| write!(formatter, ":{port}"))?;
        write!(formatter, "/{}", encoded(database))?;
        let mut separator = '?';
        for (name, value) in parameters {
            write!(formatter, "{separator}{name}={}", encoded(value).replace("%2F", "/"))?;
            separator = '&';
        }
        Ok(())
    }
}

/// The characters that stand for themselves anywhere in a URL, all others percent-encoded
/// (<https://datatracker.ietf.org/doc/html/rfc3986#section-2.3>).
#[must_use]
pub fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

impl Mysql {
    /// Read a URL that [`fmt::Display`] wrote.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        Self::parse(text).ok()
    }

    /// Read what a person wrote.
    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        let (scheme, rest) =
            text.split_once("://").ok_or_else(|| fault("write `mysql://USER:PASSWORD@HOST:3306/DATABASE`"))?;
        let scheme = scheme.to_ascii_lowercase();
        if !SCHEMES.contains(&scheme.as_str()) {
            return Err(fault(&format!("the server knows {}", SCHEMES.map(|name| format!("`{name}://`")).join(", "))));
        }
        let (user_info, rest) = user_info(rest)?;
        let (user, password) = match user_info.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (user_info, None),
        };
        let (authority, rest) = rest.split_once('/').ok_or_else(|| fault("the database's name is missing"))?;
        let (database, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
        let (host, port) = host(authority)?;
        let mysql = Self {
            scheme,
            user: decoded(user, "the user")?,
            password: password.map(|password| decoded(password, "the password")).transpose()?,
            host,
            port,
            database: decoded(database.strip_suffix('/').unwrap_or(database), "the database's name")?,
            parameters: parameters(query.unwrap_or_default())?,
        };
        mysql.complete()
    }

    fn complete(self) -> Result<Self, Fault> {
        let of = |name: &str| self.parameters.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str());
        if self.user.is_empty() {
            Err(fault("the user is missing: `mysql://USER:PASSWORD@HOST:3306/DATABASE`"))
        } else if self.database.is_empty() || self.database.contains('/') {
            Err(fault("one database's name belongs behind the host"))
        } else if of("tls").is_some_and(|tls| !TLS.contains(&tls)) {
            Err(fault(&format!("`tls` is one of {}", TLS.join(", "))))
        } else if of("tls") == Some("custom") && of("ssl-ca").is_none_or(str::is_empty) {
            Err(fault("`tls=custom` needs `ssl-ca`, the file of the authority's certificate"))
        } else {
            Ok(self)
        }
    }
}

fn fault(label: &str) -> Fault {
    Fault { message: "invalid database URL", label: label.to_owned() }
}

/// What stands before the host, and what comes after it. Who did not encode a password has more than one `@`, or the end of the
/// host in it.
fn user_info(rest: &str) -> Result<(&str, &str), Fault> {
    let missing = || fault("the user is missing: `mysql://USER:PASSWORD@HOST:3306/DATABASE`");
    let (user_info, after) = rest.rsplit_once('@').ok_or_else(missing)?;
    let raw = user_info.char_indices().find(|(_, letter)| "@/#?".contains(*letter));
    let Some((at, letter)) = raw else { return Ok((user_info, after)) };
    let place = if user_info[..at].contains(':') { "password" } else { "user" };
    let label = format!("the {place} has a raw `{letter}`: write it as `{}`", encoded(&letter.to_string()));
    Err(Fault { message: "a character of the database URL is not encoded", label })
}

/// A text with percent-encoding taken away.
fn decoded(text: &str, what: &str) -> Result<String, Fault> {
    let not_encoded = |letter: char| Fault {
        message: "a character of the database URL is not encoded",
        label: format!("{what} has a raw `{letter}`: write it as `{}`", encoded(&letter.to_string())),
    };
    if let Some(letter) = text.chars().find(|letter| "@/#?".contains(*letter)) {
        return Err(not_encoded(letter));
    }
    if text.contains(char::is_control) {
        return Err(fault(&format!("{what} has a control character")));
    }
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        match (first, hex) {
            (b'%', None) => return Err(not_encoded('%')),
            (b'%', Some(digits)) => {
                let digits = std::str::from_utf8(digits).unwrap_or_default();
                bytes.push(u8::from_str_radix(digits, 16).unwrap_or_default());
                rest = &after[2..];
            }
            (byte, _) => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).map_err(|_| fault(&format!("{what} is not UTF-8")))
}

/// Host and port.
fn host(authority: &str) -> Result<(String, Option<u16>), Fault> {
    let invalid = || fault("a name or an address, and perhaps a port, belongs behind the `@`: `HOST:3306`");
    // Its parser knows names and addresses of both versions; the scheme is one that has a host.
    let url = Url::parse(&format!("https://{authority}")).map_err(|_| invalid())?;
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-._".contains(letter);
    let host = match url.host().ok_or_else(invalid)? {
        Host::Domain(domain) if domain.chars().all(plain) => domain.to_owned(),
        Host::Domain(_) => return Err(invalid()),
        address => address.to_string(),
    };
    let port = authority.rsplit_once(':').filter(|(_, port)| !port.contains(']')).map(|(_, port)| port);
    let port = port.map(|port| port.parse::<u16>().map_err(|_| invalid())).transpose()?;
    let whole = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if whole && port != Some(0) { Ok((host, port)) } else { Err(invalid()) }
}

fn parameters(query: &str) -> Result<Vec<(String, String)>, Fault> {
    let parameter = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if PARAMETERS.contains(&name) {
            Ok((name.to_owned(), decoded(&value.replace('/', "%2F"), "a parameter")?))
        } else {
            Err(fault(&format!("the server knows the parameters {}", PARAMETERS.join(", "))))
        }
    };
    query.split('&').filter(|pair| !pair.is_empty()).map(parameter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn respelled(text: &str) -> Result<String, String> {
        Mysql::parse(text).map(|mysql| mysql.to_string()).map_err(|fault| format!("{}: {}", fault.message, fault.label))
    }

    #[test]
    fn urls_are_spelled_again() {
        for (given, again) in [
            ("mysql://wandb:secret@db:3306/wandb_local", "mysql://wandb:secret@db:3306/wandb_local"),
            ("MySQL://wandb:p%40ss%2fw%23rd!@DB.internal/x/", "mysql://wandb:p%40ss%2Fw%23rd%21@db.internal/x"),
            ("cloudsql://u:a:b é@acme.europe-west1.db/x", "cloudsql://u:a%3Ab%20%C3%A9@acme.europe-west1.db/x"),
            ("mysql-replica://u@[::1]:3307/x", "mysql-replica://u@[::1]:3307/x"),
            (
                "mysql://u:p@h/x?tls=custom&ssl-ca=/etc/ca.pem&ssl-key=a b",
                "mysql://u:p@h/x?tls=custom&ssl-ca=/etc/ca.pem&ssl-key=a%20b",
            ),
        ] {
            assert_eq!(respelled(given).as_deref(), Ok(again));
            assert_eq!(respelled(again).as_deref(), Ok(again));
        }
    }

    #[test]
    fn raw_characters_of_a_password_are_named() {
        for (password, named) in
            [("p@ss", "`@`: write it as `%40`"), ("p/ss", "`/`"), ("p#ss", "`#`"), ("p?ss", "`?`"), ("50%", "`%25`")]
        {
            let told = respelled(&format!("mysql://wandb:{password}@db:3306/x")).unwrap_err();
            assert!(told.contains("the password has a raw") && told.contains(named), "{told}");
            assert!(!told.contains("ss") || !told.contains(password), "{told}");
        }
        assert!(respelled("mysql://wa/ndb:p@db/x").unwrap_err().contains("the user has a raw `/`"));
    }

    #[test]
    fn what_no_server_could_use_is_refused() {
        for (given, told) in [
            ("db:3306", "write `mysql://"),
            ("postgres://u:p@h/x", "the server knows `mysql://`"),
            ("mysql://h:3306/x", "the user is missing"),
            ("mysql://:p@h/x", "the user is missing"),
            ("mysql://u:p@h:3306", "database's name is missing"),
            ("mysql://u:p@h/", "one database's name"),
            ("mysql://u:p@h/a/b", "the database's name has a raw `/`"),
            ("mysql://u:p@/x", "a name or an address"),
            ("mysql://u:p@h:port/x", "a name or an address"),
            ("mysql://u:p@h:99999/x", "a name or an address"),
            ("mysql://u:p@h h/x", "a name or an address"),
            ("mysql://u:p@h/x?tls=yes", "`tls` is one of"),
            ("mysql://u:p@h/x?tls=custom", "needs `ssl-ca`"),
            ("mysql://u:p@h/x?tsl=true", "the parameters tls"),
            ("mysql://u:%ff@h/x", "not UTF-8"),
        ] {
            let refused = respelled(given).unwrap_err();
            assert!(refused.contains(told), "{given}: {refused}");
        }
    }
}
