//! The settings for the server, what deserves a warning each time, and what is left to the user.

use provision_core::Error;
use provision_core::output::{Output, OutputSource, Setting};
use provision_core::retention;

use crate::blockers::missing;
use crate::client::Reader;
use crate::config::{AccountSection, FederationSection, Settings};
use crate::names::{EVENT_GRID, Names, Part};
use crate::resources::cors::CorsFacet;
use crate::resources::{Facets as _, access};

/// The settings for the server.
pub(crate) fn outputs(settings: &Settings, key: Setting) -> Vec<Output> {
    let azure = &settings.azure;
    let account = &azure.account.name;
    let queue = match azure.queue.enabled {
        true => format!("az://{account}/{}", settings.queue_name()),
        false => "internal://".to_owned(),
    };
    let bucket = Output::new("BUCKET", format!("az://{account}/{}", azure.container.name));
    if settings.is_hosted_elsewhere() {
        return vec![bucket];
    }
    vec![
        Output::new("HOST", &settings.deployment.host),
        bucket,
        Output::new("BUCKET_QUEUE", queue),
        Output { name: "AZURE_STORAGE_KEY".to_owned(), value: key },
    ]
}

/// What decides each. The host is known by the CORS rule alone, and not where that has origins of its own; which of the keys was
/// given out is nowhere on record.
pub(crate) fn sources(settings: &Settings) -> Vec<(&'static str, OutputSource)> {
    let (address, facet) = (Part::Cors.address(), CorsFacet::Rule.name());
    let origins = || OutputSource::Field { address, facet, field: "origins" };
    let host = settings.azure.cors.origins.is_none().then(|| ("HOST", origins()));
    let part = |part: Part| OutputSource::Part(part.address());
    let mut others = vec![("BUCKET", part(Part::Container)), ("BUCKET_QUEUE", part(Part::Queue))];
    if settings.azure.account.create {
        others.push(("AZURE_STORAGE_KEY", part(Part::Account)));
    }
    host.into_iter().chain(others).collect()
}

/// The key that the plan file picks; none where shared keys are disabled, since a request signed with one is refused then: a server
/// with an identity does without
/// (<https://learn.microsoft.com/azure/storage/common/shared-key-authorization-prevent>).
pub(crate) async fn key(reader: &Reader, settings: &Settings, names: &Names) -> Result<Setting, Error> {
    let id = names.account_id();
    let found = reader.get_account(&id).await?.ok_or_else(|| missing(names))?;
    if !found.allows_shared_keys() {
        let reason = format!("shared keys are disabled on storage account `{}`", names.account);
        return Ok(match &settings.azure.access {
            Some(_) => Setting::Unneeded(format!("{reason}, and the server signs in as its identity")),
            None => Setting::Unavailable(format!("{reason}; give the server an identity ([azure.access]) instead")),
        });
    }
    let name = settings.azure.account.key.as_str();
    let key = reader.list_keys(&id, name).await?;
    Ok(key.map_or_else(|| Setting::Unavailable(format!("the account has no key `{name}`")), Setting::Revealed))
}

/// What the look found that the plan file leaves open.
pub(crate) fn warnings(settings: &Settings, unregistered: bool, leftover_mark: bool, unlisted: bool) -> Vec<String> {
    let unregistered = unregistered.then(|| {
        format!(
            "{EVENT_GRID} is not registered in this subscription: apply registers it, which takes minutes and needs \
             `{EVENT_GRID}/register/action`"
        )
    });
    let leftover = leftover_mark.then(|| {
        format!(
            "storage account `{}` carries this deployment's tags of an earlier `create = true`: with `create = false` it \
             is used, never deleted, and they are left alone; with `create = true` it is this deployment's again",
            settings.azure.account.name
        )
    });
    let unlisted = unlisted.then(|| {
        "storage accounts cannot be listed (`Microsoft.Storage/storageAccounts/read` on the subscription or the resource \
         group): one of a former name is not found"
            .to_owned()
    });
    let account = &settings.azure.account;
    let kept = account.soft_delete_days.and_then(|days| soft_delete(account, days));
    let queue = format!("queue `{}`", settings.queue_name());
    let brief = retention::warning(&queue, "message_ttl_s", settings.azure.events.message_ttl_s);
    let azure = &settings.azure;
    let brief = brief.filter(|_| azure.queue.enabled);
    let unread = (azure.queue.enabled && settings.is_hosted_elsewhere()).then(|| {
        format!(
            "{queue} is read by nobody: the server of somebody else uses a queue of its own (`enabled = false` under [azure.queue])"
        )
    });
    let of_account = unregistered.into_iter().chain(leftover).chain(unlisted).chain(kept);
    of_account.chain(brief).chain(unread).collect()
}

/// An account that is to keep nothing, or is not ours to say it of.
fn soft_delete(account: &AccountSection, days: u32) -> Option<String> {
    let name = &account.name;
    match (account.create, days) {
        (true, 0) => Some(format!(
            "what is deleted from storage account `{name}` cannot be restored, and W&B's own check asks for soft deletion \
             (`soft_delete_days = 0`)"
        )),
        (true, _) => None,
        (false, _) => Some(format!(
            "`soft_delete_days` under [azure.account] is not written: storage account `{name}` is shared (`create = false`), and \
             its owner says what it keeps"
        )),
    }
}

/// The commands that give a server its rights, where the plan file names no identity that would get them; or that let a server of
/// somebody else's sign in as the identity.
pub(crate) fn next_steps(settings: &Settings, names: &Names) -> Option<String> {
    let commands = || {
        format!(
            "The server signs with AZURE_STORAGE_KEY, or its identity needs these roles ([azure.access] would assign \
             them):\n{}",
            access::commands(&access::assigned(settings, names)).join("\n")
        )
    };
    let federation = settings.azure.access.as_ref().and_then(|access| access.federation.as_ref());
    let several = settings.principals().len() > 1;
    settings.azure.access.is_none().then(commands).or(federation.map(|federation| credentials(federation, several)))
}

/// One credential for each subject
/// (<https://learn.microsoft.com/entra/workload-id/workload-identity-federation-create-trust-user-assigned-managed-identity>).
fn credentials(federation: &FederationSection, several: bool) -> String {
    let issuer = &federation.issuer;
    let identity = "\"$IDENTITY\" --resource-group \"$IDENTITY_GROUP\"";
    let command = |(number, subject): (usize, &String)| {
        format!(
            "az identity federated-credential create --name wandb-{} --identity-name {identity} --issuer '{issuer}' --subject \
             '{subject}' --audiences api://AzureADTokenExchange",
            number + 1
        )
    };
    let whom = if several { "one of the identities, each of which needs" } else { "the identity, which needs" };
    let commands: Vec<_> = federation.subjects.iter().enumerate().map(command).collect();
    format!(
        "The server signs in as {whom} these credentials; W&B asks for the ids that the last line prints:\n{}\n\
         az identity show --name {identity} --query '{{tenant: tenantId, client: clientId}}'",
        commands.join("\n")
    )
}
