//! What the binary trusts in a test: a single certificate. A system has a hundred and more, and reading them is half of what
//! a short run of a debug build does.

use std::path::Path;
use std::sync::LazyLock;

const FILE: &str = ".roots.pem";
const NONE: &str = ".roots";

/// A certificate that nobody shows.
static CERTIFICATE: LazyLock<String> =
    LazyLock::new(|| rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap().cert.pem());

/// Write it into a folder, beside an empty one.
///
/// # Panics
///
/// They cannot be written.
pub fn write(folder: &Path) {
    std::fs::write(folder.join(FILE), CERTIFICATE.as_str()).unwrap();
    std::fs::create_dir(folder.join(NONE)).unwrap();
}

/// The variables that name them. Where the second is missing, the system's certificates are read too, by every client anew.
#[must_use]
pub fn variables(folder: &Path) -> [(String, String); 2] {
    [("SSL_CERT_FILE", FILE), ("SSL_CERT_DIR", NONE)]
        .map(|(variable, name)| (variable.to_owned(), folder.join(name).display().to_string()))
}
