//! What people see.

mod layout;
mod head;
mod rights;
mod change_set;
mod drift;
mod verify;
mod doctor;
mod progress;

use std::io::IsTerminal as _;
use std::path::Path;
use std::time::Duration;

use provision_core::Error;
use provision_core::change_set::{ChangeSet, Purpose};
use provision_core::event::{Event, EventSink};
use provision_core::output;
use provision_core::permissions::Document;
use provision_core::printable::on_one_line;
use provision_core::server::merged;
use provision_core::verify::Proof;

use super::compared::Compared;
use super::report::compared;
use super::words::{counts, named, one_of_several, unknown};
use super::{
    Applied, Consent, End, Examination, Looked, Outcome, Proofs, View, diagnostic, error, for_people, goes_on, result,
};
use crate::arguments::{Global, quoted};
use crate::exit::Failure;
use crate::{help, telemetry};
use change_set::{Detail, Screen};
use progress::{Lines, Progress, Rows};
use rights::Told;

/// Texts on both streams.
pub(crate) struct Human {
    detail: Detail,
    quiet: bool,
    /// What the next command needs too, to be meant for the same cloud.
    flags: String,
    progress: Progress,
}

impl Human {
    /// As the flags ask.
    pub(crate) fn new(global: &Global) -> Self {
        let quiet = global.quiet;
        // A terminal that cannot move its cursor gets lines too.
        let is_lively = std::io::stderr().is_terminal() && std::env::var("TERM").as_deref() != Ok("dumb");
        let progress = match is_lively {
            true if !quiet => Progress::Rows(Rows::default()),
            _ => Progress::Lines(Lines { quiet }),
        };
        let detail = if global.verbose { Detail::Everything } else { Detail::Changes };
        Self { detail, quiet, flags: global.sandbox_flag(), progress }
    }
}

impl Human {
    fn drift_text(&self, Looked { sets, errors, .. }: &Looked) {
        for set in sets {
            let several = one_of_several(set, sets);
            let text = if self.quiet { drift::brief(set, several) } else { drift::text(set, several, &self.flags) };
            result(&for_people(&text));
            if self.quiet {
                diagnostic(&change_set::warnings(set));
            }
        }
        for error in errors {
            result(&format!("{}: unknown\n", unknown(error)));
        }
    }
}

impl Human {
    fn screen(&self, set: &ChangeSet, next: Option<&str>, rights: Told) {
        let screen = Screen { set, detail: self.detail, next, flags: &self.flags, rights };
        result(&for_people(&screen.text()));
    }

    /// What a plan comes to, in one line.
    fn planned_briefly(set: &ChangeSet, is_one_of_several: bool) {
        diagnostic(&(change_set::warnings(set) + &rights::all(set, Told::All)));
        result(&for_people(&format!("{}: {}\n", named(set, is_one_of_several), change_set::outcome(set))));
    }

    /// The settings for the server of all sections, each once. Where each has its own of a name, as of several clouds, they are
    /// those of several servers.
    fn settings_of_all(&self, ends: &[&End<'_>]) -> String {
        if merged(ends.iter().map(|end| end.outputs.clone())).is_err() {
            let of_one = |end: &&&End<'_>| {
                (!end.outputs.is_empty())
                    .then(|| format!("Settings of section `{}`\n{}", end.set.cloud, self.settings(end)))
            };
            return ends.iter().filter_map(|end| of_one(&end)).collect::<Vec<_>>().join("\n");
        }
        let mut lines: Vec<String> = Vec::new();
        for line in ends.iter().flat_map(|end| self.settings(end).lines().map(str::to_owned).collect::<Vec<_>>()) {
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        let heading = if self.quiet || lines.is_empty() { "" } else { "Settings for the server\n" };
        heading.to_owned() + &lines.iter().map(|line| format!("{line}\n")).collect::<String>()
    }

    /// The settings for the server; a secret that was not asked for is a comment, which nothing takes for its value.
    fn settings(&self, end: &End<'_>) -> String {
        let (cloud, file) = (&end.set.cloud, quoted(&end.set.plan_file.name));
        let show = format!("`provision {cloud} output {file} --reveal{}` shows it", self.flags);
        output::for_people(&end.outputs, &show)
    }
}

impl EventSink for Human {
    fn emit(&self, event: Event) {
        telemetry::note(&event);
        self.progress.emit(event);
    }
}

impl View for Human {
    fn plan(&self, set: &ChangeSet, _: &[Error], next: Option<&str>) {
        if self.quiet {
            return Self::planned_briefly(set, false);
        }
        self.screen(set, next, Told::All);
    }

