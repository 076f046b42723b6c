//! Pub/Sub's gRPC for those who pull: Google's own clients know no other way. Each call is the REST call of the same name
//! <https://cloud.google.com/pubsub/docs/reference/rpc/google.pubsub.v1#subscriber>.

use std::collections::BTreeMap;

use bytes::Bytes;
use data_encoding::BASE64;
use http::Response;
use prost::Message;
use prost_types::Timestamp;
use serde_json::{Value, json};

use crate::google::call::Call;
use crate::google::grpc;
use crate::google::refusal::Refusal;
use crate::google::rights;
use crate::state::Transaction;

/// How operations of it begin.
pub(in crate::google) const SERVICE: &str = "google.pubsub.v1.Subscriber:";

#[derive(Clone, PartialEq, Message)]
pub(in crate::google) struct PullRequest {
    #[prost(string, tag = "1")]
    pub subscription: String,
    #[prost(bool, tag = "2")]
    pub return_immediately: bool,
    #[prost(int32, tag = "3")]
    pub max_messages: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::google) struct PullResponse {
    #[prost(message, repeated, tag = "1")]
    pub received_messages: Vec<ReceivedMessage>,
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::google) struct ReceivedMessage {
    #[prost(string, tag = "1")]
    pub ack_id: String,
    #[prost(message, optional, tag = "2")]
    pub message: Option<PubsubMessage>,
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::google) struct PubsubMessage {
    #[prost(bytes = "vec", tag = "1")]
    pub data: Vec<u8>,
    #[prost(btree_map = "string, string", tag = "2")]
    pub attributes: BTreeMap<String, String>,
    #[prost(string, tag = "3")]
    pub message_id: String,
    #[prost(message, optional, tag = "4")]
    pub publish_time: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::google) struct AcknowledgeRequest {
    #[prost(string, tag = "1")]
    pub subscription: String,
    #[prost(string, repeated, tag = "2")]
    pub ack_ids: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::google) struct ModifyAckDeadlineRequest {
    #[prost(string, tag = "1")]
    pub subscription: String,
    #[prost(int32, tag = "3")]
    pub ack_deadline_seconds: i32,
    #[prost(string, repeated, tag = "4")]
    pub ack_ids: Vec<String>,
}

/// Requests for messages.
pub(in crate::google) fn answer(state: &mut Transaction<'_>, call: &Call<'_>) -> Result<Response<Bytes>, Refusal> {
    match call.verb() {
        "Pull" => {
            let request: PullRequest = grpc::message(&call.body)?;
            let body = json!({ "maxMessages": request.max_messages, "returnImmediately": request.return_immediately });
            let pulled = by_rest(state, &rest(call, &request.subscription, &body)?)?;
            let messages = pulled["receivedMessages"].as_array().into_iter().flatten();
            Ok(grpc::answer(&PullResponse { received_messages: messages.map(received).collect() }))
        }
        "Acknowledge" => {
            let request: AcknowledgeRequest = grpc::message(&call.body)?;
            by_rest(state, &rest(call, &request.subscription, &json!({ "ackIds": request.ack_ids }))?)?;
            Ok(grpc::answer(&()))
        }
        "ModifyAckDeadline" => {
            let request: ModifyAckDeadlineRequest = grpc::message(&call.body)?;
            let body = json!({ "ackIds": request.ack_ids, "ackDeadlineSeconds": request.ack_deadline_seconds });
            by_rest(state, &rest(call, &request.subscription, &body)?)?;
            Ok(grpc::answer(&()))
        }
        _ => Err(Refusal::unserved(&call.operation)),
    }
}

/// Let the REST call of the same name pass, and answer it.
fn by_rest(state: &mut Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    rights::permit(state, call)?;
    super::answer(state, call)
}

/// Whether a request for messages wants to wait until there is one.
pub(in crate::google) fn waits(call: &Call<'_>) -> bool {
    let pull = call.operation.strip_prefix(SERVICE).is_some_and(|verb| verb == "Pull");
    pull && grpc::message::<PullRequest>(&call.body).is_ok_and(|request| !request.return_immediately)
}

/// The REST call of the same name.
fn rest<'a>(call: &Call<'a>, subscription: &str, body: &Value) -> Result<Call<'a>, Refusal> {
    let parts: Vec<_> = subscription.split('/').collect();
    let ["projects", project, "subscriptions", name] = parts.as_slice() else {
        return Err(Refusal::invalid(format!("Invalid [subscriptions] name: (name={subscription}).")));
    };
    let path = format!("/v1/{subscription}:{}", call.verb());
    let operation = format!("pubsub:{}", call.verb());
    Ok(call.as_rest(operation, vec![(*project).to_owned(), (*name).to_owned()], path, body))
}

fn received(received: &Value) -> ReceivedMessage {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let message = &received["message"];
    let attributes = message["attributes"].as_object().into_iter().flatten();
    ReceivedMessage {
        ack_id: text(&received["ackId"]),
        message: Some(PubsubMessage {
            data: BASE64.decode(text(&message["data"]).as_bytes()).unwrap_or_default(),
            attributes: attributes.map(|(key, value)| (key.clone(), text(value))).collect(),
            message_id: text(&message["messageId"]),
            publish_time: text(&message["publishTime"]).parse().ok(),
        }),
    }
}
