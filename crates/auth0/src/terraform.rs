//! What is made, as Terraform's provider `auth0/auth0` imports it
//! (<https://registry.terraform.io/providers/auth0/auth0/latest/docs/resources/client>).
//!
//! Metadata is left to provision: its own keys among it would be taken away.

use provision_core::hcl::Body;
use provision_core::mark::Origin;
use provision_core::terraform::Managed;
use serde_json::{Map, Value};

use crate::client::clients::Application;
use crate::config::Settings;
use crate::resources::settings;

/// The application with what is ours on it. How one that was made signs in is a resource of its own there
/// (<https://registry.terraform.io/providers/auth0/auth0/latest/docs/resources/client_credentials>).
pub(crate) fn managed(settings: &Settings, found: &Application, origin: Origin) -> Vec<Managed> {
    let values = settings::desired(settings, origin == Origin::Created);
    let client = Managed::new("auth0_client", "server", found.client_id.clone(), client(settings, found, &values))
        .whole_of(&["callbacks", "web_origins", "logout_urls"]);
    let method = values.get("token_endpoint_auth_method").and_then(Value::as_str);
    let credentials = method.map(|method| {
        let body =
            Body::default().expression("client_id", "auth0_client.server.id").text("authentication_method", method);
        Managed::new("auth0_client_credentials", "server", found.client_id.clone(), body)
    });
    std::iter::once(client).chain(credentials).collect()
}

/// Terraform asks for a name: one that the plan file does not set is that of the application.
fn client(settings: &Settings, found: &Application, values: &Map<String, Value>) -> Body {
    let text = |key: &str| values.get(key).and_then(Value::as_str);
    let mut body = Body::default().text("name", text("name").unwrap_or(&found.name));
    if let Some(kind) = text("app_type") {
        body = body.text("app_type", kind);
    }
    if let Some(conformant) = values.get("oidc_conformant") {
        body = body.expression("oidc_conformant", conformant);
    }
    if let Some(grants) = values.get("grant_types").and_then(Value::as_array) {
        body = body.texts("grant_types", &grants.iter().filter_map(Value::as_str).collect::<Vec<_>>());
    }
    let callbacks: Vec<_> = settings.callbacks().into_values().rev().collect();
    body = body
        .texts("callbacks", &callbacks)
        .texts("web_origins", &[&settings.deployment.host])
        .texts("allowed_logout_urls", &[settings.logout_url()]);
    if let Some(algorithm) = text("jwt_alg") {
        body = body.block("jwt_configuration", Body::default().text("alg", algorithm));
    }
    body.block("lifecycle", Body::default().expression("ignore_changes", "[client_metadata]"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::tests::settings_with;
    use provision_core::terraform::imports;

    #[test]
    fn application_is_imported_by_its_client_id_with_what_is_ours() {
        let found =
            Application { client_id: "aB3".to_owned(), name: "Somebody's".to_owned(), ..Application::default() };
        let of = |section: &str, origin| imports(&managed(&settings_with(section), &found, origin));
        let made = of("oidc = true", Origin::Created);
        for expected in [
            "  to = auth0_client.server\n  id = \"aB3\"\n",
            "  to = auth0_client_credentials.server\n",
            "[\"https://wandb.example.com\", \"https://wandb.example.com/oidc/callback\"]",
            "authentication_method = \"none\"",
            "alg = \"RS256\"",
            "ignore_changes = [client_metadata]",
        ] {
            assert!(made.contains(expected), "{expected}: {made}");
        }
        let adopted = of("adopt = true", Origin::Adopted);
        assert!(adopted.contains("name                = \"Somebody's\""), "{adopted}");
        assert!(!adopted.contains("app_type") && !adopted.contains("credentials"), "{adopted}");
    }
}
