//! Lists of blobs <https://learn.microsoft.com/rest/api/storageservices/list-blobs>.

use data_encoding::BASE64URL_NOPAD;
use quick_xml::escape::escape;

use super::stored::{Blob, prefix};
use crate::azure::accounts::Account;
use crate::azure::call::{Call, http_date, xml};
use crate::azure::refusal::{Refusal, Served};
use crate::azure::{containers, leases};
use crate::state::Transaction;

/// Most entries of a page.
const PAGE: usize = 5_000;

/// What can be asked for besides blobs.
const INCLUDES: [&str; 7] = ["snapshots", "versions", "deleted", "metadata", "uncommittedblobs", "copy", "tags"];

/// What is asked for.
struct Wanted<'a> {
    include: Vec<&'a str>,
    prefix: &'a str,
    delimiter: &'a str,
    size: usize,
    now_ms: u64,
}

/// What is found.
#[derive(Default)]
struct Page {
    entries: String,
    count: usize,
    /// The last key that was looked at.
    last: String,
    /// The last common beginning that was shown.
    beginning: String,
    full: bool,
}

pub(super) fn list(state: &Transaction<'_>, call: &Call<'_>, account: &Account, container: &str) -> Served {
    if containers::get(state, account, container)?.is_none() {
        return Err(Refusal::not_found("ContainerNotFound", "The specified container does not exist."));
    }
    let wanted = Wanted::of(call)?;
    let marker = call.field("marker").unwrap_or_default();
    let page = page(state, &wanted, &prefix(account, container), marker)?;
    let next = if page.full { BASE64URL_NOPAD.encode(page.last.as_bytes()) } else { String::new() };
    let delimiter = match wanted.delimiter {
        "" => String::new(),
        delimiter => format!("<Delimiter>{}</Delimiter>", escape(delimiter)),
    };
    let body = format!(
        "<EnumerationResults ServiceEndpoint=\"https://{}/{}/\" ContainerName=\"{container}\"><Prefix>{}</Prefix>\
         <Marker>{}</Marker><MaxResults>{}</MaxResults>{delimiter}<Blobs>{}</Blobs><NextMarker>{next}</NextMarker>\
         </EnumerationResults>",
        call.addresses.blob,
        account.name,
        escape(wanted.prefix),
        escape(marker),
        wanted.size,
        page.entries
    );
    Ok(xml(200, &body))
}

impl<'a> Wanted<'a> {
    fn of(call: &'a Call<'_>) -> Result<Self, Refusal> {
        let include = call.field("include").unwrap_or_default();
        let include: Vec<&str> = include.split(',').filter(|word| !word.is_empty()).collect();
        if let Some(word) = include.iter().find(|word| !INCLUDES.contains(word)) {
            return Err(Refusal::not_served(&format!("blob:ListBlobs with include={word}")));
        }
        if call.field("showonly").is_some() {
            return Err(Refusal::not_served("blob:ListBlobs with showonly"));
        }
        let size = match call.field("maxresults").map(str::parse::<usize>) {
            None => PAGE,
            Some(Ok(size)) if size > 0 => size.min(PAGE),
            Some(_) => {
                let message =
                    "A query parameter specified in the request URI is outside the permissible range: maxresults.";
                return Err(Refusal::bad_request("OutOfRangeQueryParameterValue", message));
            }
        };
        let field = |name| call.field(name).unwrap_or_default();
        Ok(Self { include, prefix: field("prefix"), delimiter: field("delimiter"), size, now_ms: call.now_ms })
    }

    fn has(&self, word: &str) -> bool {
        self.include.contains(&word)
    }

    /// What a name has in common with others up to the delimiter: they are shown as one.
    fn beginning(&self, name: &str) -> Option<String> {
        let rest = name.strip_prefix(self.prefix).filter(|_| !self.delimiter.is_empty())?;
        let (first, _) = rest.split_once(self.delimiter)?;
        Some(format!("{}{first}{}", self.prefix, self.delimiter))
    }

    fn shows(&self, blob: &Blob, suffix: &str) -> bool {
        let kind = match suffix.chars().next() {
            Some('s') => self.has("snapshots"),
            Some(_) => self.has("versions"),
            None => true,
        };
        kind && (blob.deleted_ms.is_none() || self.has("deleted"))
            && (!blob.uncommitted || self.has("uncommittedblobs"))
    }
}

