//! The settings of a server: what its sections make and what `[server]` says besides, in one list.

use provision_core::output::Output;
use provision_core::server::merged;

use crate::exit::Failure;
use crate::plan_files::ForServer;
use crate::session::Session;

/// Which secrets have their values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Disclosed {
    /// Those of what is made, which are fetched.
    pub(crate) made: bool,
    /// Those that the plan file gives.
    pub(crate) given: bool,
}

/// All of them, HOST once: what all sections say alike is one setting. Where the server is somebody else's, or a section
/// that stands alone does not say it, there is none.
pub(crate) async fn gather(read: &ForServer, session: &Session, disclosed: Disclosed) -> Result<Vec<Output>, Failure> {
    let given = read.server.outputs(disclosed.given);
    // Whoever describes the server has it.
    let host = read.sections.is_empty() || !given.is_empty();
    let mut lists = vec![host.then(|| Output::new("HOST", &read.deployment.host)).into_iter().collect()];
    for section in &read.sections {
        let sealed = section.settings.outputs(&session.connection).await?;
        lists.push(match disclosed.made && sealed.iter().any(Output::is_to_be_asked_for) {
            true => section.settings.reveal(&session.connection).await?,
            false => sealed,
        });
    }
    lists.push(given);
    let several = |name| {
        Failure::Usage(format!(
            "{name} has two values in this plan file; `provision CLOUD output` prints the settings of one section, and \
             [server] gives none that another section has"
        ))
    };
    merged(lists).map_err(several)
}

/// All of them, or the one that is named.
pub(crate) fn chosen(outputs: Vec<Output>, name: Option<&str>) -> Result<Vec<Output>, Failure> {
    let Some(name) = name else { return Ok(outputs) };
    match outputs.iter().find(|output| output.name == name) {
        Some(output) => Ok(vec![output.clone()]),
        None => {
            let names: Vec<_> = outputs.iter().map(|output| output.name.as_str()).collect();
            Err(Failure::Usage(format!("no setting `{name}`; this plan file has {}", names.join(", "))))
        }
    }
}
