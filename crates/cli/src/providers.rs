//! The providers, clouds and Slack: one row each, and the only file that names one.

use std::collections::BTreeMap;

use clap::{Subcommand, ValueEnum};
use provision_auth0 as auth0;
use provision_aws as aws;
use provision_azure as azure;
use provision_core::deployment::Deployment;
use provision_core::plan_file::{PlanFile, Problems};
use provision_core::provider;
use provision_core::server::{self, ServerSection};
use provision_gcp as gcp;
use provision_sandbox::{EmulatorKind, Error, Sandbox};
use provision_slack as slack;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// A cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProviderId {
    /// Amazon Web Services.
    Aws,
    /// Google Cloud.
    Gcp,
    /// Microsoft Azure.
    Azure,
    /// Auth0.
    Auth0,
    /// Slack.
    Slack,
}

/// Something to do in a cloud; `Z` is what can be done in Azure, and `S` in a section that has no file store.
#[derive(Debug, Subcommand)]
pub(crate) enum InCloud<A: Subcommand, Z: Subcommand, S: Subcommand> {
    /// Amazon Web Services.
    #[command(subcommand)]
    Aws(A),
    /// Google Cloud.
    #[command(subcommand)]
    Gcp(A),
    /// Microsoft Azure.
    #[command(subcommand)]
    Azure(Z),
    /// Auth0, for signing in.
    #[command(subcommand)]
    Auth0(S),
}

impl<A: Subcommand, Z: Subcommand, S: Subcommand> InCloud<A, Z, S> {
    /// The cloud and what to do there.
    pub(crate) fn parts(self) -> (ProviderId, Z)
    where
        A: From<S>,
        Z: From<A>,
    {
        match self {
            Self::Aws(action) => (ProviderId::Aws, action.into()),
            Self::Gcp(action) => (ProviderId::Gcp, action.into()),
            Self::Azure(action) => (ProviderId::Azure, action),
            Self::Auth0(action) => (ProviderId::Auth0, A::from(action).into()),
        }
    }
}

/// The settings of a checked plan file, whichever cloud they are for.
pub(crate) type Settings = Box<dyn provider::ProviderConfig>;

/// What a plan file takes for granted, by name.
pub(crate) type Prerequisites = BTreeMap<&'static str, String>;

type Seed = fn(&Sandbox, &dyn Fn(&str) -> Option<String>) -> Result<(), Error>;

/// What the command line has to know of a cloud.
struct Row {
    /// The first word of its commands, its section and its addresses.
    name: &'static str,
    /// What people call it.
    title: &'static str,
    /// What it calls that which pays.
    account: &'static str,
    /// What it calls the place where its things are.
    region: &'static str,
    /// What is looked at and written in it.
    whole: &'static str,
    /// A commented plan file to begin with.
    example: &'static str,
    /// The same for a server that is somebody else's.
    example_byob: Option<&'static str>,
    /// The schema of its section.
    schema: fn(&mut SchemaGenerator) -> Schema,
    /// Reads and checks its section.
    read: fn(Option<Deployment>, &PlanFile, &mut Problems) -> Option<Settings>,
    /// Reads the settings that a saved change set carries.
    restore: fn(Value) -> Option<Settings>,
    /// Its copy in the sandbox.
    emulator: EmulatorKind,
    /// Makes there what a plan file takes for granted.
    seed: Seed,
}

static AWS: Row = Row {
    name: "aws",
    title: "AWS",
    account: "account",
    region: "region",
    whole: "the cloud",
    example: include_str!("../../../plans/aws.toml"),
    example_byob: Some(include_str!("../../../plans/aws-byob.toml")),
    schema: aws::AwsSection::json_schema,
    read: |deployment, file, problems| Some(Box::new(aws::Settings::read(deployment, file, problems)?)),
    restore: restore::<aws::Settings>,
    emulator: EmulatorKind::Aws,
    seed: |sandbox, given| {
        let (account, region) = (given("account"), given("region"));
        let (account, region) = (account.as_deref().unwrap_or(ACCOUNT), region.as_deref().unwrap_or(REGION));
        sandbox.seed_aws(account, region, given("role").as_deref())
    },
};