    fn plans(&self, sets: &[ChangeSet], errors: &[Error]) {
        for (index, set) in sets.iter().enumerate() {
            if index > 0 && !self.quiet {
                result("\n");
            }
            match self.quiet {
                true => Self::planned_briefly(set, one_of_several(set, sets)),
                false => self.plan(set, &[], None),
            }
        }
        for error in errors.iter().filter(|_| sets.len() + errors.len() > 1) {
            result(&for_people(&format!("{}: unknown\n", unknown(error))));
        }
        let refused = sets.iter().any(|set| !set.blockers().is_empty());
        let next = sets.iter().any(ChangeSet::has_changes) && errors.is_empty() && !refused && !self.quiet;
        let is_one_file = sets.windows(2).all(|pair| pair[0].plan_file == pair[1].plan_file);
        match sets.first().filter(|_| next) {
            Some(set) if is_one_file => {
                let file = quoted(&set.plan_file.name);
                self.note(&format!("\nTo do all of it: provision apply {file}{}\n", self.flags));
            }
            Some(_) => self.note("\nTo do all of it: `provision apply` with the same plan files\n"),
            None => {}
        }
    }

    fn change_set(&self, set: &ChangeSet, consent: Consent) {
        if self.quiet && consent == Consent::Given {
            return diagnostic(&(change_set::warnings(set) + &rights::all(set, Told::Doubtful)));
        }
        self.screen(set, None, Told::Doubtful);
    }

    fn change_sets(&self, sets: &[&ChangeSet], consent: Consent) {
        for (index, set) in sets.iter().enumerate() {
            if index > 0 && !(self.quiet && consent == Consent::Given) {
                result("\n");
            }
            self.change_set(set, consent);
        }
    }

    fn saved(&self, set: &ChangeSet) {
        self.screen(set, None, Told::All);
    }

    fn drift(&self, looked: &Looked) {
        self.drift_text(looked);
    }

    fn permissions(&self, documents: &[Document]) {
        let texts: Vec<_> = documents.iter().map(|document| document.text.as_str()).collect();
        result(&texts.join("\n"));
        for document in documents {
            document.notes.iter().for_each(|note| self.note(&format!("# {note}\n")));
            document.commands.iter().for_each(|command| self.note(&format!("{command}\n")));
        }
    }

    fn proven(&self, proof: &Proof, elapsed: Duration) {
        result(&for_people(&verify::text(proof, elapsed)));
    }

    fn all_proven(&self, all: &Proofs) {
        result(&for_people(&verify::all(all)));
    }

    fn examined(&self, examination: &Examination) {
        result(&for_people(&doctor::text(examination)));
    }

    fn compared(&self, compared: &[Compared]) {
        result(&for_people(&compared::text(compared)));
    }

    fn valid(&self, plan_file: &Path) {
        result(&format!("{} is valid\n", on_one_line(&plan_file.display().to_string())));
    }

