//! The query protocol of STS and IAM: a form in, XML out.

use bytes::Bytes;
use http::Response;

use super::call::Call;
use super::error::{Error, Reply};
use super::wire::REQUEST;

/// The fields of a request; each is taken once, and what is left is not known.
#[derive(Debug)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    pub(super) fn of(call: &Call<'_>) -> Self {
        let fields = url::form_urlencoded::parse(&call.body).into_owned();
        Self(fields.filter(|(name, _)| name != "Action" && name != "Version").collect())
    }

    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let position = self.0.iter().position(|(field, _)| field == name)?;
        Some(self.0.remove(position).1)
    }

    pub(super) fn need(&mut self, name: &str) -> Result<String, Error> {
        let missing = || {
            let message = format!(
                "1 validation error detected: Value null at '{name}' failed to satisfy constraint: Member must not be null"
            );
            Error::new(400, "ValidationError", message)
        };
        self.take(name).filter(|value| !value.is_empty()).ok_or_else(missing)
    }

    /// `Tags.member.1.Key`, `Tags.member.1.Value`, ...
    pub(super) fn take_tags(&mut self) -> Vec<(String, String)> {
        let tag = |number: usize| {
            let key = self.take(&format!("Tags.member.{number}.Key"))?;
            Some((key, self.take(&format!("Tags.member.{number}.Value")).unwrap_or_default()))
        };
        (1..).map_while(tag).collect()
    }

    /// `ActionNames.member.1`, ...
    pub(super) fn take_list(&mut self, name: &str) -> Vec<String> {
        (1..).map_while(|number: usize| self.take(&format!("{name}.member.{number}"))).collect()
    }

    /// `ContextEntries.member.1.ContextKeyName`, and its values, one for each.
    pub(super) fn take_context(&mut self) -> Vec<(String, String)> {
        let entry = |number: usize| {
            let entry = format!("ContextEntries.member.{number}");
            let key = self.take(&format!("{entry}.ContextKeyName"))?;
            self.take(&format!("{entry}.ContextKeyType"));
            let values = self.take_list(&format!("{entry}.ContextKeyValues"));
            Some(values.into_iter().map(move |value| (key.clone(), value)).collect::<Vec<_>>())
        };
        (1..).map_while(entry).flatten().collect()
    }

    /// Refuse what was not taken.
    pub(super) fn end(self) -> Result<(), Error> {
        match self.0.first() {
            Some((name, _)) => Err(Error::unserved(format_args!("the parameter {name}"))),
            None => Ok(()),
        }
    }
}

/// An answer with a result.
pub(super) fn answer(call: &Call<'_>, namespace: &str, result: &str) -> Reply {
    let name = call.name();
    let result = if result.is_empty() { String::new() } else { format!("<{name}Result>{result}</{name}Result>") };
    let body = format!(
        "<{name}Response xmlns=\"{namespace}\">{result}<ResponseMetadata><RequestId>{REQUEST}</RequestId>\
         </ResponseMetadata></{name}Response>"
    );
    let response = Response::builder().header("content-type", "text/xml").header("x-amzn-requestid", REQUEST);
    Ok(response.body(Bytes::from(body)).unwrap_or_default())
}

/// An element with a text.
pub(super) fn element(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", quick_xml::escape::escape(text))
}
