//! `cargo xtask release`: what people install, for one platform, in `target/dist`.

use std::path::{Path, PathBuf};
use std::process::Command;

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use crate::dependencies::{self, Key, Package};
use crate::platform::Platform;
use crate::{Result, archive, licences, npm, sbom, wheel};

/// What is to be made.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The target; this machine's own if it is not named
    #[arg(long, value_enum)]
    target: Option<Platform>,
    /// A binary that is built already
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// The folder in which it is put
    #[arg(long, value_name = "DIR", default_value = "target/dist")]
    out: PathBuf,
    /// Where the files will be downloaded from, `%v` being the version: for `install.sh`, and the repository in npm's packages
    #[arg(long, value_name = "URL")]
    from: Option<String>,
}

/// What every part of a release is made of.
pub(crate) struct Release {
    /// For what.
    pub(crate) platform: Platform,
    /// The workspace's version.
    pub(crate) version: String,
    /// The built binary.
    pub(crate) binary: PathBuf,
    /// Where the files will be downloaded from.
    pub(crate) from: Option<String>,
    /// Where everything goes.
    pub(crate) out: PathBuf,
    /// The time of every file: that of the commit, in seconds since 1970.
    pub(crate) time: u64,
}

/// The workspace's folder.
pub(crate) fn workspace() -> &'static Path {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    folder.ancestors().nth(2).unwrap_or(folder)
}

/// The licences of others; here, since `pyproject.toml` can name no file in `target`.
pub(crate) fn third_party() -> PathBuf {
    workspace().join("THIRD-PARTY.txt")
}

/// Make everything; gives the folder.
pub(crate) fn run(arguments: &Arguments) -> Result<PathBuf> {
    let platform =
        arguments.target.or_else(Platform::of_host).ok_or("name a target: there is no release for this machine")?;
    let out = std::path::absolute(&arguments.out)?;
    std::fs::create_dir_all(&out)?;
    let mut release = Release {
        platform,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        binary: PathBuf::new(),
        from: arguments.from.clone(),
        out,
        time: time()?,
    };
    release.binary = match &arguments.binary {
        Some(binary) => std::path::absolute(binary)?,
        None => release.built()?,
    };
    let packages = dependencies::of(platform)?;
    let sbom = release.sbom(&packages)?;
    std::fs::write(third_party(), licences::text(&packages)?)?;
    release.archive(&sbom)?;
    npm::make(&release)?;
    wheel::make(&release, &sbom)?;
    release.install_script()?;
    sums(&release.out)
}

impl Release {
    /// Static where that is possible: nothing of the C library is looked for at run time
    /// (<https://doc.rust-lang.org/reference/linkage.html#static-and-dynamic-c-runtimes>).
    pub(crate) fn rustflags(&self) -> Option<(&'static str, &'static str)> {
        self.platform.is_static().then_some(("RUSTFLAGS", "-Ctarget-feature=+crt-static"))
    }

    /// Build the binary alone.
    fn built(&self) -> Result<PathBuf> {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // With a target the flags are not those of build scripts and macros.
        cargo.args(["build", "--release", "--locked", "--package", "provision", "--target", self.platform.target()]);
        succeed(cargo.envs(self.rustflags()).current_dir(workspace()))?;
        Ok(workspace().join("target").join(self.platform.target()).join("release").join(self.platform.binary()))
    }

    fn name(&self) -> String {
        format!("provision-{}-{}", self.version, self.platform.target())
    }

    fn sbom(&self, packages: &std::collections::BTreeMap<Key, Package>) -> Result<PathBuf> {
        let file = self.out.join(format!("{}.cdx.json", self.name()));
        std::fs::write(&file, format!("{:#}\n", sbom::document(packages, &self.version)))?;
        Ok(file)
    }

    /// Binary, manual pages, completions, licences.
    fn archive(&self, sbom: &Path) -> Result<()> {
        let folder = tempfile::tempdir()?;
        let place = |inside: &str| folder.path().join(inside);
        std::fs::copy(&self.binary, place(self.platform.binary()))?;
        for file in ["LICENSE", "README.md", "CHANGELOG.md"] {
            std::fs::copy(workspace().join(file), place(file))?;
        }
        std::fs::copy(third_party(), place("THIRD-PARTY.txt"))?;
        std::fs::copy(sbom, place("provision.cdx.json"))?;
        succeed(Command::new(&self.binary).args(["man", "--dir"]).arg(place("man")))?;
        std::fs::create_dir(place("completions"))?;
        for (shell, file) in [
            ("bash", "provision.bash"),
            ("zsh", "_provision"),
            ("fish", "provision.fish"),
            ("powershell", "_provision.ps1"),
            ("elvish", "provision.elv"),
        ] {
            let output = Command::new(&self.binary).args(["completions", shell]).output()?;
            std::fs::write(place("completions").join(file), output.stdout)?;
        }
        archive::pack(folder.path(), &self.name(), self.time, &self.out.join(format!("{}.tar.gz", self.name())))
    }

    /// The install script, which knows its version and where the files are.
    fn install_script(&self) -> Result<()> {
        let text = std::fs::read_to_string(workspace().join("install.sh"))?;
        let text = text.replace("\nversion=\n", &format!("\nversion={}\n", self.version));
        let text = text.replace("\nfrom=\n", &format!("\nfrom={}\n", self.from.as_deref().unwrap_or_default()));
        Ok(std::fs::write(self.out.join("install.sh"), text)?)
    }
}

/// The time of the commit, unless `SOURCE_DATE_EPOCH` names another (<https://reproducible-builds.org/specs/source-date-epoch/>).
fn time() -> Result<u64> {
    if let Ok(named) = std::env::var("SOURCE_DATE_EPOCH") {
        return Ok(named.parse()?);
    }
    let output = Command::new("git").args(["log", "-1", "--format=%ct"]).current_dir(workspace()).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().parse().map_err(|_| "set SOURCE_DATE_EPOCH: there is no commit")?)
}

/// Run a program that must succeed.
pub(crate) fn succeed(command: &mut Command) -> Result<()> {
    let named = command.get_program().to_string_lossy().into_owned();
    let status = command.status().map_err(|error| format!("cannot start `{named}`: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{named}` failed: {status}").into()) }
}

/// The checksums of every file in a folder, as `sha256sum --check` takes them; gives the folder.
pub(crate) fn sums(folder: &Path) -> Result<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|file| file.is_file() && file.file_name().is_some_and(|name| name != "SHA256SUMS"));
    files.sort();
    let mut text = String::new();
    for file in files {
        let sum = HEXLOWER.encode(&Sha256::digest(std::fs::read(&file)?));
        text += &format!("{sum}  {}\n", file.file_name().unwrap_or_default().to_string_lossy());
    }
    std::fs::write(folder.join("SHA256SUMS"), text)?;
    Ok(folder.to_owned())
}
