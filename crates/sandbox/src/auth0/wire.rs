//! How Auth0 names its requests and phrases its errors.

use bytes::Bytes;
use http::{Method, Request, Response};
use serde_json::{Value, json};

use crate::emulator::Wire;

/// The token endpoint: what clients do to be let in.
pub(super) const TOKEN: &str = "login:auth0.token";

/// The forms of Auth0.
///
/// | operations | path |
/// |---|---|
/// | `login:auth0.token` | `/oauth/token` |
/// | `auth0:clients.list`, `auth0:clients.create` | `/api/v2/clients` |
/// | `auth0:clients.get`, `auth0:clients.update`, `auth0:clients.delete` | `/api/v2/clients/{id}` |
///
/// The code of an error is an `errorCode`, or of OAuth's.
#[derive(Clone, Copy, Debug)]
pub struct Auth0Wire;

impl Wire for Auth0Wire {
    fn operation(&self, request: &Request<Bytes>) -> String {
        let path: Vec<_> = request.uri().path().trim_matches('/').split('/').collect();
        let name = match (request.method(), path.as_slice()) {
            (&Method::POST, ["oauth", "token"]) => return TOKEN.to_owned(),
            (&Method::GET, ["api", "v2", "clients"]) => "clients.list",
            (&Method::POST, ["api", "v2", "clients"]) => "clients.create",
            (&Method::GET, ["api", "v2", "clients", _]) => "clients.get",
            (&Method::PATCH, ["api", "v2", "clients", _]) => "clients.update",
            (&Method::DELETE, ["api", "v2", "clients", _]) => "clients.delete",
            (method, _) => return format!("auth0:{method} {}", request.uri().path()),
        };
        format!("auth0:{name}")
    }

    fn reads(&self, operation: &str) -> bool {
        [TOKEN, "auth0:clients.list", "auth0:clients.get"].contains(&operation) || operation.contains(":GET ")
    }

    fn error(&self, operation: &str, status: u16, code: &str, message: &str) -> Response<Bytes> {
        if operation == TOKEN {
            return json_answer(status, &json!({ "error": code, "error_description": message }));
        }
        let mut body = json!({ "statusCode": status, "error": words(status), "message": message });
        if !code.is_empty() {
            body["errorCode"] = json!(code);
        }
        json_answer(status, &body)
    }

    /// <https://auth0.com/docs/troubleshoot/customer-support/operational-policies/rate-limit-policy>
    fn throttled(&self, operation: &str) -> Response<Bytes> {
        let code = if operation == TOKEN { "access_denied" } else { "too_many_requests" };
        let mut answer = self.error(operation, 429, code, "Global limit has been reached");
        answer.headers_mut().insert("retry-after", http::HeaderValue::from(1));
        answer
    }

    /// There is none but this one.
    fn conflict(&self, operation: &str) -> Response<Bytes> {
        self.error(operation, 409, "", "Another client exists with the same alias")
    }
}

/// The words of a status.
fn words(status: u16) -> &'static str {
    http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Error")
}

/// An answer in JSON.
pub(super) fn json_answer(status: u16, body: &Value) -> Response<Bytes> {
    let response = Response::builder().status(status).header("content-type", "application/json; charset=utf-8");
    response.body(Bytes::from(body.to_string())).unwrap_or_default()
}
