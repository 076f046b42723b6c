//! Whose roles are looked at: the plan file's identities, then those that the marks say had some last.

use crate::config::Settings;
use crate::names::identity_of;

/// Before an identity of somebody else's server, where a mark says that it was given access.
const OF_OTHERS: &str = "identity:";

/// The identities, in normal form.
#[derive(Debug, Default)]
pub(crate) struct Principals {
    /// Those that the server runs as, the plan file's first.
    server: Vec<String>,
    /// Those of somebody else's server, the plan file's first.
    identities: Vec<String>,
    /// How the plan file's are found again.
    references: Vec<String>,
}

impl Principals {
    /// `recalled` is what [`Principals::references`] were.
    pub(crate) fn of(settings: &Settings, recalled: &[String]) -> Self {
        let server: Vec<_> = settings.principal_id().map(identity_of).into_iter().collect();
        let identities: Vec<_> = settings.identities().iter().map(|id| identity_of(id)).collect();
        let marked = identities.iter().map(|id| format!("{OF_OTHERS}{id}"));
        let references = server.iter().cloned().chain(marked).collect();
        let named = Self { server, identities, references };
        recalled.iter().fold(named, |known, reference| known.with(reference))
    }

    /// One identity, whatever it is for.
    pub(super) fn only(principal: &str) -> Self {
        Self { server: vec![principal.to_owned()], ..Self::default() }
    }

    /// Who is named keeps his place.
    fn with(mut self, reference: &str) -> Self {
        if !self.knows(reference) {
            match reference.strip_prefix(OF_OTHERS) {
                Some(id) => self.identities.push(identity_of(id)),
                None => self.server.push(identity_of(reference)),
            }
        }
        self
    }

    /// Whether the one that a mark names is looked at by now.
    pub(crate) fn knows(&self, reference: &str) -> bool {
        self.has(&identity_of(reference.strip_prefix(OF_OTHERS).unwrap_or(reference)))
    }

    pub(crate) fn has(&self, principal: &str) -> bool {
        self.all().any(|known| known == principal)
    }

    /// Whether it is one of somebody else's server.
    pub(super) fn is_of_others(&self, principal: &str) -> bool {
        self.identities.iter().any(|known| known == principal)
    }

    pub(super) fn first(&self) -> Option<&str> {
        self.all().next()
    }

    /// What the marks say of the plan file's.
    pub(super) fn references(&self) -> &[String] {
        &self.references
    }

    fn all(&self) -> impl Iterator<Item = &str> {
        self.server.iter().chain(&self.identities).map(String::as_str)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The server's and others' of a plan file that is not read.
    pub(crate) fn named(server: &[&str], identities: &[&str]) -> Principals {
        let owned = |list: &[&str]| list.iter().map(|id| (*id).to_owned()).collect();
        Principals { server: owned(server), identities: owned(identities), references: Vec::new() }
    }

    #[test]
    fn who_is_recalled_is_of_the_kind_that_he_was() {
        let known = named(&["p"], &["q"]).with("z").with("identity:Y");
        assert_eq!((known.is_of_others("y"), known.is_of_others("z")), (true, false));
        assert!(known.knows("identity:y") && known.knows("Z") && !known.knows("x"));
    }

    #[test]
    fn who_changed_his_place_has_the_new_one() {
        let known = named(&["p"], &["q"]).with("identity:p").with("q");
        assert_eq!((known.is_of_others("p"), known.is_of_others("q"), known.all().count()), (false, true, 2));
    }
}
