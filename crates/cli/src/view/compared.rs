//! Two looks for drift side by side: what is new since the former one, what is gone, what differs and what is still there.

use provision_core::printable::on_one_line;
use schemars::JsonSchema;
use serde::Serialize;

use super::words::title;

/// A deployment as a look found it, or as it could not be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) place: Place,
    /// What it came to, in the words of drift.
    pub(crate) verdict: String,
    pub(crate) findings: Vec<Finding>,
}

/// Whose look it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Place {
    /// The cloud; `null` where the deployment could not be looked at.
    pub(crate) cloud: Option<String>,
    /// The deployment; `null` where it could not be looked at.
    pub(crate) deployment: Option<String>,
    /// The plan file, as it was typed.
    pub(crate) plan_file: String,
}

/// One thing that a look found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Finding {
    /// The resource; `-` where it is about none.
    pub(crate) address: String,
    /// What kind of thing it is: `changed`, `missing`, `not-applied`, `left-over`, `refused`, `unknown` or `warning`.
    pub(crate) rule: String,
    /// The finding as people read it.
    pub(crate) text: String,
    /// What it is about: the same in both looks while its value may be another.
    #[serde(skip)]
    pub(crate) subject: String,
}

impl Finding {
    fn is_about_the_same(&self, other: &Self) -> bool {
        self.address == other.address && self.subject == other.subject
    }
}

/// What became of the findings of one deployment.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Compared {
    #[serde(flatten)]
    pub(crate) place: Place,
    /// What the former look came to; `null` where it had none of this deployment.
    pub(crate) before: Option<String>,
    /// What the later one came to; `null` where it had none.
    pub(crate) now: Option<String>,
    /// Found by the later look only.
    pub(crate) new: Vec<Finding>,
    /// Found by the former look only.
    pub(crate) gone: Vec<Finding>,
    /// Found by both, with another value.
    pub(crate) changed: Vec<Changed>,
    /// Found by both alike.
    pub(crate) still: Vec<Finding>,
    /// Found by one look where the other one could not read: neither new nor gone.
    pub(crate) unknown: Vec<Finding>,
}

/// A finding with another value than before.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Changed {
    /// As the former look has it.
    pub(crate) before: Finding,
    /// As the later one has it.
    pub(crate) now: Finding,
}

impl Compared {
    /// Whether both looks say the same.
    pub(crate) fn is_same(&self) -> bool {
        let differing = [&self.new, &self.gone, &self.unknown];
        self.before == self.now && self.changed.is_empty() && differing.iter().all(|findings| findings.is_empty())
    }

    /// Whose it is, for people.
    pub(crate) fn title(&self) -> String {
        let Place { cloud, deployment, plan_file } = &self.place;
        match (cloud, deployment) {
            (Some(cloud), Some(deployment)) => format!("{deployment} on {}", title(cloud)),
            _ => on_one_line(plan_file),
        }
    }

    /// What the later look came to, beside the former one.
    pub(crate) fn verdict(&self) -> String {
        match (&self.before, &self.now) {
            (Some(before), Some(now)) if before == now => now.clone(),
            (Some(before), Some(now)) => format!("{now}, was {before}"),
            (None, Some(now)) => format!("{now}, was not looked at"),
            (Some(before), None) => format!("not looked at, was {before}"),
            (None, None) => "not looked at".to_owned(),
        }
    }

    /// What became of each finding, and the finding.
    pub(crate) fn lines(&self) -> Vec<(&'static str, &'static str, Finding)> {
        let changed = self.changed.iter().map(|Changed { before, now }| {
            let text = format!("{} (before: {})", now.text, before.text);
            ("~", "changed", Finding { text, ..now.clone() })
        });
        let of = |sign, word, findings: &[Finding]| {
            findings.iter().map(|finding| (sign, word, finding.clone())).collect::<Vec<_>>()
        };
        let new = of("+", "new", &self.new).into_iter().chain(changed);
        let still = new.chain(of("=", "still there", &self.still));
        still.chain(of("?", "not known", &self.unknown)).chain(of("-", "gone", &self.gone)).collect()
    }
}

/// Both looks, deployment by deployment, in the order of the later one.
pub(crate) fn compare(before: &[Look], now: &[Look]) -> Vec<Compared> {
    let later = now.iter().filter(|look| !stands_for_others(look, before)).map(|look| {
        let former = before.iter().find(|former| former.place == look.place);
        compared(&look.place, former, Some(look), unread(before, &look.place.plan_file))
    });
    let is_former = |look: &&Look| !now.iter().any(|later| later.place == look.place) && !stands_for_others(look, now);
    let former = before.iter().filter(is_former).map(|look| {
        let is_unread = unread(now, &look.place.plan_file);
        compared(&look.place, Some(look), is_unread, is_unread)
    });
    later.chain(former).collect()
}

/// Whether a look that failed is told with each deployment that the other look found in its plan file.
fn stands_for_others(look: &Look, others: &[Look]) -> bool {
    let found = |other: &Look| other.place.deployment.is_some() && other.place.plan_file == look.place.plan_file;
    look.place.deployment.is_none() && others.iter().any(found)
}

/// The failed look at a plan file.
fn unread<'a>(looks: &'a [Look], plan_file: &str) -> Option<&'a Look> {
    looks.iter().find(|look| look.place.deployment.is_none() && look.place.plan_file == plan_file)
}

