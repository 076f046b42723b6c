//! Calls of STS <https://docs.aws.amazon.com/STS/latest/APIReference/API_Operations.html>.

use provision_core::Error;
use provision_core::identity::Caller;

use crate::client::Reader;
use crate::error::unreadable;

impl Reader {
    /// Who the credentials belong to <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>.
    pub(crate) async fn get_caller_identity(&self) -> Result<Caller, Error> {
        let (operation, tried) = ("sts:GetCallerIdentity", "find out whose credentials these are");
        let answer = send!("sts:GetCallerIdentity", tried, self.clients.sts.get_caller_identity())?;
        match (answer.account, answer.arn) {
            (Some(account), Some(principal)) => Ok(Caller { account, principal }),
            _ => Err(unreadable(operation, tried)),
        }
    }
}
