//! The one error type of every cloud: what was tried, on what, why it failed, and what to do next.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize, Serializer};

use crate::address::Address;
use crate::printable::{indented, on_one_line};
use crate::trace::text_without_secrets;

/// What went wrong, in the same few words for every cloud. Decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The thing does not exist.
    NotFound,
    /// The name is taken.
    AlreadyExists,
    /// The caller lacks a permission.
    PermissionDenied,
    /// No credentials, expired ones, or those of another account.
    Unauthenticated,
    /// The service asked to slow down.
    RateLimited,
    /// Another change is under way on the same thing.
    Conflict,
    /// A quota or limit of the account is reached.
    QuotaExceeded,
    /// The service refused the request's content.
    InvalidInput,
    /// The service or endpoint does not offer the operation.
    Unsupported,
    /// The service could not be reached or did not answer in time.
    Unavailable,
    /// A plan file has problems.
    PlanFile,
    /// We will not do it: not ours, protected, not empty.
    Refused,
    /// The cloud or a saved change set is not what it was when the change set was made.
    Stale,
    /// The command was told to stop.
    Interrupted,
    /// Anything else; often our bug.
    Unexpected,
}

impl ErrorKind {
    /// The words of this kind in a message.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Self::NotFound => "not found",
            Self::AlreadyExists => "the name is taken",
            Self::PermissionDenied => "permission denied",
            Self::Unauthenticated => "the credentials were not accepted",
            Self::RateLimited => "the service asked to slow down",
            Self::Conflict => "another change is under way",
            Self::QuotaExceeded => "a quota is reached",
            Self::InvalidInput => "the service refused the request",
            Self::Unsupported => "the service does not offer this operation",
            Self::Unavailable => "the service did not answer",
            Self::PlanFile => "the plan file has problems",
            Self::Refused => "refused",
            Self::Stale => "changed in the meantime",
            Self::Interrupted => "interrupted",
            Self::Unexpected => "unexpected answer",
        }
    }
}

/// Whether and how trying again can help. The only thing that [`crate::retry`] looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RetryClass {
    /// Trying again gives the same answer.
    Final,
    /// The service asked to slow down, perhaps saying for how long.
    Throttled(Option<Duration>),
    /// A dropped connection, a time-out, an internal error of the service.
    Transient,
    /// Another write to the same thing was under way: read again, then one write at a time.
    Conflict,
    /// The service has not caught up with an earlier write; it is known how long that may take.
    Settling {
        /// What is waited for, for people.
        reason: &'static str,
        /// How long the vendor says it may take.
        budget: Duration,
    },
}

impl RetryClass {
    /// What is waited for and how long it may take, where waiting alone helps.
    #[must_use]
    pub const fn settling(&self) -> Option<(&'static str, Duration)> {
        match self {
            Self::Settling { reason, budget } => Some((*reason, *budget)),
            _ => None,
        }
    }

    /// The same, after the time that the service asks for.
    #[must_use]
    pub fn after(self, asked: Option<Duration>) -> Self {
        match (self, asked) {
            (Self::Throttled(_), Some(asked)) => Self::Throttled(Some(asked)),
            (class, _) => class,
        }
    }
}

/// What an answer means that has no code of the service's: those of proxies, of load balancers and to `HEAD`
/// (<https://www.rfc-editor.org/rfc/rfc9110#section-15>).
#[must_use]
pub const fn by_status(status: u16) -> (ErrorKind, RetryClass) {
    match status {
        401 => (ErrorKind::Unauthenticated, RetryClass::Final),
        403 => (ErrorKind::PermissionDenied, RetryClass::Final),
        404 => (ErrorKind::NotFound, RetryClass::Final),
        408 => (ErrorKind::Unavailable, RetryClass::Transient),
        409 | 412 => (ErrorKind::Conflict, RetryClass::Final),
        429 => (ErrorKind::RateLimited, RetryClass::Throttled(None)),
        501 => (ErrorKind::Unsupported, RetryClass::Final),
        500.. => (ErrorKind::Unavailable, RetryClass::Transient),
        300.. => (ErrorKind::InvalidInput, RetryClass::Final),
        _ => (ErrorKind::Unexpected, RetryClass::Final),
    }
}

/// The reason at the end of an error's chain: the outer ones only say that sending failed.
#[must_use]
pub fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(error), |error| error.source()).last().unwrap_or(error).to_string()
}

/// `None` where an error says that the thing is not there.
///
/// # Errors
///
/// Any other.
pub fn absent_if<T>(result: Result<T, Error>, is_absent: impl FnOnce(&Error) -> bool) -> Result<Option<T>, Error> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// An error of one call or of one resource.
#[derive(Clone, Debug, thiserror::Error)]
pub struct Error {
    details: Box<Details>,
}

#[derive(Clone, Debug)]
struct Details {
    kind: ErrorKind,
    retry: RetryClass,
    tried: String,
    /// Whether `tried` is the whole text, of an error that another run told.
    is_told: bool,
    address: Option<Address>,
    plan_file: Option<String>,
    section: Option<(String, String)>,
    line: Option<usize>,
    operation: Option<String>,
    status: Option<u16>,
    code: Option<String>,
    message: Option<String>,
    request_id: Option<String>,
    attempts: u32,
    elapsed: Option<Duration>,
    hint: Option<String>,
    look_first: bool,
}

