//! What there is, as Terraform imports it, and what imports as it does.

use crate::hcl::Body;
use crate::printable::on_one_line;

/// Something that there is, under the address that Terraform is to know it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Managed {
    /// The resource's type, as the provider names it.
    pub kind: &'static str,
    /// Its name in the configuration.
    pub name: String,
    /// What the provider imports it by.
    pub id: String,
    /// What the configuration says of it.
    pub body: Body,
    /// The facets of which it says everything: what others have there, Terraform takes out.
    pub whole: &'static [&'static str],
    /// What others have there, which the configuration does not say.
    pub others: Vec<String>,
}

impl Managed {
    /// Something that others have no part in.
    #[must_use]
    pub fn new(kind: &'static str, name: impl Into<String>, id: String, body: Body) -> Self {
        Self { kind, name: name.into(), id, body, whole: &[], others: Vec::new() }
    }

    /// The same where it says everything of these facets, which others may have a part in.
    #[must_use]
    pub fn whole_of(self, facets: &'static [&'static str]) -> Self {
        Self { whole: facets, ..self }
    }
}

/// The blocks that import these, and the resources: for `terraform plan` and `tofu plan`, which both know `import`
/// (<https://developer.hashicorp.com/terraform/language/import>, <https://opentofu.org/docs/language/import/>).
#[must_use]
pub fn imports(managed: &[Managed]) -> String {
    let import = |one: &Managed| {
        let Managed { kind, name, id, body, others, .. } = one;
        let import = Body::default().expression("to", format!("{kind}.{name}")).text("id", id).named("import");
        let warning =
            "# Others have a part in it that is not written here; Terraform would take it out. Add it:\n".to_owned();
        let others = others.iter().map(|other| format!("#   {}\n", on_one_line(other)));
        let others: String = if one.others.is_empty() { String::new() } else { warning + &others.collect::<String>() };
        format!("{import}\n{others}{}", body.named(&format!("resource \"{kind}\" \"{name}\"")))
    };
    managed.iter().map(import).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_laid_out_as_terraform_does() {
        let rule = Body::default().texts("methods", &["GET"]).expression("age", 3);
        let body = Body::default().text("bucket", "a").expression("force_destroy", false).block("rule", rule);
        let managed = Managed::new("aws_s3_bucket", "files", "a".to_owned(), body);
        let others = vec!["CORS rule for *".to_owned()];
        insta::assert_snapshot!(imports(&[Managed { others, ..managed.clone() }, managed]));
    }
}