fn compared(place: &Place, before: Option<&Look>, now: Option<&Look>, failed: Option<&Look>) -> Compared {
    let former = before.or(failed.filter(|_| before.is_none()));
    let findings = |look: Option<&Look>| look.map(|look| look.findings.clone()).unwrap_or_default();
    let (old, new) = (findings(former), findings(now));
    let about = |among: &[Finding], finding: &Finding| among.iter().find(|one| one.is_about_the_same(finding)).cloned();
    let without = |found: &[Finding], others: &[Finding]| {
        found.iter().filter(|finding| about(others, finding).is_none()).cloned().collect::<Vec<_>>()
    };
    // A deployment that the former report did not have is new with all that is found.
    let is_new = |finding: &Finding| former.is_none_or(|look| has_read(look, place, finding));
    let is_gone = |finding: &Finding| now.is_some_and(|look| has_read(look, place, finding));
    let (appeared, unread_before): (Vec<_>, Vec<_>) = without(&new, &old).into_iter().partition(is_new);
    let (gone, unread): (Vec<_>, Vec<_>) = without(&old, &new).into_iter().partition(is_gone);
    let changed = new.iter().filter_map(|now| Some(Changed { before: about(&old, now)?, now: now.clone() }));
    let (still, changed): (Vec<_>, Vec<_>) = changed.partition(|both| both.before.text == both.now.text);
    Compared {
        place: place.clone(),
        before: former.map(|look| look.verdict.clone()),
        now: now.map(|look| look.verdict.clone()),
        new: appeared,
        gone,
        changed,
        still: still.into_iter().map(|both| both.now).collect(),
        unknown: unread_before.into_iter().chain(unread).collect(),
    }
}

/// Whether a look says whether this is there: it did not fail, and could read what the finding is about.
fn has_read(look: &Look, place: &Place, finding: &Finding) -> bool {
    let is_in_the_way =
        |unread: &Finding| unread.rule == "unknown" && (unread.address == "-" || unread.address == finding.address);
    let failed = look.place.deployment.is_none() && place.deployment.is_some();
    // That something cannot be read is found whatever else is.
    !failed && (finding.rule == "unknown" || !look.findings.iter().any(is_in_the_way))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(verdict: &str, findings: &[(&str, &str)]) -> Look {
        ruled(verdict, "changed", findings)
    }

    fn ruled(verdict: &str, rule: &str, findings: &[(&str, &str)]) -> Look {
        let place = Place { cloud: Some("aws".into()), deployment: Some("a".into()), plan_file: "a.toml".into() };
        let finding = |(subject, text): &(&str, &str)| Finding {
            address: "aws.bucket".into(),
            rule: rule.into(),
            text: (*text).into(),
            subject: (*subject).into(),
        };
        Look { place, verdict: verdict.into(), findings: findings.iter().map(finding).collect() }
    }

    fn unread() -> Look {
        let place = Place { cloud: None, deployment: None, plan_file: "a.toml".into() };
        Look { place, verdict: "unknown".into(), findings: Vec::new() }
    }

    #[test]
    fn findings_are_new_gone_changed_or_still_there() {
        let before = [seen("drift", &[("versioning", "on"), ("cors.origins", "is *"), ("encryption", "off")])];
        let now = [seen("drift", &[("versioning", "on"), ("cors.origins", "is x"), ("policy", "gone")])];
        let [one] = compare(&before, &now).try_into().unwrap();
        let words: Vec<_> =
            one.lines().into_iter().map(|(_, word, finding)| format!("{word} {}", finding.text)).collect();
        assert_eq!(words, ["new gone", "changed is x (before: is *)", "still there on", "gone off"]);
        assert!(!one.is_same() && compare(&before, &before)[0].is_same());
    }

    #[test]
    fn nothing_is_new_or_gone_beside_a_look_that_failed() {
        let found = [seen("drift", &[("versioning", "on")])];
        for (before, now, verdict) in
            [(&found[..], &[unread()][..], "unknown, was drift"), (&[unread()], &found, "drift, was unknown")]
        {
            let [one] = compare(before, now).try_into().unwrap();
            assert_eq!((one.verdict().as_str(), one.new.len(), one.gone.len(), one.is_same()), (verdict, 0, 0, false));
            assert_eq!(one.unknown, found[0].findings);
        }
        assert!(compare(&[unread()], &[unread()])[0].is_same());
    }

    #[test]
    fn deployment_of_one_look_alone_is_told_as_such() {
        let [one] = compare(&[], &[seen("in sync", &[])]).try_into().unwrap();
        assert_eq!(one.verdict(), "in sync, was not looked at");
        let [one] = compare(&[seen("drift", &[("a", "b")])], &[]).try_into().unwrap();
        let is = (one.verdict(), one.gone.len(), one.unknown.len());
        assert_eq!(is, ("not looked at, was drift".to_owned(), 0, 1));
    }

    #[test]
    fn nothing_of_a_resource_is_new_or_gone_beside_a_look_that_could_not_read_it() {
        let (found, dark) =
            ([seen("drift", &[("cors", "off")])], [ruled("unknown", "unknown", &[("unknown", "dark")])]);
        for (before, now, told) in
            [(&found, &dark, ["new dark", "not known off"]), (&dark, &found, ["not known off", "gone dark"])]
        {
            let [one] = compare(before, now).try_into().unwrap();
            let lines: Vec<_> =
                one.lines().into_iter().map(|(_, word, line)| format!("{word} {}", line.text)).collect();
            assert_eq!(lines, told);
        }
    }
}
