//! The error of one answer: what the service said, with advice by the reason that it gives.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderMap;
use provision_core::{Error, ErrorKind};
use serde_json::Value;

use super::{Call, LOGIN, ServiceError, classify, scope_of};

/// The longest wait that a limit's reset asks for: limits are by the second and by the minute
/// (<https://auth0.com/docs/troubleshoot/customer-support/operational-policies/rate-limit-policy>).
const LONGEST_RESET: Duration = Duration::from_secs(60);

/// The error of one call, from what the service said.
pub(crate) fn from_json(call: &Call, status: u16, headers: &HeaderMap, body: &[u8]) -> Error {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
    let of_token = body["error"].is_string() && body["statusCode"].is_null();
    let (code, message) = match of_token {
        true => (text("error"), text("error_description")),
        false => (text("errorCode"), text("message")),
    };
    if !of_token && !body["statusCode"].is_u64() {
        return nobodys(call, status, headers);
    }
    let request_id = headers.get("cf-ray").and_then(|id| id.to_str().ok()).map(str::to_owned);
    let retry_after = asked(headers);
    from_answer(call, &ServiceError { status, code, message, retry_after, request_id, of_token })
}

/// An answer without the service's own error: something in between gave it. That a thing is not there, not known or nobody's to
/// see only the service can say.
fn nobodys(call: &Call, status: u16, headers: &HeaderMap) -> Error {
    match status {
        300..=399 => call.unreadable(&format!("{status}, it leads elsewhere")),
        401 | 403 | 404 | 501 => call.unreadable(&format!("{status}, without the service's own words")),
        status => from_answer(call, &ServiceError { status, retry_after: asked(headers), ..ServiceError::default() }),
    }
}

/// How long to wait: `Retry-After`, or else the moment when the limit is reset, in Unix seconds
/// (<https://auth0.com/docs/troubleshoot/customer-support/operational-policies/rate-limit-policy/management-api-endpoint-rate-limits>).
fn asked(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok().map(Duration::from_secs);
    let reset = || {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        let wait = number("x-ratelimit-reset")?.checked_sub(now)?;
        Some(wait.clamp(Duration::from_secs(1), LONGEST_RESET))
    };
    number("retry-after").or_else(reset)
}

