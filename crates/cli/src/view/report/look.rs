//! What a look came to, in whatever format is asked for.

use provision_core::Error;
use provision_core::change_set::ChangeSet;
use provision_core::verify::Proof;

use super::{gitlab, html, junit, markdown, planned, proof, sarif};
use crate::arguments::ReportFormat;
use crate::exit::Failure;
use crate::trace::timestamp;
use crate::view::{Looked, Proofs, json};

/// What a command came to that looks.
pub(crate) enum Look<'a> {
    /// What would be done.
    Plan(&'a ChangeSet),
    /// The same in each section of a plan file, and why others could not be looked at.
    Plans(&'a [ChangeSet], &'a [Error]),
    /// How each deployment is, and why others could not be looked at.
    Drift(&'a Looked),
    /// What was proven, hop by hop.
    Proof(&'a Proof),
    /// The same of many deployments, and why others could not be proven.
    Proofs(&'a Proofs),
    /// Nothing could be looked at.
    Failed(&'a Failure),
}

impl Look<'_> {
    /// The report in that format, none for people, and of a proof as test cases alone; `flags` are those that the next command needs too,
    /// and `former` is the report in whose place it comes.
    pub(crate) fn text(&self, format: ReportFormat, flags: &str, former: &str) -> Option<String> {
        let failed = match self {
            Self::Failed(failure) => failure.errors(),
            _ => Vec::new(),
        };
        let (sets, errors) = match self {
            Self::Plan(set) => (std::slice::from_ref(*set), &[][..]),
            Self::Plans(sets, errors) => (*sets, *errors),
            Self::Drift(looked) => (looked.sets.as_slice(), looked.errors.as_slice()),
            Self::Failed(_) => (&[][..], failed.as_slice()),
            Self::Proof(proof) => return (format == ReportFormat::Junit).then(|| proof::text([*proof], &[])),
            Self::Proofs(Proofs { proven: proofs, errors, .. }) => {
                return (format == ReportFormat::Junit)
                    .then(|| proof::text(proofs.iter().map(|(proof, _)| proof), errors));
            }
        };
        Some(match (format, self) {
            (ReportFormat::Text, _) => return None,
            (ReportFormat::Markdown, Self::Plan(_) | Self::Plans(..)) => planned::text(sets, errors),
            (ReportFormat::Markdown, _) => markdown::text(sets, errors, flags),
            (ReportFormat::Junit, _) => junit::text(sets, errors),
            (ReportFormat::Sarif, _) => sarif::text(sets, errors),
            (ReportFormat::Html, _) => html::text(sets, errors, flags, former, &timestamp().unwrap_or_default()),
            (ReportFormat::Gitlab, _) => gitlab::text(sets, errors),
            (ReportFormat::Json, Self::Plan(set)) => json::plan(set, set.blockers()),
            (ReportFormat::Json, Self::Plans(sets, errors)) => json::plans(sets, errors),
            (ReportFormat::Json, Self::Drift(looked)) => json::drift(looked),
            (ReportFormat::Json, Self::Failed(failure)) => json::failed(failure),
            (ReportFormat::Json, Self::Proof(_) | Self::Proofs(_)) => return None,
        })
    }
}
