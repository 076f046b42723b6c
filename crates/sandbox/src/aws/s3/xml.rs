//! XML in and out.

use bytes::Bytes;
use http::Response;
use quick_xml::Reader;
use quick_xml::events::Event;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::payload::Payload;
use crate::aws::call::Call;
use crate::aws::error::{Error, Reply};

/// The namespace of S3's documents.
pub(super) const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// An element that says something by being there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Empty {}

/// The document of a request; an element or attribute that is not known is refused by its name.
pub(super) fn input<T: DeserializeOwned>(call: &Call<'_>, root: &str) -> Result<T, Error> {
    let body = Payload::read(call)?.body;
    let text = std::str::from_utf8(&body).map_err(|_| malformed("not UTF-8"))?;
    check_root(text, root)?;
    quick_xml::de::from_str(text).map_err(|error| refused(call, &error.to_string()))
}

/// An element that is not known is told by its name: S3 may know it.
fn refused(call: &Call<'_>, reason: &str) -> Error {
    match reason.split_once("unknown field `").and_then(|(_, rest)| rest.split_once('`')) {
        Some((element, _)) => Error::unserved(format_args!("the element {element} of {}", call.operation)),
        None => malformed(reason),
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList>
pub(super) fn malformed(reason: &str) -> Error {
    let message = "The XML you provided was not well-formed or did not validate against our published schema";
    // S3 never says why.
    Error::new(400, "MalformedXML", message).with_detail("SandboxReason", reason)
}

fn check_root(text: &str, root: &str) -> Result<(), Error> {
    let mut reader = Reader::from_str(text);
    loop {
        match reader.read_event() {
            Ok(Event::Start(element) | Event::Empty(element)) => {
                let found = element.local_name();
                let found = String::from_utf8_lossy(found.as_ref());
                return if found == root { Ok(()) } else { Err(malformed(&format!("{found} in the place of {root}"))) };
            }
            Ok(Event::Eof) => return Err(malformed("there is no element")),
            Ok(_) => {}
            Err(error) => return Err(malformed(&error.to_string())),
        }
    }
}

/// An answer that is a document.
pub(super) fn answer<T: Serialize>(root: &str, document: &T) -> Reply {
    let text = quick_xml::se::to_string_with_root(root, document);
    let text = text.map_err(|error| Error::new(500, "InternalError", error.to_string()))?;
    let body = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{text}");
    Ok(Response::builder().header("content-type", "application/xml").body(Bytes::from(body)).unwrap_or_default())
}

/// An answer without a body.
pub(super) fn nothing(status: u16) -> Reply {
    Ok(Response::builder().status(status).body(Bytes::new()).unwrap_or_default())
}