static GCP: Row = Row {
    name: "gcp",
    title: "Google Cloud",
    account: "project",
    region: "location",
    whole: "the cloud",
    example: include_str!("../../../plans/gcp.toml"),
    example_byob: Some(include_str!("../../../plans/gcp-byob.toml")),
    schema: gcp::GcpSection::json_schema,
    read: |deployment, file, problems| Some(Box::new(gcp::Settings::read(deployment, file, problems)?)),
    restore: restore::<gcp::Settings>,
    emulator: EmulatorKind::Google,
    seed: |sandbox, given| {
        let members = given("members").unwrap_or_default();
        let mut accounts = members.split(' ').filter_map(|member| member.strip_prefix("serviceAccount:"));
        accounts.try_for_each(|email| sandbox.seed_google(project_of(email), Some(email)))?;
        sandbox.seed_google(&given("project").unwrap_or_default(), given("service_account").as_deref())
    },
};

static AZURE: Row = Row {
    name: "azure",
    title: "Azure",
    account: "subscription",
    region: "location",
    whole: "the cloud",
    example: include_str!("../../../plans/azure.toml"),
    example_byob: Some(include_str!("../../../plans/azure-byob.toml")),
    schema: azure::AzureSection::json_schema,
    read: |deployment, file, problems| Some(Box::new(azure::Settings::read(deployment, file, problems)?)),
    restore: restore::<azure::Settings>,
    emulator: EmulatorKind::Azure,
    seed: |sandbox, given| {
        let subscription = given("subscription").unwrap_or_default();
        sandbox.seed_azure(&subscription, TENANT, None)?;
        let principals = given("principals").unwrap_or_default();
        principals.split_whitespace().try_for_each(|id| sandbox.seed_azure(&subscription, TENANT, Some(id)))?;
        // `verify` works on blobs and queues.
        sandbox.seed_azure_data_roles(&subscription)?;
        let (account, location) = (given("account"), given("location"));
        let location = location.as_deref().unwrap_or(LOCATION);
        match given("resource_group") {
            Some(group) => sandbox.seed_azure_group(&subscription, &group, account.as_deref(), location),
            None => Ok(()),
        }
    },
};

static AUTH0: Row = Row {
    name: "auth0",
    title: "Auth0",
    account: "tenant",
    region: "region",
    whole: "the application",
    example: include_str!("../../../plans/auth0.toml"),
    example_byob: None,
    schema: auth0::Auth0Section::json_schema,
    read: |deployment, file, problems| Some(Box::new(auth0::Settings::read(deployment, file, problems)?)),
    restore: restore::<auth0::Settings>,
    emulator: EmulatorKind::Auth0,
    seed: |sandbox, given| sandbox.seed_auth0(&given("domain").unwrap_or_default(), None),
};

static SLACK: Row = Row {
    name: "slack",
    title: "Slack",
    account: "app",
    region: "service",
    whole: "the app",
    example: include_str!("../../../plans/slack.toml"),
    example_byob: None,
    schema: slack::SlackSection::json_schema,
    read: |deployment, file, problems| Some(Box::new(slack::Settings::read(deployment, file, problems)?)),
    restore: restore::<slack::Settings>,
    emulator: EmulatorKind::Slack,
    seed: |_, _| Ok(()),
};

/// The project of a service account of Google's: `<name>@<project>.iam.gserviceaccount.com`.
fn project_of(email: &str) -> &str {
    email.split(['@', '.']).nth(1).unwrap_or_default()
}

/// The account of a plan file that names none.
const ACCOUNT: &str = "123456789012";
/// The region of a plan file that names none.
const REGION: &str = "eu-west-1";
/// Where a group is that a plan file with no location uses.
const LOCATION: &str = "westeurope";
/// The directory of the sandbox's subscriptions.
const TENANT: &str = "72f988bf-0000-4000-8000-000000000000";

fn restore<S: provider::ProviderConfig + DeserializeOwned + 'static>(settings: Value) -> Option<Settings> {
    Some(Box::new(serde_json::from_value::<S>(settings).ok()?))
}

impl ProviderId {
    /// Every provider, in the order of the documentation.
    pub(crate) const ALL: [Self; 5] = [Self::Aws, Self::Gcp, Self::Azure, Self::Auth0, Self::Slack];

