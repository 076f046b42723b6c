//! Why no client can be made: most often there are no root certificates, as in a container that is made from scratch.

use crate::error::{Error, ErrorKind, root_cause};

/// No server can be told by its certificate.
#[must_use]
pub fn no_roots() -> Error {
    Error::new(ErrorKind::Unavailable, "read root certificates")
        .with_message("this machine has none, so that no server can be told by its certificate")
        .with_hint("install them (the package `ca-certificates`), or name a file of them in SSL_CERT_FILE")
}

/// What a client's builder says that could not set up TLS.
#[must_use]
pub fn unusable(error: &(dyn std::error::Error + 'static)) -> Error {
    let reason = root_cause(error);
    // The words of the one verifier that all clients have
    // (https://docs.rs/rustls-platform-verifier/0.7.1/src/rustls_platform_verifier/verification/others.rs.html).
    match reason.contains("No CA certificates") {
        true => no_roots(),
        false => Error::new(ErrorKind::Unexpected, "set up TLS").with_message(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_missing_roots_are_called_so() {
        let said = |text: &str| unusable(&std::io::Error::other(text)).to_string();
        assert_eq!(said("unexpected error: No CA certificates were loaded from the system"), no_roots().to_string());
        assert!(said("no provider").contains("no provider"));
    }
}
