//! The Queue service: messages of one queue.

use std::time::Duration;

use azure_core::http::{Method, RawResponse};
use azure_core::xml::from_xml;
use provision_core::Error;
use provision_core::error::absent_if;
use serde::Deserialize;

use super::Writer;
use super::data::DataService;
use super::operation::operation;
use crate::error::{CallContext, absent, unreadable};

/// Most messages that one call gives <https://learn.microsoft.com/rest/api/storageservices/peek-messages#uri-parameters>.
pub(crate) const PAGE: usize = 32;

/// How the service says that a message is not the caller's any more: it is gone, or somebody else has taken it
/// <https://learn.microsoft.com/rest/api/storageservices/queue-service-error-codes>.
const NOT_OURS: [&str; 2] = ["MessageNotFound", "PopReceiptMismatch"];

/// A queue's messages.
#[derive(Clone, Debug)]
pub(crate) struct QueueStore {
    pub(crate) service: DataService,
    pub(crate) name: String,
}

#[derive(Deserialize)]
struct Messages {
    #[serde(rename = "QueueMessage", default)]
    messages: Vec<Message>,
}

/// A message.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Message {
    #[serde(rename = "MessageId")]
    id: String,
    /// What whoever took it may change or delete it with.
    #[serde(rename = "PopReceipt", default)]
    receipt: String,
    /// How often it was taken.
    #[serde(rename = "DequeueCount", default)]
    pub(crate) taken: u64,
    #[serde(rename = "MessageText", default)]
    pub(crate) text: String,
}

impl QueueStore {
    fn call(&self, what: &str) -> String {
        format!("{what} queue `{}`", self.name)
    }
}

impl Writer {
    /// The first messages that can be seen: nobody is kept from them, and nothing of them changes. `None` if there is no such
    /// queue <https://learn.microsoft.com/rest/api/storageservices/peek-messages>.
    pub(crate) async fn peek_messages(&self, queue: &QueueStore) -> Result<Option<Vec<Message>>, Error> {
        let mut url = queue.service.url(&[&queue.name, "messages"])?;
        url.query_pairs_mut().append_pair("numofmessages", &PAGE.to_string()).append_pair("peekonly", "true");
        let text = queue.call("look into");
        let answer = absent(queue.service.send(Method::Get, &url, "", &text).await)?;
        let read = |answer| messages(&answer, CallContext { operation: &operation(Method::Get, &url), text: &text });
        answer.map(read).transpose()
    }

    /// Take the first messages, hidden from others for so long. It is sent once: another time it would take the next ones
    /// <https://learn.microsoft.com/rest/api/storageservices/get-messages>.
    pub(crate) async fn receive_messages(
        &self,
        queue: &QueueStore,
        most: usize,
        hidden: Duration,
    ) -> Result<Vec<Message>, Error> {
        let mut url = queue.service.url(&[&queue.name, "messages"])?;
        let (most, hidden) = (most.to_string(), hidden.as_secs().to_string());
        url.query_pairs_mut().append_pair("numofmessages", &most).append_pair("visibilitytimeout", &hidden);
        let text = queue.call("receive from");
        let answer = queue.service.send_once(Method::Get, &url, "", &text).await?;
        messages(&answer, CallContext { operation: &operation(Method::Get, &url), text: &text })
    }

    /// Let others take a message again at once, as it is: without a body its text stays
    /// <https://learn.microsoft.com/rest/api/storageservices/update-message>.
    pub(crate) async fn update_message(&self, queue: &QueueStore, message: &Message) -> Result<(), Error> {
        let mut url = queue.service.url(&[&queue.name, "messages", &message.id])?;
        url.query_pairs_mut().append_pair("popreceipt", &message.receipt).append_pair("visibilitytimeout", "0");
        let sent = queue.service.send(Method::Put, &url, "", &queue.call("give back a message of")).await;
        not_ours(sent.map(drop))
    }

    /// <https://learn.microsoft.com/rest/api/storageservices/delete-message2>
    pub(crate) async fn delete_message(&self, queue: &QueueStore, message: &Message) -> Result<(), Error> {
        let mut url = queue.service.url(&[&queue.name, "messages", &message.id])?;
        url.query_pairs_mut().append_pair("popreceipt", &message.receipt);
        let sent = queue.service.send(Method::Delete, &url, "", &queue.call("delete a message of")).await;
        not_ours(sent.map(drop))
    }
}

impl Message {
    /// One that no queue has.
    pub(crate) fn of_nobody() -> Self {
        // As receipts look: one that is none is refused before anything else is looked at.
        let (id, receipt) = ("00000000-0000-0000-0000-000000000000".to_owned(), "AgAAAAMAAAAAAAAA".to_owned());
        Self { id, receipt, taken: 0, text: String::new() }
    }
}

/// Whoever has the message now does with it what they do.
fn not_ours(result: Result<(), Error>) -> Result<(), Error> {
    absent_if(result, |error| error.code().is_some_and(|code| NOT_OURS.contains(&code))).map(|_| ())
}

/// The messages of an answer: any other document would be read as none.
fn messages(answer: &RawResponse, call: CallContext<'_>) -> Result<Vec<Message>, Error> {
    let body: &[u8] = answer.body();
    let is_list = String::from_utf8_lossy(body).contains("<QueueMessagesList");
    let read = is_list.then(|| from_xml::<_, Messages>(body).ok()).flatten();
    read.map(|list| list.messages).ok_or_else(|| unreadable(call))
}
