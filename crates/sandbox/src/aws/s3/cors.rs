//! Which pages may use a bucket.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response};
use serde::{Deserialize, Serialize};

use super::bucket::{self, Bucket};
use super::{On, xml};
use crate::aws::call::Call;
use crate::aws::error::{Error, Reply};
use crate::aws::wildcard::matches;
use crate::state::Transaction;

/// A rule <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CORSRule.html>.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CorsRule {
    #[serde(rename = "ID", default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(rename = "AllowedHeader", default)]
    headers: Vec<String>,
    #[serde(rename = "AllowedMethod", default)]
    methods: Vec<String>,
    #[serde(rename = "AllowedOrigin", default)]
    origins: Vec<String>,
    #[serde(rename = "ExposeHeader", default)]
    expose: Vec<String>,
    #[serde(rename = "MaxAgeSeconds", default, skip_serializing_if = "Option::is_none")]
    max_age_s: Option<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CorsConfiguration {
    #[serde(rename = "@xmlns", skip_serializing_if = "Option::is_none")]
    xmlns: Option<String>,
    #[serde(rename = "CORSRule", default)]
    rules: Vec<CorsRule>,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketCors.html>
pub(super) fn get_bucket_cors(_: &mut Transaction<'_>, on: &On<'_>) -> Reply {
    if on.bucket.cors.is_empty() {
        return Err(Error::new(404, "NoSuchCORSConfiguration", "The CORS configuration does not exist"));
    }
    let rules = on.bucket.cors.clone();
    xml::answer("CORSConfiguration", &CorsConfiguration { xmlns: Some(xml::NAMESPACE.to_owned()), rules })
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketCors.html>
pub(super) fn put_bucket_cors(state: &mut Transaction<'_>, on: &On<'_>) -> Reply {
    let input: CorsConfiguration = xml::input(on.call, "CORSConfiguration")?;
    if !(1..=100).contains(&input.rules.len()) {
        return Err(xml::malformed("1 to 100 rules are needed"));
    }
    input.rules.iter().try_for_each(CorsRule::check)?;
    on.save(state, &Bucket { cors: input.rules, ..on.bucket.clone() })?;
    xml::nothing(200)
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketCors.html>
pub(super) fn delete_bucket_cors(state: &mut Transaction<'_>, on: &On<'_>) -> Reply {
    on.save(state, &Bucket { cors: Vec::new(), ..on.bucket.clone() })?;
    xml::nothing(204)
}

/// What a page asks to do.
struct Wish<'a> {
    origin: &'a str,
    method: &'a str,
    headers: Vec<&'a str>,
}

/// A browser's question before a request
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTOPTIONSobject.html>.
pub(super) fn preflight(state: &mut Transaction<'_>, call: &Call<'_>) -> Reply {
    let insufficient = |message| Error::new(400, "BadRequest", message);
    let origin = call.header("origin");
    let origin = origin.ok_or_else(|| insufficient("Insufficient information. Origin request header needed."))?;
    let method = call.header("access-control-request-method");
    let headers = call.header("access-control-request-headers").unwrap_or_default();
    let headers = headers.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    let asked = method.unwrap_or("OPTIONS");
    let bucket = Bucket::seen(state, call, super::taken_apart(&call.path).0);
    // Who asks is not told that it is not there (recorded from S3 by LocalStack's `test_s3_cors.py`).
    let bucket = bucket.map_err(|_| forbidden("OPTIONS", "BUCKET", "CORSResponse: Bucket not found"))?;
    if bucket.cors.is_empty() {
        return Err(forbidden(asked, "BUCKET", "CORSResponse: CORS is not enabled for this bucket."));
    }
    let method = method.ok_or_else(|| insufficient("Invalid Access-Control-Request-Method: null"))?;
    let wish = Wish { origin, method, headers };
    let rule = bucket.cors.iter().find(|rule| rule.allows(&wish)).ok_or_else(|| {
        forbidden(
            method,
            "OBJECT",
            "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request \
             method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the \
             resource's CORS spec.",
        )
    })?;
    let mut response = Response::new(Bytes::new());
    rule.grant(&wish, &mut response);
    Ok(response)
}

fn forbidden(method: &str, kind: &str, message: &str) -> Error {
    Error::new(403, "AccessForbidden", message).with_detail("Method", method).with_detail("ResourceType", kind)
}

/// Tell the browser what a page may see of an answer.
pub(super) fn expose(state: &Transaction<'_>, call: &Call<'_>, response: &mut Response<Bytes>) -> Result<(), Error> {
    let Some(origin) = call.header("origin") else { return Ok(()) };
    let name = super::taken_apart(&call.path).0;
    let Some(bucket) = state.get::<Bucket>(&bucket::key(name))? else { return Ok(()) };
    let wish = Wish { origin, method: call.method.as_str(), headers: Vec::new() };
    if let Some(rule) = bucket.cors.iter().find(|rule| rule.allows(&wish)) {
        rule.grant(&wish, response);
    }
    Ok(())
}

impl CorsRule {
    /// Whether it lets a page do something <https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html>.
    fn allows(&self, wish: &Wish<'_>) -> bool {
        let header = |name: &&str| {
            let name = name.to_ascii_lowercase();
            self.headers.iter().any(|allowed| matches(&allowed.to_ascii_lowercase(), &name))
        };
        self.origin(wish.origin).is_some()
            && self.methods.iter().any(|method| method == wish.method)
            && wish.headers.iter().all(header)
    }

    fn origin(&self, origin: &str) -> Option<&String> {
        // A question mark is no pattern here.
        self.origins.iter().find(|allowed| matches(&allowed.replace('?', "\0"), &origin.replace('?', "\0")))
    }

    fn grant(&self, wish: &Wish<'_>, response: &mut Response<Bytes>) {
        let everybody = self.origin(wish.origin).is_some_and(|allowed| allowed == "*");
        let mut headers = vec![
            ("access-control-allow-origin", if everybody { "*" } else { wish.origin }.to_owned()),
            ("access-control-allow-methods", self.methods.join(", ")),
            ("vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method".to_owned()),
        ];
        if !everybody {
            headers.push(("access-control-allow-credentials", "true".to_owned()));
        }
        if !wish.headers.is_empty() {
            headers.push(("access-control-allow-headers", wish.headers.join(", ").to_ascii_lowercase()));
        }
        if !self.expose.is_empty() {
            headers.push(("access-control-expose-headers", self.expose.join(", ")));
        }
        headers.extend(self.max_age_s.map(|seconds| ("access-control-max-age", seconds.to_string())));
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(HeaderName::from_static(name), value);
            }
        }
    }

    fn check(&self) -> Result<(), Error> {
        const METHODS: [&str; 5] = ["GET", "PUT", "HEAD", "POST", "DELETE"];
        let invalid = |message: String| Err(Error::new(400, "InvalidRequest", message));
        if self.methods.is_empty() || self.origins.is_empty() {
            return Err(xml::malformed("a rule needs a method and an origin"));
        }
        if let Some(method) = self.methods.iter().find(|method| !METHODS.contains(&method.as_str())) {
            let message = format!("Found unsupported HTTP method in CORS config. Unsupported method is {method}");
            return invalid(message);
        }
        let stars = |text: &&String| text.matches('*').count() > 1;
        if let Some(origin) = self.origins.iter().find(stars) {
            return invalid(format!("AllowedOrigin \"{origin}\" can not have more than one wildcard."));
        }
        if let Some(header) = self.headers.iter().find(stars) {
            return invalid(format!("AllowedHeader \"{header}\" can not have more than one wildcard."));
        }
        if let Some(header) = self.expose.iter().find(|header| header.contains('*')) {
            let message = format!(
                "ExposeHeader \"{header}\" contains wildcard. We currently do not support wildcard for ExposeHeader."
            );
            return invalid(message);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn rule(origins: &[&str], methods: &[&str], headers: &[&str]) -> CorsRule {
        CorsRule { origins: texts(origins), methods: texts(methods), headers: texts(headers), ..CorsRule::default() }
    }

    #[test]
    fn rules_allow_by_origin_method_and_headers() {
        let cases = [
            (rule(&["https://a.example"], &["GET"], &[]), "https://a.example", "GET", &[][..], true),
            (rule(&["https://a.example"], &["GET"], &[]), "http://a.example", "GET", &[], false),
            (rule(&["https://a.example"], &["GET"], &[]), "https://a.example:8443", "GET", &[], false),
            (rule(&["https://a.example"], &["GET"], &[]), "https://a.example", "PUT", &[], false),
            (rule(&["https://a.example"], &["GET"], &[]), "https://a.example", "get", &[], false),
            (rule(&["https://*.example"], &["GET"], &[]), "https://a.b.example", "GET", &[], true),
            (rule(&["https://*.example"], &["GET"], &[]), "https://example", "GET", &[], false),
            (rule(&["https://?.example"], &["GET"], &[]), "https://a.example", "GET", &[], false),
            (rule(&["*"], &["PUT"], &["*"]), "https://x", "PUT", &["Content-Type", "x-amz-date"], true),
            (rule(&["*"], &["PUT"], &["x-amz-*"]), "https://x", "PUT", &["X-Amz-Date"], true),
            (rule(&["*"], &["PUT"], &["x-amz-*"]), "https://x", "PUT", &["x-amz-date", "content-type"], false),
            (rule(&["*"], &["PUT"], &[]), "https://x", "PUT", &["content-type"], false),
            (rule(&["x", "https://x"], &["PUT", "GET"], &[]), "https://x", "GET", &[], true),
        ];
        for (index, (rule, origin, method, headers, allowed)) in cases.into_iter().enumerate() {
            let wish = Wish { origin, method, headers: headers.to_vec() };
            assert_eq!(rule.allows(&wish), allowed, "case {index}");
        }
    }

    #[test]
    fn malformed_rules_are_refused() {
        assert!(rule(&["*"], &["GET"], &["*"]).check().is_ok());
        assert!(rule(&[], &["GET"], &[]).check().is_err());
        assert!(rule(&["*"], &[], &[]).check().is_err());
        assert!(rule(&["*"], &["PATCH"], &[]).check().is_err());
        assert!(rule(&["*.a.*"], &["GET"], &[]).check().is_err());
        assert!(rule(&["*"], &["GET"], &["*-*"]).check().is_err());
        assert!(CorsRule { expose: texts(&["*"]), ..rule(&["*"], &["GET"], &[]) }.check().is_err());
    }
}
