//! What can go wrong with a sandbox itself; the clouds' own errors are answers.

use std::path::{Path, PathBuf};

/// An error of the sandbox, not of a cloud in it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder cannot be used.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// What was tried: `read`.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A link stands where the folder or one of its files should.
    #[error("cannot keep a sandbox in `{}`: it is a link, and may lead anywhere", path.display())]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// The folder cannot be written.
    #[error("cannot keep a sandbox in `{}`: the folder is read-only", path.display())]
    ReadOnly {
        /// The folder.
        path: PathBuf,
    },
    /// Another process uses the folder.
    #[error("the sandbox in `{}` is in use by {holder}", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
        /// Process and command.
        holder: String,
    },
    /// The state was changed by something else, or the disk lost a part of it.
    #[error("the sandbox's state in `{}` is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where and how.
        reason: String,
    },
    /// The state is of a later release.
    #[error("the sandbox's state in `{}` has format {found}, and this release knows {known}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// Ours.
        known: u64,
    },
    /// A value is not what its key says.
    #[error("the sandbox's state is damaged: `{key}`: {reason}")]
    Value {
        /// The key.
        key: String,
        /// What does not fit.
        reason: String,
    },
    /// The faults of a file cannot be read.
    #[error("cannot read the faults of `{}`: {reason}", path.display())]
    Faults {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// An identity's document cannot be used.
    #[error("cannot let an identity do what the document says: {reason}")]
    Identity {
        /// Why not.
        reason: String,
    },
    /// No address to listen on.
    #[error("cannot listen on 127.0.0.1:{port}: {source}")]
    Listen {
        /// The port.
        port: u16,
        /// Why not.
        source: std::io::Error,
    },
    /// No certificate could be made.
    #[error("cannot make the sandbox's certificate: {0}")]
    Certificate(String),
    /// The system gives no threads.
    #[error("cannot start the sandbox: {0}")]
    Threads(std::io::Error),
    /// It was closed while a request was still in it.
    #[error("the sandbox is closed")]
    Closed,
}

impl Error {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| match source.kind() {
            std::io::ErrorKind::ReadOnlyFilesystem | std::io::ErrorKind::PermissionDenied if action != "read" => {
                let folder = if path.is_dir() { Some(path.as_path()) } else { path.parent() };
                Self::ReadOnly { path: folder.unwrap_or(&path).to_owned() }
            }
            _ => Self::Io { action, path, source },
        }
    }

    pub(crate) fn damaged(path: &Path, reason: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), reason: reason.into() }
    }
}
