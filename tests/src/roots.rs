//! What the binary trusts in a test: a single certificate. A system has a hundred and more, and reading them is half of what
//! a short run of a debug build does.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// A certificate that nobody shows.
static CERTIFICATE: LazyLock<String> =
    LazyLock::new(|| rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap().cert.pem());

/// The file of a folder that `SSL_CERT_FILE` is to name.
pub(crate) fn file(folder: &Path) -> PathBuf {
    folder.join(".roots.pem")
}

/// Write it.
pub(crate) fn write(folder: &Path) {
    std::fs::write(file(folder), CERTIFICATE.as_str()).unwrap();
}