fn from_answer(call: &Call, answer: &ServiceError) -> Error {
    let (kind, class) = classify(answer);
    let class = class.after(answer.retry_after);
    let code = Some(answer.code.as_str()).filter(|code| !code.is_empty());
    let error = Error::new(kind, &call.tried).with_operation(call.operation).with_retry(class);
    let error = error.with_response(Some(answer.status), code, answer.request_id.as_deref());
    let error = error.with_message(&answer.message);
    match advice(kind, call, answer) {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

fn advice(kind: ErrorKind, call: &Call, answer: &ServiceError) -> Option<String> {
    let hint = match kind {
        ErrorKind::Unauthenticated if answer.of_token => return Some(of_token(answer)),
        ErrorKind::Unauthenticated if answer.message.contains("Expired token") => {
            format!("the token has expired: {LOGIN}")
        }
        ErrorKind::Unauthenticated if answer.message.contains("audience") => {
            "the token is of another tenant or API: its audience is to be `https://DOMAIN/api/v2/`, with the tenant's own \
             domain, not a custom one"
                .to_owned()
        }
        ErrorKind::Unauthenticated => LOGIN.to_owned(),
        ErrorKind::PermissionDenied => {
            let scope = scope_of(call.operation);
            format!("grant the scope `{scope}` on the Auth0 Management API to the application in use, then run the same command again")
        }
        ErrorKind::QuotaExceeded => {
            "delete an application that is not needed any more, or choose a larger plan; then run the same command again"
                .to_owned()
        }
        ErrorKind::Unsupported if answer.code == "insufficient_entitlement" => {
            "the tenant's plan does not include this: choose a larger one".to_owned()
        }
        ErrorKind::Unsupported if answer.status == 404 => {
            "there is no Management API at this address: check `domain` under [auth0]".to_owned()
        }
        _ => return None,
    };
    Some(hint)
}

/// What the token endpoint refuses (<https://auth0.com/docs/secure/tokens/access-tokens/management-api-access-tokens>).
fn of_token(answer: &ServiceError) -> String {
    let about = |word: &str| answer.message.contains(word) || answer.code.contains(word);
    if about("client-grant") || about("not authorized") {
        return "authorize that application for the Auth0 Management API, with the scopes `create:clients`, `read:clients`, \
                `update:clients` and `delete:clients`"
            .to_owned();
    }
    if about("Service not") {
        return "write the tenant's own domain as `domain` under [auth0], and a custom one as `login_domain`"
            .to_owned();
    }
    if about("Grant type") {
        return "allow that application the grant `client_credentials`: it is to be a machine-to-machine application"
            .to_owned();
    }
    LOGIN.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use provision_core::RetryClass;
    use serde_json::json;

    fn error_of(operation: &'static str, status: u16, body: &Value) -> Error {
        let call = Call::new("GET", operation, "/api/v2/clients", "look".to_owned());
        from_json(&call, status, &HeaderMap::new(), body.to_string().as_bytes())
    }

    fn management(status: u16, code: &str, message: &str) -> Error {
        let mut body = json!({"statusCode": status, "error": "words of the status", "message": message});
        if !code.is_empty() {
            body["errorCode"] = json!(code);
        }
        error_of("clients.create", status, &body)
    }

    /// Every refusal that tenants were seen to give, by its code, and those of the reference.
    #[test]
    fn each_refusal_has_its_kind_and_its_words() {
        use ErrorKind as Kind;
        for (status, code, message, kind) in [
            (400, "invalid_body", "cannot add non-unique email attribute", Kind::InvalidInput),
            (
                400,
                "invalid_body",
                "Payload validation error: 'Additional properties not allowed: x'.",
                Kind::InvalidInput,
            ),
            (400, "invalid_query_string", "Query validation error", Kind::InvalidInput),
            (400, "invalid_uri", "Path validation error", Kind::InvalidInput),
            (400, "operation_not_supported", "Requesting App is not supported for this connection.", Kind::Unsupported),
            (400, "", "Bad Operation on Notification Resource", Kind::InvalidInput),
            (401, "", "Invalid token", Kind::Unauthenticated),
            (403, "insufficient_entitlement", "Please upgrade your subscription to use it", Kind::Unsupported),
            (403, "insufficient_scope", "Insufficient scope, expected any of: create:clients", Kind::PermissionDenied),
            (403, "", "You reached the limit of entities of this type for this tenant.", Kind::QuotaExceeded),
            (404, "inexistent_client", "The client does not exist", Kind::NotFound),
            (404, "inexistent_connection", "The connection does not exist", Kind::NotFound),
            (404, "inexistent_email_provider", "There is not a configured email provider", Kind::NotFound),
            (404, "inexistent_resource_server", "The resource server does not exist", Kind::NotFound),
            (404, "inexistent_templates_universal_login", "Template does not exist.", Kind::NotFound),
            (404, "inexistent_user", "The user does not exist.", Kind::NotFound),
            (404, "theme_not_found", "There was an error retrieving settings: invalid theme ID", Kind::NotFound),
            (404, "", "Not Found", Kind::Unsupported),
            (409, "custom_domain_conflict", "The tenant has multiple verified custom domains.", Kind::Conflict),
        ] {
            let error = management(status, code, message);
            assert_eq!((error.kind(), error.retry()), (kind, &RetryClass::Final), "{message}");
            let text = error.to_string();
            assert!(text.starts_with("cannot look: ") && text.ends_with(message), "{text}");
            let said = format!("clients.create: {status}{}{code}", if code.is_empty() { "" } else { " " });
            assert!(error.call().unwrap().starts_with(&said), "{:?}", error.call());
        }
    }

    #[test]
    fn refusals_say_what_to_do() {
        let hint = |error: Error| error.hint().unwrap_or_default().to_owned();
        assert!(hint(management(403, "insufficient_scope", "")).contains("`create:clients`"));
        assert!(
            hint(management(403, "", "You reached the limit of entities of this type"))
                .contains("delete an application")
        );
        assert!(hint(management(403, "insufficient_entitlement", "")).contains("plan"));
        assert!(hint(management(404, "", "Not Found")).contains("`domain`"));
        assert!(
            hint(management(401, "", "Expired token received for JSON Web Token validation")).contains("has expired")
        );
        assert!(hint(management(401, "", "Bad audience: https://a/")).contains("audience"));
    }

    #[test]
    fn token_endpoint_refuses_credentials_or_asks_to_wait() {
        let error = |status, code: &str, words: &str| {
            error_of("oauth.token", status, &json!({"error": code, "error_description": words}))
        };
        for (status, code, words, says) in [
            (401, "access_denied", "Unauthorized", "AUTH0_CLIENT_SECRET"),
            (
                403,
                "access_denied",
                "Client is not authorized to access \"https://a/api/v2/\".",
                "authorize that application",
            ),
            (403, "access_denied", "Service not enabled within domain: https://a/api/v2/", "`login_domain`"),
            (
                403,
                "unauthorized_client",
                "Grant type 'client_credentials' not allowed for the client.",
                "machine-to-machine",
            ),
        ] {
            let error = error(status, code, words);
            assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{words}");
            assert!(error.hint().unwrap().contains(says), "{:?}", error.hint());
        }
        for status in [429, 500] {
            let error = error(status, "access_denied", "Global limit has been reached");
            assert_eq!(*error.retry(), RetryClass::Throttled(None), "{status}");
        }
        assert_eq!(*error(500, "server_error", "").retry(), RetryClass::Transient);
    }

    #[test]
    fn limits_are_waited_out_as_their_headers_say() {
        let class = |headers: &[(&'static str, String)]| {
            let headers = headers.iter().map(|(name, value)| {
                (http::HeaderName::from_static(name), http::HeaderValue::from_str(value).unwrap())
            });
            let body =
                json!({"statusCode": 429, "error": "Too Many Requests", "message": "Global limit has been reached"});
            let call = Call::new("GET", "clients.list", "/", "list".to_owned());
            from_json(&call, 429, &headers.collect(), body.to_string().as_bytes()).retry().clone()
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let after = |seconds| RetryClass::Throttled(Some(Duration::from_secs(seconds)));
        assert_eq!(class(&[("retry-after", "7".to_owned()), ("x-ratelimit-reset", (now + 30).to_string())]), after(7));
        let RetryClass::Throttled(Some(wait)) = class(&[("x-ratelimit-reset", (now + 30).to_string())]) else {
            panic!()
        };
        assert!((Duration::from_secs(25)..=Duration::from_secs(30)).contains(&wait), "{wait:?}");
        assert_eq!(class(&[("x-ratelimit-reset", (now + 86_400).to_string())]), after(60));
        assert_eq!(class(&[("x-ratelimit-reset", (now - 5).to_string())]), RetryClass::Throttled(None));
        assert_eq!(class(&[]), RetryClass::Throttled(None));
    }

    #[test]
    fn what_is_not_in_the_services_words_says_nothing_of_the_thing() {
        let call = Call::new("GET", "clients.get", "/", "look".to_owned());
        for status in [302, 401, 403, 404, 501] {
            let error = from_json(&call, status, &HeaderMap::new(), b"<html>sign in</html>");
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{status}");
        }
        assert_eq!(*from_json(&call, 502, &HeaderMap::new(), b"").retry(), RetryClass::Transient);
    }

    #[test]
    fn secrets_that_an_answer_repeats_are_not_said_again() {
        let body = json!({"error": "invalid_request", "error_description": "of client_id=1&client_secret=hunter2&x=1"});
        let error = error_of("oauth.token", 400, &body);
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
