//! The targets that a release is made for, and what others call them.

use clap::ValueEnum;

/// One target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Platform {
    /// Linux on x86-64; its binary is static.
    #[value(name = "x86_64-unknown-linux-gnu")]
    LinuxX64,
    /// Linux on ARM; its binary is static.
    #[value(name = "aarch64-unknown-linux-gnu")]
    LinuxArm64,
    /// macOS on Intel.
    #[value(name = "x86_64-apple-darwin")]
    MacX64,
    /// macOS on Apple silicon.
    #[value(name = "aarch64-apple-darwin")]
    MacArm64,
    /// Windows on x86-64; its binary is static.
    #[value(name = "x86_64-pc-windows-msvc")]
    WindowsX64,
}

impl Platform {
    /// The one that this program was built for, if it is one of them.
    pub(crate) fn of_host() -> Option<Self> {
        let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
        let target = match os {
            "linux" => format!("{arch}-unknown-linux-gnu"),
            "macos" => format!("{arch}-apple-darwin"),
            _ => format!("{arch}-pc-windows-msvc"),
        };
        Self::from_str(&target, false).ok()
    }

    /// What rustc calls it.
    pub(crate) fn target(self) -> &'static str {
        match self {
            Self::LinuxX64 => "x86_64-unknown-linux-gnu",
            Self::LinuxArm64 => "aarch64-unknown-linux-gnu",
            Self::MacX64 => "x86_64-apple-darwin",
            Self::MacArm64 => "aarch64-apple-darwin",
            Self::WindowsX64 => "x86_64-pc-windows-msvc",
        }
    }

    /// Node's `process.platform` and `process.arch` (<https://nodejs.org/api/process.html#processplatform>).
    pub(crate) fn node(self) -> (&'static str, &'static str) {
        match self {
            Self::LinuxX64 => ("linux", "x64"),
            Self::LinuxArm64 => ("linux", "arm64"),
            Self::MacX64 => ("darwin", "x64"),
            Self::MacArm64 => ("darwin", "arm64"),
            Self::WindowsX64 => ("win32", "x64"),
        }
    }

    /// Whether it is Linux.
    pub(crate) fn is_linux(self) -> bool {
        matches!(self, Self::LinuxX64 | Self::LinuxArm64)
    }

    /// Whether the C library is linked into the binary, so that it needs nothing of the system; macOS has none to link.
    pub(crate) fn is_static(self) -> bool {
        self.is_linux() || self == Self::WindowsX64
    }

    /// The file name of the binary.
    pub(crate) fn binary(self) -> &'static str {
        if self == Self::WindowsX64 { "provision.exe" } else { "provision" }
    }
}
