//! S3 Control on an endpoint that is not AWS's own.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextMut;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// The header that names the account beside the host <https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_TagResource.html>.
const ACCOUNT: &str = "x-amz-account-id";

/// Takes the account off the host's name again: the SDK calls `<account>.<endpoint>`, which only AWS's own domain has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WithoutAccountInHost;

impl Intercept for WithoutAccountInHost {
    fn name(&self) -> &'static str {
        "without account in host"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        let Some(account) = request.headers().get(ACCOUNT).map(str::to_owned) else { return Ok(()) };
        let uri = request.uri().replacen(&format!("//{account}."), "//", 1);
        request.set_uri(uri)?;
        Ok(())
    }
}
