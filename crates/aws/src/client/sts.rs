//! Calls of STS <https://docs.aws.amazon.com/STS/latest/APIReference/API_Operations.html>.

use provision_core::Error;

use crate::client::Reader;
use crate::error::unreadable;

/// Who the credentials belong to.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) account: String,
    pub(crate) arn: String,
}

impl Reader {
    /// Who the credentials belong to <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>.
    pub(crate) async fn get_caller_identity(&self) -> Result<Caller, Error> {
        let (operation, tried) = ("sts:GetCallerIdentity", "find out whose credentials these are");
        let answer = send!("sts:GetCallerIdentity", tried, self.clients.sts.get_caller_identity())?;
        match (answer.account, answer.arn) {
            (Some(account), Some(arn)) => Ok(Caller { account, arn }),
            _ => Err(unreadable(operation, tried)),
        }
    }
}
