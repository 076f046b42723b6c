//! What a service says once, and only the user's own files can tell again.

use std::fmt::Debug;

use crate::error::Error;
use crate::output::Output;
use crate::plan_file::edit::Noted;

/// Keeps for the user what a service says once.
///
/// # Behavior
///
/// - Every method has had its effect when it returns: whoever is killed afterwards has it.
/// - What is told and kept is told and kept once more without harm.
pub trait Keeper: Debug + Send + Sync {
    /// Tell people at once.
    fn tell(&self, text: &str);

    /// The file that secrets will be put into, as the plan file names it; `None` where they are printed.
    fn place(&self) -> Option<String>;

    /// Put secrets where the user asked for them.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    fn keep(&self, outputs: &[Output]) -> Result<(), Error>;

    /// Write keys into a section of the plan file, whose comments and layout stay.
    ///
    /// # Errors
    ///
    /// The file does not say any more what was read, or cannot be written.
    fn note(&self, section: &str, keys: &[Noted<'_>]) -> Result<(), Error>;
}
