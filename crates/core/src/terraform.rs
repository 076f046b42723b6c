//! Terraform's language, as it is written here: texts, and whole blocks in the layout of `terraform fmt`.

use crate::printable::on_one_line;

/// A text as Terraform's language takes it
/// (<https://developer.hashicorp.com/terraform/language/expressions/strings>).
#[must_use]
pub fn hcl(text: &str) -> String {
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

/// A list of texts in it, one a line, that is indented so far.
#[must_use]
pub fn hcl_list<T: AsRef<str>>(texts: &[T], indent: usize) -> String {
    let line = |text: &T| format!("{:indent$}  {},\n", "", hcl(text.as_ref()));
    format!("[\n{}{:indent$}]", texts.iter().map(line).collect::<String>(), "")
}

/// A name of something of Terraform's: letters, digits and `_`.
#[must_use]
pub fn hcl_name(text: &str) -> String {
    text.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect()
}

/// Something that there is, under the address that Terraform is to know it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Managed {
    /// The resource's type, as the provider names it.
    pub kind: &'static str,
    /// Its name in the configuration.
    pub name: &'static str,
    /// What the provider imports it by.
    pub id: String,
    /// What the configuration says of it.
    pub body: Body,
    /// What others have in or on it, which the configuration does not say.
    pub others: Vec<String>,
}

impl Managed {
    /// Something with nothing of others.
    #[must_use]
    pub const fn new(kind: &'static str, name: &'static str, id: String, body: Body) -> Self {
        Self { kind, name, id, body, others: Vec::new() }
    }
}

/// What is in a block: arguments, then blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body {
    arguments: Vec<(String, String)>,
    blocks: Vec<(String, Body)>,
}

impl Body {
    /// With an argument that is a text.
    #[must_use]
    pub fn text(self, name: &str, text: impl AsRef<str>) -> Self {
        self.raw(name, hcl(text.as_ref()))
    }

    /// With an argument that is a list of texts.
    #[must_use]
    pub fn texts<T: AsRef<str>>(self, name: &str, texts: &[T]) -> Self {
        let texts: Vec<_> = texts.iter().map(|text| hcl(text.as_ref())).collect();
        self.raw(name, format!("[{}]", texts.join(", ")))
    }

    /// With an argument that is a number, a switch, or a reference to another resource.
    #[must_use]
    pub fn raw(mut self, name: &str, value: impl ToString) -> Self {
        self.arguments.push((name.to_owned(), value.to_string()));
        self
    }

    /// With an argument that is a map of texts, unless that is empty.
    #[must_use]
    pub fn map<'e>(self, name: &str, entries: impl IntoIterator<Item = (&'e String, &'e String)>) -> Self {
        let entries: Vec<_> =
            entries.into_iter().map(|(key, value)| format!("{} = {}", hcl(key), hcl(value))).collect();
        if entries.is_empty() { self } else { self.raw(name, format!("{{ {} }}", entries.join(", "))) }
    }

    /// With a block.
    #[must_use]
    pub fn block(mut self, name: &str, body: Self) -> Self {
        self.blocks.push((name.to_owned(), body));
        self
    }

    /// The lines of it, the equal signs under each other.
    fn written(&self, indent: usize) -> String {
        let widest = self.arguments.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        let argument = |(name, value): &(String, String)| format!("{:indent$}{name:widest$} = {value}\n", "");
        let mut text: String = self.arguments.iter().map(argument).collect();
        for (name, body) in &self.blocks {
            let apart = if text.is_empty() { "" } else { "\n" };
            text += &format!("{apart}{:indent$}{name} {{\n{}{:indent$}}}\n", "", body.written(indent + 2), "");
        }
        text
    }
}

/// The blocks that import these, and the resources: for `terraform plan` and `tofu plan`, which both know `import`
/// (<https://developer.hashicorp.com/terraform/language/import>, <https://opentofu.org/docs/language/import/>).
#[must_use]
pub fn imports(managed: &[Managed]) -> String {
    let import = |one: &Managed| {
        let Managed { kind, name, id, body, others } = one;
        let import = Body::default().raw("to", format!("{kind}.{name}")).text("id", id).written(2);
        let warning =
            "# Others have a part in it that is not written here; Terraform would take it out. Add it:\n".to_owned();
        let others = others.iter().map(|other| format!("#   {}\n", on_one_line(other)));
        let others: String = if one.others.is_empty() { String::new() } else { warning + &others.collect::<String>() };
        format!("import {{\n{import}}}\n\n{others}resource \"{kind}\" \"{name}\" {{\n{}}}\n", body.written(2))
    };
    managed.iter().map(import).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_terraform_are_quoted() {
        assert_eq!(hcl("a\"b\\c${d}%{e}\r\u{1}"), r#""a\"b\\c$${d}%%{e}\r\u0001""#);
        assert_eq!(hcl_list(&["a", "b"], 2), "[\n    \"a\",\n    \"b\",\n  ]");
    }

    #[test]
    fn imports_are_laid_out_as_terraform_does() {
        let rule = Body::default().texts("methods", &["GET"]).raw("age", 3);
        let body = Body::default().text("bucket", "a").raw("force_destroy", false).block("rule", rule);
        let managed = Managed::new("aws_s3_bucket", "files", "a".to_owned(), body);
        let others = vec!["CORS rule for *".to_owned()];
        insta::assert_snapshot!(imports(&[Managed { others, ..managed.clone() }, managed]));
    }
}
