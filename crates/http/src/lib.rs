//! Answers over HTTP, as our own clients read them: as far as one can be long, and nothing but an object.

use std::fmt;

use http::HeaderMap;
use provision_core::error::root_cause;
use serde_json::Value;

/// The longest answer that is read: a list of a thousand, or a page of a hundred applications, takes a small part of it.
const LONGEST: usize = 16 << 20;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// The whole of its body.
    pub body: Vec<u8>,
}

/// Why there is none.
#[derive(Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// The request never got there.
    NotSent(String),
    /// Nothing came back, or not all of it.
    Lost(String),
    /// It is longer than an answer can be.
    Endless,
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSent(reason) | Self::Lost(reason) => formatter.write_str(reason),
            Self::Endless => formatter.write_str("it does not end"),
        }
    }
}

impl From<reqwest::Error> for NoAnswer {
    fn from(error: reqwest::Error) -> Self {
        let reason = if error.is_timeout() { "no answer in time".to_owned() } else { root_cause(&error) };
        if error.is_connect() { Self::NotSent(reason) } else { Self::Lost(reason) }
    }
}

/// Send a request once, and read what comes.
///
/// # Errors
///
/// Nothing came, or more than an answer can be.
pub async fn answer(request: reqwest::RequestBuilder) -> Result<Answer, NoAnswer> {
    let mut response = request.send().await?;
    let (status, headers, mut body) = (response.status().as_u16(), response.headers().clone(), Vec::new());
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > LONGEST {
            return Err(NoAnswer::Endless);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, headers, body })
}

/// The object that a body is. What cannot be read says nothing: a proxy in between may have written it.
///
/// # Errors
///
/// It is none; the text says what it is.
pub fn object(body: &[u8]) -> Result<Value, String> {
    let answer = serde_json::from_slice::<Value>(body).map_err(|error| error.to_string())?;
    if answer.is_object() { Ok(answer) } else { Err("it is no object".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_object_is_an_answer() {
        for body in ["", "<html>", "[]", "null", "\"a\"", "{\"a\": "] {
            assert!(object(body.as_bytes()).is_err(), "{body}");
        }
        assert_eq!(object(b"{\"a\": 1}").unwrap()["a"], 1);
    }
}
