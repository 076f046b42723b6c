//! The Python wheel, by maturin, as `pyproject.toml` asks for it.

use std::path::Path;
use std::process::Command;

use crate::Result;
use crate::release::{Release, succeed};

/// Make it. Maturin calls cargo, which has built the binary already; `LICENSE` and the licences of others must be where
/// `pyproject.toml` names them.
pub(crate) fn make(release: &Release, sbom: &Path) -> Result<()> {
    let mut maturin = Command::new("maturin");
    maturin.args(["build", "--release", "--target", release.platform.target(), "--out"]).arg(&release.out);
    maturin.arg("--sbom-include").arg(sbom);
    if release.platform.is_linux() {
        // It needs no library, and would run under musl too; maturin has one name for what is built on glibc.
        maturin.args(["--auditwheel", "skip", "--compatibility", "manylinux_2_17"]);
    }
    maturin.envs(release.rustflags()).env("SOURCE_DATE_EPOCH", release.time.to_string());
    succeed(maturin.current_dir(crate::release::workspace()))
}