impl Error {
    /// What no version of ours ever asks for: a facet that there is none of, a value that no request can be made from.
    #[must_use]
    pub fn bug(what: &str) -> Self {
        Self::new(ErrorKind::Unexpected, format!("{what}: this is a bug in provision"))
    }

    /// An error of that kind; `tried` says what was tried, on what, and reads after "cannot" ("create bucket `b`").
    #[must_use]
    pub fn new(kind: ErrorKind, tried: impl Into<String>) -> Self {
        let details = Details {
            kind,
            retry: RetryClass::Final,
            tried: tried.into(),
            is_told: false,
            address: None,
            plan_file: None,
            section: None,
            line: None,
            operation: None,
            status: None,
            code: None,
            message: None,
            request_id: None,
            attempts: 1,
            elapsed: None,
            hint: None,
            look_first: false,
        };
        Self { details: Box::new(details) }
    }

    /// An error that another run told, in all its words.
    #[must_use]
    pub fn told(kind: ErrorKind, text: &str) -> Self {
        let mut error = Self::new(kind, text);
        error.details.is_told = true;
        error
    }

    /// Say what to do next.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.details.hint = Some(hint.into());
        self
    }

    /// Say why, in the service's or our own words.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.details.message = Some(message.into()).filter(|message| !message.is_empty());
        self
    }

    /// Say that the same command is not to be run again before somebody did what the hint says.
    #[must_use]
    pub fn look_first(mut self) -> Self {
        self.details.look_first = true;
        self
    }

    /// Whether the same command is not to be run again before that.
    #[must_use]
    pub fn asks_to_look_first(&self) -> bool {
        self.details.look_first
    }

    /// Replace what was tried by words that fit the caller's task.
    #[must_use]
    pub fn tried(mut self, tried: impl Into<String>) -> Self {
        self.details.tried = tried.into();
        self
    }

    /// Name the API operation (`s3:PutBucketCors`).
    #[must_use]
    pub fn with_operation(mut self, operation: impl Into<String>) -> Self {
        self.details.operation = Some(operation.into());
        self
    }

    /// Add what the service answered.
    #[must_use]
    pub fn with_response(mut self, status: Option<u16>, code: Option<&str>, request_id: Option<&str>) -> Self {
        self.details.status = status;
        self.details.code = code.map(str::to_owned);
        self.details.request_id = request_id.map(str::to_owned);
        self
    }

    /// Set whether trying again can help.
    #[must_use]
    pub fn with_retry(mut self, class: RetryClass) -> Self {
        self.details.retry = class;
        self
    }

    /// Say how hard we tried.
    #[must_use]
    pub fn effort(mut self, attempts: u32, elapsed: Duration) -> Self {
        self.details.attempts = attempts;
        self.details.elapsed = Some(elapsed);
        self
    }

    /// Say which resource it happened on, and where the plan file describes it; what is known already stays.
    #[must_use]
    pub fn at(mut self, address: &Address, line: Option<usize>) -> Self {
        self.details.address.get_or_insert_with(|| address.clone());
        self.details.line = self.details.line.or(line);
        self
    }

    /// Say which plan file it happened with; what is known already stays.
    #[must_use]
    pub fn with_plan_file(mut self, name: &str) -> Self {
        self.details.plan_file.get_or_insert_with(|| name.to_owned());
        self
    }

    /// Say with which deployment, and which section of its plan file, it happened.
    #[must_use]
    pub fn with_section(mut self, deployment: &str, section: &str) -> Self {
        self.details.section = Some((deployment.to_owned(), section.to_owned()));
        self
    }

    /// Say on which line of the plan file it stands, from 1.
    #[must_use]
    pub fn on_line(mut self, line: usize) -> Self {
        self.details.line = Some(line);
        self
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.details.kind
    }

    /// Whether trying again can help.
    #[must_use]
    pub fn retry(&self) -> &RetryClass {
        &self.details.retry
    }

    /// The service's error code, as it spells it.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.details.code.as_deref()
    }

    /// The status of the HTTP answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.details.status
    }

    /// The reason, in the service's or our own words.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.details.message.as_deref()
    }

    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.details.hint.as_deref()
    }

    /// The resource it happened on.
    #[must_use]
    pub fn address(&self) -> Option<&Address> {
        self.details.address.as_ref()
    }

    /// The plan file it happened with.
    #[must_use]
    pub fn plan_file(&self) -> Option<&str> {
        self.details.plan_file.as_deref()
    }

    /// The deployment and the section of its plan file that it happened with, where there are several.
    #[must_use]
    pub fn section(&self) -> Option<(&str, &str)> {
        self.details.section.as_ref().map(|(deployment, section)| (deployment.as_str(), section.as_str()))
    }

    /// The plan file's line that describes the resource, from 1.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.details.line
    }

    /// The call and its answer in one line: `s3:PutBucketCors: 403 AccessDenied, request id 4442587F, 1 attempt, 0.4 s`.
    #[must_use]
    pub fn call(&self) -> Option<String> {
        let details = &self.details;
        let operation = details.operation.as_ref()?;
        let status = details.status.map(|status| status.to_string());
        let answer: Vec<&str> = [status.as_deref(), details.code.as_deref()].into_iter().flatten().collect();
        let mut parts = vec![answer.join(" ")];
        parts.extend(details.request_id.as_ref().map(|id| format!("request id {id}")));
        let plural = if details.attempts == 1 { "" } else { "s" };
        parts.push(format!("{} attempt{plural}", details.attempts));
        parts.extend(details.elapsed.map(|elapsed| format!("{:.1} s", elapsed.as_secs_f64())));
        parts.retain(|part| !part.is_empty());
        Some(on_one_line(&format!("{operation}: {}", parts.join(", "))))
    }
}

