//! Security Token Service.

use super::call::Call;
use super::error::{Error, Reply};
use super::query::{Form, answer, element};

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

pub(super) fn serve(call: &Call<'_>) -> Reply {
    match call.name() {
        "GetCallerIdentity" => get_caller_identity(call),
        _ => Err(Error::unserved(&call.operation)),
    }
}

/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>
fn get_caller_identity(call: &Call<'_>) -> Reply {
    Form::of(call).end()?;
    let account = call.caller.account()?;
    let identity = [
        element("Arn", &call.caller.user()),
        element("UserId", &format!("AIDA{account}SANDBOX")),
        element("Account", account),
    ];
    answer(call, NAMESPACE, &identity.concat())
}
