//! What mends a hop that failed: never a command that changes nothing about it.

use crate::change_set::ChangeSet;
use crate::error::Error;
use crate::hop::{Hop, HopId, Obstacle};
use crate::refusal::Refusal;

/// What is known of it before the hops are gone.
#[derive(Debug)]
pub(super) struct Mending {
    /// The command that makes the cloud what the plan file says.
    command: String,
    /// Whether it would change anything.
    changes: bool,
    /// What it stops for: to be settled first.
    first: Vec<String>,
    /// What somebody else set, each with what takes it away.
    obstacles: Vec<Obstacle>,
}

impl Mending {
    pub(super) fn new(set: &ChangeSet, obstacles: Vec<Obstacle>, command: &str) -> Self {
        let mut first: Vec<String> = Vec::new();
        for error in set.blockers() {
            let settled = error.hint().map_or_else(|| error.to_string(), str::to_owned);
            if !first.contains(&settled) {
                first.push(settled);
            }
        }
        let mending = Self { command: command.to_owned(), changes: set.has_changes(), first, obstacles: Vec::new() };
        let named = |obstacle: Obstacle| match obstacle.by_apply {
            true => Obstacle { refusal: Refusal { hint: mending.apply(), ..obstacle.refusal }, ..obstacle },
            false => obstacle,
        };
        let obstacles = obstacles.into_iter().map(named).collect();
        Self { obstacles, ..mending }
    }

    /// Where nothing is known.
    #[cfg(test)]
    pub(super) fn nothing() -> Self {
        Self { command: "apply".to_owned(), changes: false, first: Vec::new(), obstacles: Vec::new() }
    }

    /// Apply, after what it stops for.
    pub(super) fn apply(&self) -> String {
        let then = if self.first.is_empty() { "" } else { "; then " };
        format!("{}{then}{}", self.first.join("; "), self.command)
    }

    /// What stands in the way of a hop.
    pub(super) fn obstacle(&self, hop: HopId) -> Option<&Refusal> {
        Obstacle::of(&self.obstacles, hop)
    }

    /// What is known to mend a hop: what stands in its way is taken away, or apply has something to do.
    pub(super) fn of(&self, hop: HopId) -> Option<String> {
        let obstacle = self.obstacle(hop).map(|refusal| refusal.hint.clone());
        obstacle.or_else(|| (self.changes || !self.first.is_empty()).then(|| self.apply()))
    }

    /// The hop that an error ended: what is not as the plan file says is the likeliest reason.
    pub(super) fn ended(&self, hop: Hop, error: &Error) -> Hop {
        let (mend, hop) = (self.of(hop.id), hop.ended_by(error));
        match mend {
            Some(mend) if hop.has_failed() => hop.mended_by(mend),
            _ => hop,
        }
    }
}
