//! The part of a deployment, and its full name, known from the plan file alone.

use crate::config::Settings;

provision_core::parts! {
    /// A part of a deployment.
    pub(crate) enum Part {
        /// The application that people sign in with.
        Application = ("auth0.application", "application"),
    }
}

/// The letter under which the application's web origin is on record.
pub(crate) const WEB_ORIGINS: char = 'w';

/// The full name in which marks know the application: a deployment has one in a tenant, and Auth0 makes up its id.
pub(crate) fn identity(settings: &Settings) -> String {
    format!("https://{}/api/v2/clients", settings.auth0.domain)
}

/// Where the tenant is, by its own domain: `eu` of `acme.eu.auth0.com`
/// (<https://auth0.com/docs/get-started/tenant-settings>); the oldest region has no name there.
pub(crate) fn region(domain: &str) -> &str {
    match domain.strip_suffix(".auth0.com").and_then(|tenant| tenant.split_once('.')) {
        Some((_, region)) => region,
        None if domain.ends_with(".auth0.com") => "us",
        None => "private cloud",
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use provision_core::plan_file::PlanFile;

    /// Settings with these lines in the section.
    pub(crate) fn settings_with(section: &str) -> Settings {
        let deployment = "[deployment]\nname = \"wandb-prod\"\nhost = \"https://wandb.example.com\"\n";
        let text = format!("{deployment}[auth0]\ndomain = \"acme.eu.auth0.com\"\n{section}\n");
        let file = PlanFile::parse("x", text, &|_| None).unwrap();
        let mut problems = file.problems();
        let deployment = provision_core::deployment::Deployment::read(&file, &mut problems);
        let settings = Settings::read(deployment, &file, &mut problems);
        problems.finish().unwrap();
        settings.unwrap()
    }

    #[test]
    fn regions_stand_in_the_domain() {
        assert_eq!(
            ["acme.eu.auth0.com", "acme.auth0.com", "acme.example.com"].map(region),
            ["eu", "us", "private cloud"]
        );
    }
}
