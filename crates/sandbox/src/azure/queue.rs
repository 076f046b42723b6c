//! The Queue service <https://learn.microsoft.com/rest/api/storageservices/queue-service-rest-api>.

mod messages;

use quick_xml::escape::escape;

use crate::azure::accounts::Account;
use crate::azure::blob::known;
use crate::azure::call::{Call, empty, with, xml};
use crate::azure::data_access::{self, Need, Place};
use crate::azure::properties::{self, Metadata};
use crate::azure::refusal::{Refusal, Served};
use crate::azure::{names, queues};
use crate::state::Transaction;

pub(super) use messages::{count, enqueue, remove_all};

/// The operations that are served, with the permission that each needs, in the letter of a shared access signature.
const OPERATIONS: [(&str, char); 12] = [
    ("ListQueues", 'l'),
    ("GetQueueServiceProperties", 's'),
    ("CreateQueue", 'c'),
    ("DeleteQueue", 'd'),
    ("GetQueueMetadata", 'r'),
    ("SetQueueMetadata", 'w'),
    ("PutMessage", 'a'),
    ("GetMessages", 'p'),
    ("PeekMessages", 'r'),
    ("DeleteMessage", 'p'),
    ("ClearMessages", 'd'),
    ("UpdateMessage", 'u'),
];

/// Headers that are known, besides `x-ms-meta-...`.
const HEADERS: [&str; 5] =
    ["x-ms-client-request-id", "x-ms-date", "x-ms-return-client-request-id", "x-ms-useragent", "x-ms-version"];

/// Fields of a query that are known, besides those of a shared access signature.
const FIELDS: [&str; 12] = [
    "restype",
    "comp",
    "prefix",
    "marker",
    "maxresults",
    "include",
    "timeout",
    "numofmessages",
    "peekonly",
    "visibilitytimeout",
    "messagettl",
    "popreceipt",
];

/// Most entries of a page.
const PAGE: usize = 5_000;

pub(super) fn serve(state: &mut Transaction<'_>, call: &Call<'_>, name: &str) -> Served {
    let place = Place::of(call);
    let Some((_, permission)) = OPERATIONS.iter().find(|(operation, _)| *operation == name) else {
        return Err(Refusal::not_served(&format!("queue:{name}")));
    };
    known(call, &HEADERS, &FIELDS)?;
    let need = Need { queue: true, permission: *permission, public: false };
    let account = data_access::permit(state, call, &place, need)?;
    let queue = place.container.as_str();
    match name {
        "ListQueues" => list(state, call, &account),
        "GetQueueServiceProperties" => Ok(settings()),
        "CreateQueue" => create(state, call, &account, queue),
        "DeleteQueue" => {
            existing(state, &account, queue)?;
            queues::remove(state, call, &account, queue)?;
            Ok(empty(204))
        }
        "GetQueueMetadata" => get(state, call, &account, queue),
        "SetQueueMetadata" => {
            existing(state, &account, queue)?;
            queues::write(state, &account, queue, metadata(call)?)?;
            Ok(empty(204))
        }
        _ => {
            existing(state, &account, queue)?;
            messages::serve(state, call, &account, &place, name)
        }
    }
}

/// The same queue with the same metadata can be created again
/// <https://learn.microsoft.com/rest/api/storageservices/create-queue4>.
fn create(state: &mut Transaction<'_>, call: &Call<'_>, account: &Account, name: &str) -> Served {
    names::stored(name)?;
    queues::free(state, call, account, name)?;
    let metadata = metadata(call)?;
    match queues::get(state, account, name)? {
        Some(queue) if queue.metadata == metadata => Ok(empty(204)),
        Some(_) => Err(Refusal::conflict("QueueAlreadyExists", "The specified queue already exists.")),
        None => {
            queues::write(state, account, name, metadata)?;
            Ok(empty(201))
        }
    }
}

/// <https://learn.microsoft.com/rest/api/storageservices/get-queue-metadata>
fn get(state: &Transaction<'_>, call: &Call<'_>, account: &Account, name: &str) -> Served {
    let metadata = existing(state, account, name)?;
    let count = messages::count(state, call, account, name)?.to_string();
    let mut answer = with(empty(200), &[("x-ms-approximate-messages-count", &count)]);
    for (name, value) in metadata {
        answer = with(answer, &[(&format!("x-ms-meta-{}", name.to_ascii_lowercase()), &value)]);
    }
    Ok(answer)
}

/// <https://learn.microsoft.com/rest/api/storageservices/list-queues1>
fn list(state: &Transaction<'_>, call: &Call<'_>, account: &Account) -> Served {
    let prefix = call.field("prefix").unwrap_or_default();
    let marker = call.field("marker").unwrap_or_default();
    let size = call.field("maxresults").and_then(|size| size.parse().ok()).unwrap_or(PAGE).clamp(1, PAGE);
    let shown = call.field("include").unwrap_or_default().split(',').any(|word| word == "metadata");
    let mut left = queues::all(state, account)?
        .into_iter()
        .filter(|queue| queue.name.starts_with(prefix) && queue.name.as_str() > marker);
    let found: Vec<_> = left.by_ref().take(size).collect();
    let next = found.last().map(|queue| queue.name.clone()).filter(|_| left.next().is_some());
    let entries = found.iter().map(|queue| {
        let values = queue.metadata.iter().map(|(name, value)| format!("<{name}>{}</{name}>", escape(value)));
        let metadata =
            if shown { format!("<Metadata>{}</Metadata>", values.collect::<String>()) } else { String::new() };
        format!("<Queue><Name>{}</Name>{metadata}</Queue>", queue.name)
    });
    let body = format!(
        "<EnumerationResults ServiceEndpoint=\"https://{}/{}/\"><Prefix>{}</Prefix><Marker>{}</Marker><MaxResults>{size}\
         </MaxResults><Queues>{}</Queues><NextMarker>{}</NextMarker></EnumerationResults>",
        call.addresses.queue,
        account.name,
        escape(prefix),
        escape(marker),
        entries.collect::<String>(),
        next.unwrap_or_default()
    );
    Ok(xml(200, &body))
}

/// <https://learn.microsoft.com/rest/api/storageservices/get-queue-service-properties>
fn settings() -> http::Response<bytes::Bytes> {
    let off =
        "<Version>1.0</Version><Enabled>false</Enabled><RetentionPolicy><Enabled>false</Enabled></RetentionPolicy>";
    let body = format!(
        "<StorageServiceProperties><Logging><Version>1.0</Version><Read>false</Read><Write>false</Write>\
         <Delete>false</Delete><RetentionPolicy><Enabled>false</Enabled></RetentionPolicy></Logging>\
         <HourMetrics>{off}</HourMetrics><MinuteMetrics>{off}</MinuteMetrics><Cors/></StorageServiceProperties>"
    );
    xml(200, &body)
}

fn existing(state: &Transaction<'_>, account: &Account, name: &str) -> Result<Metadata, Refusal> {
    let queue = queues::get(state, account, name)?;
    queue
        .map(|queue| queue.metadata)
        .ok_or_else(|| Refusal::not_found("QueueNotFound", "The specified queue does not exist."))
}

fn metadata(call: &Call<'_>) -> Result<Metadata, Refusal> {
    let headers = call.request.headers().keys().filter_map(|name| name.as_str().strip_prefix("x-ms-meta-"));
    let value = |name: &str| call.header(&format!("x-ms-meta-{name}")).unwrap_or_default().to_owned();
    let metadata = headers.map(|name| (name.to_owned(), value(name))).collect();
    properties::metadata(&metadata)?;
    Ok(metadata)
}
