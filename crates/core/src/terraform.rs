//! What there is, as Terraform imports it, and what imports as it does.

use std::collections::BTreeSet;

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
    let import = |(one, name): (&Managed, String)| {
        let Managed { kind, id, body, others, .. } = one;
        let import = Body::default().expression("to", format!("{kind}.{name}")).text("id", id).named("import");
        let warning =
            "# Others have a part in it that is not written here; Terraform would take it out. Add it:\n".to_owned();
        let others = others.iter().map(|other| format!("#   {}\n", on_one_line(other)));
        let others: String = if one.others.is_empty() { String::new() } else { warning + &others.collect::<String>() };
        format!("{import}\n{others}{}", body.named(&format!("resource \"{kind}\" \"{name}\"")))
    };
    managed.iter().zip(names(managed)).map(import).collect::<Vec<_>>().join("\n")
}

/// The name of each. Terraform knows one resource of a kind by a name, and names that are made of others' have fewer letters: from the
/// second on, those of one name are numbered.
fn names(managed: &[Managed]) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let mut free = |kind: &'static str, name: &str| {
        let numbered = (2..).map(|number| format!("{name}_{number}"));
        let mut names = std::iter::once(name.to_owned()).chain(numbered);
        names.find(|name| taken.insert((kind, name.clone()))).unwrap_or_default()
    };
    managed.iter().map(|one| free(one.kind, &one.name)).collect()
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

    #[test]
    fn each_resource_of_a_kind_has_a_name_of_its_own() {
        let of = |kind, name: &str| Managed::new(kind, name, String::new(), Body::default());
        let all = [of("a", "x"), of("b", "x"), of("a", "x_2"), of("a", "x"), of("a", "x"), of("a", "y")];
        assert_eq!(names(&all), ["x", "x", "x_2", "x_3", "x_4", "y"]);
    }
}
