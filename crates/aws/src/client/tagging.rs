//! Tags of anything by its ARN: calls of Resource Groups Tagging and S3 Control.

use std::collections::BTreeSet;

use aws_sdk_resourcegroupstagging::types::TagFilter;
use provision_core::Error;
use provision_core::mark::Tags;

use crate::client::{Reader, Writer, unbuilt};
use crate::error::unreadable;

/// The most resources of a page, of which there are half as many unless told otherwise
/// (<https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html>).
const LARGEST_PAGE: i32 = 100;

impl Reader {
    /// ARNs and tags of what carries one of these values, or any where none is named
    /// <https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html>.
    pub(crate) async fn get_resources(&self, key: &str, values: &[String]) -> Result<Vec<(String, Tags)>, Error> {
        let filter = TagFilter::builder().key(key).set_values((!values.is_empty()).then(|| values.to_vec())).build();
        let mut found = Vec::new();
        // A page that leads back to an earlier one would be read for ever.
        let (mut page, mut seen) = (None::<String>, BTreeSet::new());
        loop {
            let request = || {
                let request = self.clients.tagging.get_resources().tag_filters(filter.clone());
                let request = request.resource_type_filters("s3").resource_type_filters("sqs");
                let request = request.resources_per_page(LARGEST_PAGE);
                request.set_pagination_token(page.clone())
            };
            let tried = "list what carries this deployment's tags";
            let answer = send!("tag:GetResources", tried, request())?;
            let mappings = answer.resource_tag_mapping_list.ok_or_else(|| unreadable("tag:GetResources", tried))?;
            for mapping in mappings {
                let tags = mapping.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect();
                found.extend(mapping.resource_arn.map(|arn| (arn, tags)));
            }
            page = answer.pagination_token.filter(|token| !token.is_empty());
            match &page {
                None => return Ok(found),
                Some(token) if !seen.insert(token.clone()) => return Err(unreadable("tag:GetResources", tried)),
                Some(_) => {}
            }
        }
    }
}

impl Writer {
    /// Adds to the tags there are <https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_TagResource.html>.
    pub(crate) async fn tag_resource(&self, arn: &str, account: &str, tags: &Tags) -> Result<(), Error> {
        let tag = |(key, value): (&String, &String)| {
            aws_sdk_s3control::types::Tag::builder().key(key).value(value).build().map_err(unbuilt)
        };
        let tags: Vec<_> = tags.iter().map(tag).collect::<Result<_, _>>()?;
        let request = || {
            let request = self.clients().s3control.tag_resource().account_id(account).resource_arn(arn);
            request.set_tags(Some(tags.clone()))
        };
        send!("s3:TagResource", format!("write the tags of `{arn}`"), request()).map(|_| ())
    }

    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_UntagResource.html>
    pub(crate) async fn untag_resource(&self, arn: &str, account: &str, keys: &[&str]) -> Result<(), Error> {
        let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        let request = || {
            let request = self.clients().s3control.untag_resource().account_id(account).resource_arn(arn);
            request.set_tag_keys(Some(keys.clone()))
        };
        send!("s3:UntagResource", format!("remove our tags of `{arn}`"), request()).map(|_| ())
    }
}