fn page(state: &Transaction<'_>, wanted: &Wanted<'_>, all: &str, marker: &str) -> Result<Page, Refusal> {
    let after = decoded(marker)?;
    let mut page = Page { beginning: wanted.beginning(&after).unwrap_or_default(), ..Page::default() };
    let from = (!after.is_empty()).then(|| format!("{all}{after}"));
    let start = format!("{all}{}", wanted.prefix);
    for key in state.keys(&start, from.as_deref()) {
        let place = &key[all.len()..];
        let Some((name, suffix)) = place.split_once('\0') else { continue };
        let beginning = wanted.beginning(name);
        if beginning.is_some() && beginning.as_deref() == Some(page.beginning.as_str()) {
            place.clone_into(&mut page.last);
            continue;
        }
        let Some(blob) = state.get::<Blob>(key)?.filter(|blob| wanted.shows(blob, suffix)) else { continue };
        if page.count == wanted.size {
            page.full = true;
            break;
        }
        page.count += 1;
        place.clone_into(&mut page.last);
        page.entries += &match &beginning {
            Some(beginning) => format!("<BlobPrefix><Name>{}</Name></BlobPrefix>", escape(beginning.as_str())),
            None => entry(wanted, name, suffix, &blob),
        };
        page.beginning = beginning.unwrap_or_default();
    }
    Ok(page)
}

fn decoded(marker: &str) -> Result<String, Refusal> {
    let after = BASE64URL_NOPAD.decode(marker.as_bytes()).ok().and_then(|after| String::from_utf8(after).ok());
    after.ok_or_else(|| {
        let message = "Value for one of the query parameters specified in the request URI is invalid: marker.";
        Refusal::bad_request("InvalidQueryParameterValue", message)
    })
}

fn entry(wanted: &Wanted<'_>, name: &str, suffix: &str, blob: &Blob) -> String {
    let element = |name: &str, value: &str| format!("<{name}>{}</{name}>", escape(value));
    let mut text = element("Name", name);
    if blob.deleted_ms.is_some() {
        text += &element("Deleted", "true");
    }
    if let Some(moment) = &blob.snapshot {
        text += &element("Snapshot", moment);
    }
    if let Some(version) = &blob.version {
        text += &element("VersionId", version);
        if suffix.is_empty() {
            text += &element("IsCurrentVersion", "true");
        }
    }
    text += &format!("<Properties>{}</Properties>", properties(wanted.now_ms, blob));
    if wanted.has("metadata") {
        let metadata = blob.metadata.iter().map(|(name, value)| element(name, value));
        text += &format!("<Metadata>{}</Metadata>", metadata.collect::<String>());
    }
    format!("<Blob>{text}</Blob>")
}

fn properties(now_ms: u64, blob: &Blob) -> String {
    let (lease_status, lease_state) = leases::shown(blob.lease.as_ref(), now_ms);
    let header = |name: &str| blob.headers.get(name).map_or("", String::as_str);
    let values = [
        ("Creation-Time", http_date(blob.created_ms)),
        ("Last-Modified", http_date(blob.modified_ms)),
        ("Etag", blob.etag.clone()),
        ("Content-Length", blob.size.to_string()),
        ("Content-Type", blob.content_type.clone()),
        ("Content-Encoding", header("content-encoding").to_owned()),
        ("Content-Language", header("content-language").to_owned()),
        ("Content-MD5", header("content-md5").to_owned()),
        ("Cache-Control", header("cache-control").to_owned()),
        ("Content-Disposition", header("content-disposition").to_owned()),
        ("BlobType", "BlockBlob".to_owned()),
        ("AccessTier", blob.tier.clone().unwrap_or_else(|| "Hot".to_owned())),
        ("LeaseStatus", lease_status.to_owned()),
        ("LeaseState", lease_state.to_owned()),
        ("ServerEncrypted", "true".to_owned()),
    ];
    let mut text: String = values.iter().map(|(name, value)| format!("<{name}>{}</{name}>", escape(value))).collect();
    if let Some(deleted_ms) = blob.deleted_ms {
        text += &format!("<DeletedTime>{}</DeletedTime>", http_date(deleted_ms));
    }
    text
}
