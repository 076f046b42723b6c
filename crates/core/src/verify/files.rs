//! The signed upload, and the signed download of the same.

use crate::change_set::ChangeSet;
use crate::error::Error;
use crate::hop::{AGAIN, Hop, HopId};
use crate::probe::Probe;
use crate::provider::Prover;
use crate::web::{Answer, Browser, Request, ask};

use super::browsers::{ALLOW_ORIGIN, EXPOSE_HEADERS, how_to_allow};
use super::mending::Mending;
use super::wanted::Wanted;

/// The header of an answer that pages of the server read.
const ETAG: &str = "ETag";

/// The hop, and how often an upload was sent that may have had its effect.
pub(super) struct Files {
    pub(super) hop: Hop,
    pub(super) uploads: u32,
}

/// Upload the probe as a page does, and download it again.
pub(super) async fn hop(
    prover: &dyn Prover,
    browser: &dyn Browser,
    probe: &Probe,
    wanted: &Wanted,
    set: &ChangeSet,
    mending: &Mending,
) -> Files {
    let mut files = Files { hop: Hop::new(HopId::Files, "signed upload and download"), uploads: 0 };
    let ended = exchanged(&mut files, prover, browser, probe, wanted, (set, mending)).await;
    files.hop = match ended {
        Ok(None) => files.hop,
        Ok(Some(Lack { reason, mend, lacking })) => match (mend.or_else(|| mending.of(HopId::Files)), lacking) {
            // Whoever runs this may not do it: what the server may is not known.
            (None, Some(lacking)) => files.hop.not_proven(reason).mended_by(lacking),
            (mend, _) => files.hop.failed(reason, Some(mend.unwrap_or_else(|| AGAIN.to_owned()))),
        },
        Err(error) => mending.ended(files.hop, &error),
    };
    files
}

/// Why the hop failed, and what mends it where that is known.
struct Lack {
    reason: String,
    mend: Option<String>,
    /// Which right whoever signed it lacks, where everything is as the plan file says.
    lacking: Option<String>,
}

impl Lack {
    /// A request was refused: perhaps whoever signed it may not do that.
    fn refused(what: &str, needs: &[&str], answer: &Answer) -> Self {
        let rights = needs.iter().map(|right| format!("`{right}`")).collect::<Vec<_>>().join(" and ");
        let denied = answer.status == 403 && !needs.is_empty();
        let lacking = denied.then(|| format!("grant {rights} to the identity in use"));
        Self { lacking, ..Self::new(format!("{what} was answered with {}", answer.shown(&[]))) }
    }

    fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), mend: None, lacking: None }
    }
}

async fn exchanged(
    files: &mut Files,
    prover: &dyn Prover,
    browser: &dyn Browser,
    probe: &Probe,
    wanted: &Wanted,
    (set, mending): (&ChangeSet, &Mending),
) -> Result<Option<Lack>, Error> {
    let upload = Request { body: probe.body.clone(), ..prover.signed_upload(probe).await? };
    let download = prover.signed_download(probe).await?;
    let access = prover.browser_access(&probe.key).await?;
    let needs = (upload.needs, download.needs);
    // From here on it may be there, whatever comes back.
    files.uploads = 1;
    let (answer, uploads) = sent(&mut files.hop, browser, upload, &wanted.origin).await?;
    files.uploads = uploads;
    if !answer.is_success() {
        // What is refused has no effect.
        files.uploads = if (400..500).contains(&answer.status) { uploads - 1 } else { uploads };
        return Ok(Some(Lack::refused("the upload", needs.0, &answer)));
    }
    let how = |method: &str| {
        let access = access.as_ref()?;
        let exposes = |header: &String| header == "*" || header.eq_ignore_ascii_case(ETAG);
        Some(match access.rule.expose.iter().any(exposes) {
            true => how_to_allow(access, set, &wanted.origin, method, mending),
            false => format!("add \"{ETAG}\" to `expose` under [{}], then {}", access.table, mending.apply()),
        })
    };
    let unseen = |answer: &Answer, method: &str| {
        unseen_by_pages(answer, &wanted.origin)
            .map(|reason| Lack { mend: how(method), ..Lack::new(format!("{method}: {reason}")) })
    };
    if let Some(lack) = unseen(&answer, "PUT") {
        return Ok(Some(lack));
    }
    let (answer, _) = sent(&mut files.hop, browser, download, &wanted.origin).await?;
    Ok(match answer.status {
        // What was just uploaded is there, unless somebody removed it.
        404 => Some(Lack::new(
            "the upload is not there any more: another `verify` of this deployment is under way, or somebody removed it",
        )),
        _ if !answer.is_success() => Some(Lack::refused("the download", needs.1, &answer)),
        _ if answer.body != probe.body => Some(Lack::new("what was downloaded is not what was uploaded")),
        _ => unseen(&answer, "GET"),
    })
}

async fn sent(hop: &mut Hop, browser: &dyn Browser, request: Request, origin: &str) -> Result<(Answer, u32), Error> {
    let request = request.with_header("origin", origin);
    let answer = ask(browser, &request).await;
    let came =
        answer.as_ref().map_or_else(ToString::to_string, |(answer, _)| answer.shown(&[ALLOW_ORIGIN, EXPOSE_HEADERS]));
    hop.exchange(format!("{} from {origin}", request.shown()), came);
    answer
}

/// What of the answer itself a browser keeps from the page.
fn unseen_by_pages(answer: &Answer, origin: &str) -> Option<String> {
    if !answer.lists(ALLOW_ORIGIN, origin) {
        return Some("the answer does not allow the origin, so that the page is not shown it".to_owned());
    }
    (!answer.lists(EXPOSE_HEADERS, ETAG)).then(|| format!("the answer does not let the page read its {ETAG}"))
}
