//! Calls of SQS <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_Operations.html>.

use std::collections::{BTreeMap, HashMap};
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_sqs::types::{MessageSystemAttributeName, QueueAttributeName};
use provision_core::Error;
use provision_core::mark::Tags;

use crate::client::{Reader, Writer};
use crate::error::{absent, unreadable};

/// How SQS says that a queue is not there, by protocol.
const NO_QUEUE: [&str; 2] = ["NonExistentQueue", "QueueDoesNotExist"];

/// A message as it was received.
pub(crate) struct Message {
    pub(crate) body: String,
    /// By which it is deleted or given back.
    pub(crate) receipt: String,
    /// How often it was received, this time too.
    pub(crate) received: u64,
}

impl Reader {
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueUrl.html>
    pub(crate) async fn get_queue_url(&self, queue: &str) -> Result<Option<String>, Error> {
        if let Some(url) = self.urls().get(queue) {
            return Ok(Some(url.clone()));
        }
        let url = self.get_queue_url_now(queue).await?;
        self.urls().extend(url.clone().map(|url| (queue.to_owned(), url)));
        Ok(url)
    }

    /// The address, if the last look found the queue.
    pub(crate) fn get_known_queue_url(&self, queue: &str) -> Option<String> {
        self.urls().get(queue).cloned()
    }

    /// The address, as the service has it now.
    pub(crate) async fn get_queue_url_now(&self, queue: &str) -> Result<Option<String>, Error> {
        let request = || self.clients.sqs.get_queue_url().queue_name(queue);
        let tried = format!("look up queue `{queue}`");
        let answer = send!("sqs:GetQueueUrl", &tried, request());
        let Some(answer) = absent(answer, &NO_QUEUE)? else { return Ok(None) };
        answer.queue_url.ok_or_else(|| unreadable("sqs:GetQueueUrl", &tried)).map(Some)
    }

    fn urls(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.queue_urls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every attribute <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html>.
    pub(crate) async fn get_queue_attributes(&self, queue: &str, url: &str) -> Result<Option<Tags>, Error> {
        let request =
            || self.clients.sqs.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All);
        let tried = format!("read the attributes of queue `{queue}`");
        let answer = send!("sqs:GetQueueAttributes", &tried, request());
        let Some(answer) = absent(answer, &NO_QUEUE)? else { return Ok(None) };
        // Every queue has some.
        let attributes = answer.attributes.ok_or_else(|| unreadable("sqs:GetQueueAttributes", &tried))?.into_iter();
        Ok(Some(attributes.map(|(name, value)| (name.as_str().to_owned(), value)).collect()))
    }

    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListQueueTags.html>
    pub(crate) async fn list_queue_tags(&self, queue: &str, url: &str) -> Result<Option<Tags>, Error> {
        let request = || self.clients.sqs.list_queue_tags().queue_url(url);
        let answer = send!("sqs:ListQueueTags", format!("read the tags of queue `{queue}`"), request());
        let answer = absent(answer, &NO_QUEUE)?;
        if answer.is_none() {
            self.urls().remove(queue);
        }
        Ok(answer.map(|answer| answer.tags.unwrap_or_default().into_iter().collect()))
    }
}

impl Writer {
    /// With attributes, policy and tags in the one call
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html>.
    pub(crate) async fn create_queue(&self, queue: &str, attributes: &Tags, tags: &Tags) -> Result<(), Error> {
        let tags: HashMap<_, _> = tags.clone().into_iter().collect();
        let request = || {
            let request = self.clients().sqs.create_queue().queue_name(queue);
            request.set_attributes(Some(attribute_names(attributes))).set_tags(Some(tags.clone()))
        };
        let tried = format!("create queue `{queue}`");
        let answer = send!("sqs:CreateQueue", &tried, request())?;
        let url = answer.queue_url.ok_or_else(|| unreadable("sqs:CreateQueue", &tried))?;
        self.reader.urls().insert(queue.to_owned(), url);
        Ok(())
    }