    fn ended(&self, ends: &[End<'_>]) {
        self.progress.end();
        ends.iter().filter(|end| !end.complete).for_each(|end| diagnostic(&incomplete(end)));
        let complete: Vec<_> = ends.iter().filter(|end| end.complete).collect();
        let changed: Vec<_> = complete.iter().filter(|end| end.set.has_changes()).collect();
        let sentences: String = changed.iter().map(|end| in_one_sentence(end, ends.len() > 1) + "\n").collect();
        let settings = self.settings_of_all(&complete);
        let parts = [sentences, settings].into_iter().filter(|part| !part.is_empty());
        let parts: String = parts.map(|part| format!("\n{part}")).collect();
        result(if self.quiet { parts.trim_start_matches('\n') } else { &parts });
        complete.iter().filter_map(|end| end.next_steps.as_ref()).for_each(|left| self.note(&format!("\n{left}\n")));
        let applied = changed.iter().find(|end| end.set.purpose == Purpose::Apply);
        if let Some(end) = applied.filter(|_| complete.len() == ends.len()) {
            self.note(&format!("\n{}\n", next(end.set, &self.flags)));
        }
    }

    fn applied(&self, one: &Applied) {
        let outcome = match one.outcome {
            Outcome::Applied => format!("applied, {} written ({:.1} s)", one.done, one.elapsed.as_secs_f64()),
            Outcome::Unchanged => "no changes".to_owned(),
            Outcome::Failed if one.done == 0 => "failed, nothing was written".to_owned(),
            Outcome::Failed if one.goes_on() => {
                format!("failed after {} written; run `{}` again", one.done, one.again)
            }
            Outcome::Failed => format!("failed after {} written", one.done),
            Outcome::NotBegun => "not begun".to_owned(),
        };
        if !(self.quiet && one.outcome == Outcome::Unchanged) {
            result(&for_people(&format!("{}: {outcome}\n", on_one_line(&one.deployment))));
        }
        if !one.errors.is_empty() {
            diagnostic(&error::texts(&one.errors));
        }
    }

    fn all_applied(&self, all: &[Applied], stopped: bool, elapsed: Duration) {
        let count = |outcome| all.iter().filter(|one| one.outcome == outcome).count();
        let counts = [
            (count(Outcome::Applied), "applied"),
            (count(Outcome::Unchanged), "without changes"),
            (count(Outcome::Failed), "failed"),
            (count(Outcome::NotBegun), "not begun"),
        ];
        let counts = counts.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
        let counts: Vec<_> = counts.collect();
        let again =
            if goes_on(all, stopped) { "; run the same command again: it goes on where this run ended" } else { "" };
        let counts = if counts.is_empty() { "nothing to do".to_owned() } else { counts.join(", ") };
        result(&format!("{} plan files: {counts} ({:.1} s){again}\n", all.len(), elapsed.as_secs_f64()));
    }

    fn failure(&self, failure: &Failure) {
        self.progress.end();
        diagnostic(&error::failure(failure));
    }

    fn note(&self, text: &str) {
        if !self.quiet {
            diagnostic(text);
        }
    }
}

/// What came of a run that is complete; its section is named where it is one of several.
fn in_one_sentence(end: &End<'_>, is_one_of_several: bool) -> String {
    let set = end.set;
    let verb = if set.purpose == Purpose::Apply { "Applied" } else { "Destroyed deployment" };
    let section = if is_one_of_several { format!(" of section `{}`", set.cloud) } else { String::new() };
    let counts = counts(set, true);
    let counts = if counts.is_empty() { String::new() } else { format!(": {}", counts.join(", ")) };
    format!("{verb} `{}`{section} in {:.1} s{counts}.", set.deployment, end.elapsed.as_secs_f64())
}

/// What comes after an apply: the proof that it works, where there is one, or the look that comes each night.
fn next(set: &ChangeSet, flags: &str) -> String {
    let (cloud, file) = (&set.cloud, quoted(&set.plan_file.name));
    match help::proves(cloud) {
        true => format!("Next: provision {cloud} verify {file}{flags}"),
        false => format!(
            "Next: give them to the server. What somebody changes later shows:\n  provision {cloud} drift {file}{flags}"
        ),
    }
}

/// Why a run is not complete, what it did, and how to go on.
fn incomplete(end: &End<'_>) -> String {
    if end.errors.is_empty() && end.not_done.is_empty() {
        return "all changes are written; stopped before the cloud showed them\n".to_owned();
    }
    let list = |title: &str, items: &[String]| match items {
        [] => String::new(),
        items => format!("{title}:\n{}", items.iter().map(|item| format!("  {item}\n")).collect::<String>()),
    };
    let (done, not_done) = (list("\ndone", &end.done), list("\nnot done", &end.not_done));
    format!("{}{done}{not_done}{}", error::texts(&end.errors), end.go_on())
}
