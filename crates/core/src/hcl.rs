//! Terraform's language, in the form that `terraform fmt` gives it
//! (<https://developer.hashicorp.com/terraform/language/style#code-formatting>).

/// What a block has between its braces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body {
    items: Vec<Item>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Item {
    /// An attribute that stands on a line.
    Line(String, String),
    /// One whose value begins with a bracket and ends with one, and what is between them.
    Lines(String, (&'static str, &'static str), Vec<String>),
    Block(String, Body),
}

impl Body {
    /// An attribute that is an expression.
    #[must_use]
    pub fn expression(mut self, name: &str, value: impl ToString) -> Self {
        self.items.push(Item::Line(name.to_owned(), value.to_string()));
        self
    }

    /// One that is a text.
    #[must_use]
    pub fn text(self, name: &str, value: impl AsRef<str>) -> Self {
        self.expression(name, text(value.as_ref()))
    }

    /// One that is a list of few texts, on one line.
    #[must_use]
    pub fn texts<T: AsRef<str>>(self, name: &str, values: &[T]) -> Self {
        let values: Vec<_> = values.iter().map(|value| text(value.as_ref())).collect();
        self.expression(name, format!("[{}]", values.join(", ")))
    }

    /// One that is a list of texts, one on a line; nothing where there are none.
    #[must_use]
    pub fn list<T: AsRef<str>>(mut self, name: &str, values: &[T]) -> Self {
        if !values.is_empty() {
            let lines = values.iter().map(|value| format!("{},", text(value.as_ref()))).collect();
            self.items.push(Item::Lines(name.to_owned(), ("[", "]"), lines));
        }
        self
    }

    /// One that has texts by name.
    #[must_use]
    pub fn map(mut self, name: &str, entries: &[(&str, &str)]) -> Self {
        let entries: Vec<_> = entries.iter().map(|(key, value)| (text(key), text(value))).collect();
        self.items.push(Item::Lines(name.to_owned(), ("{", "}"), aligned(&entries)));
        self
    }

    /// A block in it.
    #[must_use]
    pub fn block(mut self, header: &str, body: Self) -> Self {
        self.items.push(Item::Block(header.to_owned(), body));
        self
    }

    /// As a block at the top of a file: `resource "aws_iam_role" "server"`.
    #[must_use]
    pub fn named(&self, header: &str) -> String {
        format!("{header} {{\n{}}}\n", self.lines().iter().map(|line| indented(line)).collect::<String>())
    }

    /// Attributes that stand on neighbouring lines are aligned; a block has an empty line around it.
    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let together = |one: &Item, next: &Item| matches!((one, next), (Item::Line(..), Item::Line(..)));
        let mut after_block = false;
        for group in self.items.chunk_by(together) {
            let is_block = matches!(group, [Item::Block(..)]);
            if !lines.is_empty() && (is_block || after_block) {
                lines.push(String::new());
            }
            after_block = is_block;
            lines.extend(written(group));
        }
        lines
    }
}

/// The lines of attributes that stand together, or of one item.
fn written(group: &[Item]) -> Vec<String> {
    match group {
        [Item::Lines(name, (open, close), inner)] => enclosed(&format!("{name} = {open}"), inner, close),
        [Item::Block(header, body)] => enclosed(&format!("{header} {{"), &body.lines(), "}"),
        attributes => {
            let pairs = attributes.iter().filter_map(|item| match item {
                Item::Line(name, value) => Some((name.clone(), value.clone())),
                Item::Lines(..) | Item::Block(..) => None,
            });
            aligned(&pairs.collect::<Vec<_>>())
        }
    }
}

fn enclosed(first: &str, inner: &[String], last: &str) -> Vec<String> {
    let inner = inner.iter().map(|line| indented(line).trim_end_matches('\n').to_owned());
    [first.to_owned()].into_iter().chain(inner).chain([last.to_owned()]).collect()
}

fn indented(line: &str) -> String {
    if line.is_empty() { "\n".to_owned() } else { format!("  {line}\n") }
}

fn aligned(pairs: &[(String, String)]) -> Vec<String> {
    let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    pairs.iter().map(|(name, value)| format!("{name:width$} = {value}")).collect()
}

/// A text as the language takes it
/// (<https://developer.hashicorp.com/terraform/language/expressions/strings>).
#[must_use]
pub fn text(text: &str) -> String {
    let escaped = |letter: char| match letter {
        '\\' => "\\\\".to_owned(),
        '"' => "\\\"".to_owned(),
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        letter if letter.is_control() => format!("\\u{:04x}", u32::from(letter)),
        letter => letter.to_string(),
    };
    let text: String = text.chars().map(escaped).collect();
    format!("\"{}\"", text.replace("${", "$${").replace("%{", "%%{"))
}

/// A name of something: letters, digits and `_`.
#[must_use]
pub fn name(text: &str) -> String {
    text.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted() {
        assert_eq!(text("a\"b\\c${d}%{e}\r\u{1}"), r#""a\"b\\c$${d}%%{e}\r\u0001""#);
        assert_eq!(name("provision-a.b"), "provision_a_b");
    }

    /// As `terraform fmt` 1.9 leaves it.
    #[test]
    fn lines_are_those_of_the_tool() {
        let condition =
            Body::default().text("test", "StringEquals").texts("values", &["a"]).expression("variable", "var.x");
        let body = Body::default()
            .text("name", "n")
            .expression("policy_id", "x.y.id")
            .list("actions", &["a", "b"])
            .text("sid", "s")
            .map("mapping", &[("google.subject", "a"), ("b", "c")])
            .block("condition", condition.clone())
            .list("none", &[""; 0])
            .block("permissions", Body::default().block("deep", condition))
            .texts("scopes", &["/"]);
        let expected = r#"resource "kind" "id" {
  name      = "n"
  policy_id = x.y.id
  actions = [
    "a",
    "b",
  ]
  sid = "s"
  mapping = {
    "google.subject" = "a"
    "b"              = "c"
  }

  condition {
    test     = "StringEquals"
    values   = ["a"]
    variable = var.x
  }

  permissions {
    deep {
      test     = "StringEquals"
      values   = ["a"]
      variable = var.x
    }
  }

  scopes = ["/"]
}
"#;
        assert_eq!(body.named("resource \"kind\" \"id\""), expected);
    }
}