    const fn row(self) -> &'static Row {
        match self {
            Self::Aws => &AWS,
            Self::Gcp => &GCP,
            Self::Azure => &AZURE,
            Self::Auth0 => &AUTH0,
            Self::Slack => &SLACK,
        }
    }

    /// The cloud of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cloud| cloud.name() == name)
    }

    /// The first word of its commands, its section and its addresses.
    pub(crate) const fn name(self) -> &'static str {
        self.row().name
    }

    /// What people call it.
    pub(crate) const fn title(self) -> &'static str {
        self.row().title
    }

    /// What it calls that which pays, and where its things are.
    pub(crate) const fn nouns(self) -> (&'static str, &'static str) {
        (self.row().account, self.row().region)
    }

    /// What is looked at and written in it.
    pub(crate) const fn whole(self) -> &'static str {
        self.row().whole
    }

    /// A text about any of them as it is about this one.
    pub(crate) fn in_its_words(self, text: &str) -> String {
        text.replace("the cloud", self.whole()).replace("plans/CLOUD.toml", &format!("plans/{self}.toml"))
    }

    /// A commented plan file to begin with.
    pub(crate) const fn example(self) -> &'static str {
        self.row().example
    }

    /// The same for a server that is somebody else's.
    pub(crate) const fn example_byob(self) -> Option<&'static str> {
        self.row().example_byob
    }

    /// Read and check its section of a plan file.
    pub(crate) fn read(
        self,
        deployment: Option<Deployment>,
        file: &PlanFile,
        problems: &mut Problems,
    ) -> Option<Settings> {
        (self.row().read)(deployment, file, problems)
    }

    /// The settings that a saved change set carries.
    pub(crate) fn restore(self, settings: Value) -> Option<Settings> {
        (self.row().restore)(settings)
    }

    /// Its copy in the sandbox.
    pub(crate) const fn emulator(self) -> EmulatorKind {
        self.row().emulator
    }

    /// Make in the sandbox what a plan file takes for granted.
    pub(crate) fn seed(self, sandbox: &Sandbox, given: &Prerequisites) -> Result<(), Error> {
        (self.row().seed)(sandbox, &|name| given.get(name).cloned())
    }
}

impl std::fmt::Display for ProviderId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(self.name())
    }
}

/// The JSON Schema of a plan file, for editors.
pub(crate) fn schema() -> Value {
    schema_with(|generator| ProviderId::ALL.map(|cloud| (cloud.name(), (cloud.row().schema)(generator))).to_vec())
}

/// The schema (draft 7, which TOML editors read) of a file with `[deployment]` and these cloud sections.
fn schema_with(section: impl Fn(&mut SchemaGenerator) -> Vec<(&'static str, Schema)>) -> Value {
    let mut generator = schemars::generate::SchemaSettings::draft07().into_generator();
    let deployment = Deployment::json_schema(&mut generator);
    let server = ServerSection::json_schema(&mut generator);
    let own = [("deployment", deployment), (server::SECTION, server)];
    let mut properties: Map<_, _> = own.map(|(key, schema)| (key.to_owned(), schema.to_value())).into_iter().collect();
    properties.extend(section(&mut generator).into_iter().map(|(key, schema)| (key.to_owned(), schema.to_value())));
    let definitions = generator.take_definitions(false);
    let mut schema = json_schema!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "provision plan file",
        "description": "The file store of one Weights & Biases server.",
        "type": "object",
        "required": ["deployment"],
        "additionalProperties": false,
        "properties": properties,
        "definitions": definitions,
    });
    // Draft 7 ignores what stands beside a `$ref`, a description or default say; the settings' transforms wrap it.
    generator.transforms_mut().for_each(|transform| transform.transform(&mut schema));
    schema.to_value()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::json;

    #[derive(Deserialize, JsonSchema, Default)]
    struct Inner {}

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its shape matters")]
    struct Outer {
        /// What editors show.
        #[serde(default)]
        inner: Inner,
    }

    #[test]
    fn schema_keeps_descriptions_beside_references() {
        let schema = schema_with(|generator| vec![("x", Outer::json_schema(generator))]);
        let inner = &schema["properties"]["x"]["properties"]["inner"];
        assert_eq!(inner["description"], "What editors show.");
        assert_eq!(inner["allOf"][0]["$ref"], "#/definitions/Inner");
        assert_eq!(schema["required"], json!(["deployment"]));
    }
}
