//! Operations of the service's own, in both styles of Resource Manager
//! <https://learn.microsoft.com/azure/azure-resource-manager/management/async-operations>.

use azure_core::http::Url;
use provision_core::Error;
use serde_json::Value;

use super::answer::{ServiceResponse, trusted};

/// What an operation of the service's own is followed by: addresses as they were answered, of which only the one that is
/// looked at is judged, since a final answer may have one that leads nowhere.
#[derive(Debug, Default)]
pub(super) struct Following {
    async_operation: Option<String>,
    location: Option<String>,
}

/// What an answer says about the operation.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    Done,
    Failed,
    /// It is not the document that an operation is followed by.
    Unreadable,
    Look(Url),
}

impl Following {
    /// `Azure-AsyncOperation` (a document that has a status, always) wins over `Location` (202 until done, then with
    /// whatever there is to show, of a deletion nothing); with neither, the resource
    /// itself says how far it is.
    pub(super) fn step(
        &mut self,
        answer: &ServiceResponse,
        endpoint: &Url,
        resource: Option<&Url>,
    ) -> Result<Step, Error> {
        let followed = self.async_operation.is_some();
        self.async_operation = answer.async_operation.clone().or(self.async_operation.take());
        self.location = answer.location.clone().or(self.location.take());
        let state = |pointer: &str| answer.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        if let Some(link) = &self.async_operation {
            return Ok(match state("/status").to_ascii_lowercase().as_str() {
                "succeeded" => Step::Done,
                "failed" | "canceled" | "cancelled" => Step::Failed,
                "" if followed => Step::Unreadable,
                _ => Step::Look(trusted(endpoint, link)?),
            });
        }
        if answer.status == 202 {
            let location = self.location.as_deref().map(|link| trusted(endpoint, link)).transpose()?;
            return Ok(location.as_ref().or(resource).map_or(Step::Done, |url| Step::Look(url.clone())));
        }
        let known =
            if resource.is_some() { answer.shows_resource() } else { answer.body.is_null() || answer.body.is_object() };
        if !known {
            return Ok(Step::Unreadable);
        }
        Ok(match (state("/properties/provisioningState").to_ascii_lowercase().as_str(), resource) {
            ("failed" | "canceled", _) => Step::Failed,
            ("" | "succeeded", _) | (_, None) => Step::Done,
            (_, Some(url)) => Step::Look(url.clone()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn step(following: &mut Following, answer: &ServiceResponse) -> Step {
        let (endpoint, resource) = (url("https://arm.example/"), url("https://arm.example/resource"));
        following.step(answer, &endpoint, Some(&resource)).unwrap()
    }

    #[test]
    fn operation_is_followed_by_location_until_it_is_not_202() {
        let mut following = Following::default();
        let link = Some("https://arm.example/results/1".to_owned());
        let accepted = ServiceResponse { status: 202, location: link, ..ServiceResponse::default() };
        let look = Step::Look(url("https://arm.example/results/1"));
        assert_eq!(step(&mut following, &accepted), look);
        assert_eq!(step(&mut following, &ServiceResponse { status: 202, ..ServiceResponse::default() }), look);
        let empty = ServiceResponse { status: 200, ..ServiceResponse::default() };
        assert_eq!(step(&mut following, &empty), Step::Unreadable);
        let made = ServiceResponse { body: json!({"id": "/x"}), ..empty.clone() };
        assert_eq!(step(&mut following, &made), Step::Done);
        assert_eq!(following.step(&empty, &url("https://arm.example/"), None).unwrap(), Step::Done);
    }

    #[test]
    fn address_that_is_not_followed_is_not_judged() {
        let mut following = Following::default();
        let done = ServiceResponse {
            status: 201,
            location: Some("/subscriptions/s/relative".to_owned()),
            body: json!({"id": "/x"}),
            ..ServiceResponse::default()
        };
        assert_eq!(step(&mut following, &done), Step::Done);
        let accepted = ServiceResponse { status: 202, ..done };
        following.step(&accepted, &url("https://arm.example/"), None).unwrap_err();
    }

    #[test]
    fn operation_is_followed_by_its_status_document() {
        let mut following = Following::default();
        let document = |status: &str| ServiceResponse {
            status: 200,
            body: json!({"status": status}),
            ..ServiceResponse::default()
        };
        let created = ServiceResponse {
            status: 201,
            async_operation: Some("https://arm.example/operations/1".to_owned()),
            body: json!({"properties": {"provisioningState": "Creating"}}),
            ..ServiceResponse::default()
        };
        let look = Step::Look(url("https://arm.example/operations/1"));
        assert_eq!(step(&mut following, &created), look);
        assert_eq!(step(&mut following, &document("InProgress")), look);
        assert_eq!(step(&mut following, &document("Succeeded")), Step::Done);
        assert_eq!(step(&mut following, &document("Failed")), Step::Failed);
        assert_eq!(step(&mut following, &document("")), Step::Unreadable);
        // Not even one that says its address once more.
        let nothing = ServiceResponse { status: 200, async_operation: created.async_operation, ..Default::default() };
        assert_eq!(step(&mut following, &nothing), Step::Unreadable);
    }

    #[test]
    fn operation_without_headers_is_followed_by_the_resource() {
        let mut following = Following::default();
        let resource = |state: &str| {
            let body = json!({"id": "/x", "properties": {"provisioningState": state}});
            ServiceResponse { status: 201, body, ..ServiceResponse::default() }
        };
        assert_eq!(step(&mut following, &resource("Creating")), Step::Look(url("https://arm.example/resource")));
        assert_eq!(step(&mut following, &resource("Succeeded")), Step::Done);
        assert_eq!(step(&mut following, &resource("Failed")), Step::Failed);
    }
}