    /// Only the attributes named <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html>.
    pub(crate) async fn set_queue_attributes(&self, queue: &str, url: &str, attributes: &Tags) -> Result<(), Error> {
        let request = || {
            let request = self.clients().sqs.set_queue_attributes().queue_url(url);
            request.set_attributes(Some(attribute_names(attributes)))
        };
        send!("sqs:SetQueueAttributes", format!("write the attributes of queue `{queue}`"), request()).map(|_| ())
    }

    /// Adds to the tags there are <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_TagQueue.html>.
    pub(crate) async fn tag_queue(&self, queue: &str, url: &str, tags: &Tags) -> Result<(), Error> {
        let tags: HashMap<_, _> = tags.clone().into_iter().collect();
        let request = || self.clients().sqs.tag_queue().queue_url(url).set_tags(Some(tags.clone()));
        send!("sqs:TagQueue", format!("write the tags of queue `{queue}`"), request()).map(|_| ())
    }

    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_UntagQueue.html>
    pub(crate) async fn untag_queue(&self, queue: &str, url: &str, keys: &[&str]) -> Result<(), Error> {
        let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        let request = || self.clients().sqs.untag_queue().queue_url(url).set_tag_keys(Some(keys.clone()));
        send!("sqs:UntagQueue", format!("remove our tags of queue `{queue}`"), request()).map(|_| ())
    }

    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteQueue.html>
    pub(crate) async fn delete_queue(&self, queue: &str, url: &str) -> Result<(), Error> {
        let request = || self.clients().sqs.delete_queue().queue_url(url);
        let answer = send!("sqs:DeleteQueue", format!("delete queue `{queue}`"), request());
        self.reader.urls().remove(queue);
        absent(answer, &NO_QUEUE).map(|_| ())
    }

    /// At most ten messages, hidden from others for so long; waits for the first, at most twenty seconds
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html>.
    pub(crate) async fn receive_message(
        &self,
        queue: &str,
        url: &str,
        wait: Duration,
        hidden: Duration,
    ) -> Result<Vec<Message>, Error> {
        let request = || {
            let request = self.clients().sqs.receive_message().queue_url(url).max_number_of_messages(10);
            let request = request.wait_time_seconds(seconds(wait)).visibility_timeout(seconds(hidden));
            request.message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
        };
        let tried = format!("receive from queue `{queue}`");
        let answer = send!("sqs:ReceiveMessage", &tried, request())?;
        let message = |message: aws_sdk_sqs::types::Message| {
            let count = message.attributes.unwrap_or_default();
            let count =
                count.get(&MessageSystemAttributeName::ApproximateReceiveCount).and_then(|count| count.parse().ok());
            let receipt = message.receipt_handle.ok_or_else(|| unreadable("sqs:ReceiveMessage", &tried))?;
            Ok(Message { body: message.body.unwrap_or_default(), receipt, received: count.unwrap_or(1) })
        };
        answer.messages.unwrap_or_default().into_iter().map(message).collect()
    }

    /// Let others receive a message again at once. One that is not hidden any more, they can
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html>.
    pub(crate) async fn change_message_visibility(&self, queue: &str, url: &str, receipt: &str) -> Result<(), Error> {
        let request = || {
            let request = self.clients().sqs.change_message_visibility().queue_url(url).receipt_handle(receipt);
            request.visibility_timeout(0)
        };
        let tried = format!("give back a message of queue `{queue}`");
        let answer = send!("sqs:ChangeMessageVisibility", tried, request());
        absent(answer, &["MessageNotInflight", "ReceiptHandleIsInvalid"]).map(|_| ())
    }

    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessage.html>
    pub(crate) async fn delete_message(&self, queue: &str, url: &str, receipt: &str) -> Result<(), Error> {
        let request = || self.clients().sqs.delete_message().queue_url(url).receipt_handle(receipt);
        send!("sqs:DeleteMessage", format!("delete a message of queue `{queue}`"), request()).map(|_| ())
    }
}

/// Whole seconds, as SQS takes them.
fn seconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_secs()).unwrap_or(i32::MAX)
}

fn attribute_names(attributes: &Tags) -> HashMap<QueueAttributeName, String> {
    attributes.iter().map(|(name, value)| (QueueAttributeName::from(name.as_str()), value.clone())).collect()
}
