//! The settings of several deployments in one text, where a format has room for them.

use super::kubernetes;
use crate::printable::on_one_line;

/// How the settings of several deployments stand in one text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Together {
    /// Each below a comment that says whose they are.
    Headed,
    /// Members of one JSON object, by the deployments' names.
    Keyed,
    /// Documents of one YAML stream, whose objects have names of their deployments.
    Documents,
}

/// What a format came to for one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfDeployment {
    /// The deployment's name.
    pub name: String,
    /// Its plan file.
    pub plan_file: String,
    /// The text, with a final newline.
    pub text: String,
}

impl Together {
    /// Under which name those of a deployment stand there, where no other one may have it.
    #[must_use]
    pub fn name(self, deployment: &str) -> Option<&str> {
        match self {
            Self::Headed => None,
            Self::Keyed => Some(deployment),
            Self::Documents => Some(kubernetes::name(deployment)),
        }
    }

    /// One text of all of them.
    #[must_use]
    pub fn joined(self, all: &[OfDeployment]) -> String {
        let each = |text: fn(&OfDeployment) -> String, between| all.iter().map(text).collect::<Vec<_>>().join(between);
        match self {
            Self::Headed => each(headed, "\n"),
            Self::Keyed => format!("{{{}\n}}\n", each(keyed, ",")),
            Self::Documents => each(|one| one.text.clone(), "---\n"),
        }
    }
}

/// A comment ends with its line, whatever a path holds.
fn headed(one: &OfDeployment) -> String {
    format!("# {}  {}\n{}", one.name, on_one_line(&one.plan_file), one.text)
}

/// No text of JSON has a line break of its own, and no deployment's name what would be escaped.
fn keyed(one: &OfDeployment) -> String {
    format!("\n  \"{}\": {}", one.name, one.text.trim_end().replace('\n', "\n  "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(first: &str, second: &str) -> [OfDeployment; 2] {
        [("a", "plans/a\nB=1.toml", first), ("b", "b.toml", second)].map(|(name, plan_file, text)| OfDeployment {
            name: name.to_owned(),
            plan_file: plan_file.to_owned(),
            text: text.to_owned(),
        })
    }

    #[test]
    fn settings_of_several_deployments_stand_in_one_text() {
        let headed = Together::Headed.joined(&both("X=1\n", "X=2\n"));
        assert_eq!(headed, "# a  plans/a B=1.toml\nX=1\n\n# b  b.toml\nX=2\n");
        let keyed = Together::Keyed.joined(&both("{\n  \"X\": \"1\"\n}\n", "{}\n"));
        assert_eq!(keyed, "{\n  \"a\": {\n    \"X\": \"1\"\n  },\n  \"b\": {}\n}\n");
        assert_eq!(Together::Documents.joined(&both("x: 1\n", "x: 2\n")), "x: 1\n---\nx: 2\n");
        let none = [Together::Headed, Together::Keyed, Together::Documents].map(|together| together.joined(&[]));
        assert_eq!(none, ["", "{\n}\n", ""]);
        assert_eq!(Together::Documents.name("a-"), Together::Documents.name("a"));
    }
}