/// Without what a terminal would obey: names and reasons may be others' words.
impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let details = &self.details;
        if details.is_told {
            return formatter.write_str(&indented(&details.tried));
        }
        let tried = on_one_line(&details.tried);
        match details.kind {
            ErrorKind::PlanFile
            | ErrorKind::Refused
            | ErrorKind::Stale
            | ErrorKind::Interrupted
            | ErrorKind::Unexpected => {
                formatter.write_str(&tried)?;
            }
            // Where nothing was sent, our own words are the whole reason.
            _ if details.operation.is_none() && details.message.is_some() => write!(formatter, "cannot {tried}")?,
            kind => write!(formatter, "cannot {tried}: {}", kind.describe())?,
        }
        details
            .message
            .iter()
            .try_for_each(|message| write!(formatter, ": {}", indented(&text_without_secrets(message))))
    }
}

/// What failed, and why.
#[derive(Serialize, JsonSchema)]
struct Facts<'a> {
    /// What went wrong, in the same few words for every cloud.
    kind: ErrorKind,
    /// The error as people read it.
    text: String,
    /// The resource it happened on.
    address: Option<&'a Address>,
    /// The plan file it happened with.
    plan_file: Option<&'a str>,
    /// The deployment, where one of several could not be looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    deployment: Option<&'a str>,
    /// The section of its plan file.
    #[serde(skip_serializing_if = "Option::is_none")]
    section: Option<&'a str>,
    /// The plan file's line that describes the resource, from 1.
    line: Option<usize>,
    /// The API operation (`s3:PutBucketCors`).
    operation: Option<&'a str>,
    /// The status of the HTTP answer.
    status: Option<u16>,
    /// The service's error code, as it spells it.
    code: Option<&'a str>,
    /// The service's id of the request.
    request_id: Option<&'a str>,
    /// What to do next.
    hint: Option<&'a str>,
}

/// For the JSON views: the same facts as the text.
impl Serialize for Error {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let details = &self.details;
        let facts = Facts {
            kind: details.kind,
            text: self.to_string(),
            address: details.address.as_ref(),
            plan_file: details.plan_file.as_deref(),
            deployment: self.section().map(|(deployment, _)| deployment),
            section: self.section().map(|(_, section)| section),
            line: details.line,
            operation: details.operation.as_deref(),
            status: details.status,
            code: details.code.as_deref(),
            request_id: details.request_id.as_deref(),
            hint: details.hint.as_deref(),
        };
        facts.serialize(serializer)
    }
}

impl JsonSchema for Error {
    fn schema_name() -> Cow<'static, str> {
        "Error".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Facts::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_says_what_was_tried_and_why() {
        let error = Error::new(ErrorKind::PermissionDenied, "create bucket `acme-wandb`")
            .with_operation("s3:CreateBucket")
            .with_response(Some(403), Some("AccessDenied"), Some("4442587F"))
            .effort(1, Duration::from_millis(400));
        assert_eq!(error.to_string(), "cannot create bucket `acme-wandb`: permission denied");
        let call = "s3:CreateBucket: 403 AccessDenied, request id 4442587F, 1 attempt, 0.4 s";
        assert_eq!(error.call().as_deref(), Some(call));
    }
    #[test]
    fn status_alone_tells_what_can_be_repeated() {
        let class = |status| by_status(status).1;
        assert_eq!([class(408), class(500), class(503)], [const { RetryClass::Transient }; 3]);
        assert_eq!(class(429).after(Some(Duration::from_secs(3))), RetryClass::Throttled(Some(Duration::from_secs(3))));
        assert_eq!([400, 404, 409, 412, 501].map(class), [const { RetryClass::Final }; 5]);
        assert_eq!(class(501).after(Some(Duration::from_secs(3))), RetryClass::Final);
    }

    #[test]
    fn absence_is_told_from_other_errors() {
        let answer = |kind| absent_if::<()>(Err(Error::new(kind, "x")), |error| error.kind() == ErrorKind::NotFound);
        assert!(answer(ErrorKind::NotFound).unwrap().is_none());
        assert_eq!(answer(ErrorKind::PermissionDenied).unwrap_err().kind(), ErrorKind::PermissionDenied);
    }
}
