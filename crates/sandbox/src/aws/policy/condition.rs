//! Conditions <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>.

use std::collections::BTreeMap;

use super::{Kind, Problem, Texts};
use crate::aws::wildcard::matches;

type Conditions = BTreeMap<String, BTreeMap<String, Texts>>;

/// An operator taken apart: `ForAnyValue:StringNotLikeIfExists`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Operator<'a> {
    negated: bool,
    /// Whether a key without a value fits.
    if_exists: bool,
    /// Every value must fit, and none is needed.
    all: bool,
    base: Base<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Base<'a> {
    StringEquals,
    StringEqualsIgnoreCase,
    StringLike,
    /// `ArnEquals` and `ArnLike` are the same.
    Arn,
    Bool,
    Null,
    /// Known to AWS and not evaluated here.
    Unserved(&'a str),
}

/// Operators that the sandbox does not evaluate: no set-up of ours or of the tests' others has them.
const UNSERVED: [&str; 15] = [
    "NumericEquals",
    "NumericNotEquals",
    "NumericLessThan",
    "NumericLessThanEquals",
    "NumericGreaterThan",
    "NumericGreaterThanEquals",
    "DateEquals",
    "DateNotEquals",
    "DateLessThan",
    "DateLessThanEquals",
    "DateGreaterThan",
    "DateGreaterThanEquals",
    "BinaryEquals",
    "IpAddress",
    "NotIpAddress",
];

impl<'a> Operator<'a> {
    fn parse(name: &'a str) -> Option<Self> {
        let (all, name) = match (name.strip_prefix("ForAllValues:"), name.strip_prefix("ForAnyValue:")) {
            (Some(name), _) => (true, name),
            (_, Some(name)) => (false, name),
            _ => (false, name),
        };
        let (if_exists, name) = name.strip_suffix("IfExists").map_or((false, name), |name| (true, name));
        let (negated, base) = match name {
            "StringEquals" => (false, Base::StringEquals),
            "StringNotEquals" => (true, Base::StringEquals),
            "StringEqualsIgnoreCase" => (false, Base::StringEqualsIgnoreCase),
            "StringNotEqualsIgnoreCase" => (true, Base::StringEqualsIgnoreCase),
            "StringLike" => (false, Base::StringLike),
            "StringNotLike" => (true, Base::StringLike),
            "ArnEquals" | "ArnLike" => (false, Base::Arn),
            "ArnNotEquals" | "ArnNotLike" => (true, Base::Arn),
            "Bool" => (false, Base::Bool),
            "Null" if !if_exists => (false, Base::Null),
            name if UNSERVED.contains(&name) => (false, Base::Unserved(name)),
            _ => return None,
        };
        Some(Self { negated, if_exists, all, base })
    }

    fn holds(self, wanted: &[String], found: &[&str]) -> bool {
        if self.base == Base::Null {
            return wanted.iter().any(|wanted| wanted == if found.is_empty() { "true" } else { "false" });
        }
        if found.is_empty() {
            return self.if_exists || self.negated || self.all;
        }
        let fits = |found: &&str| wanted.iter().any(|wanted| self.base.fits(wanted, found)) != self.negated;
        if self.all { found.iter().all(fits) } else { found.iter().any(fits) }
    }
}

impl Base<'_> {
    fn fits(self, wanted: &str, found: &str) -> bool {
        match self {
            Self::StringEquals => wanted == found,
            Self::StringEqualsIgnoreCase | Self::Bool => wanted.eq_ignore_ascii_case(found),
            Self::StringLike => matches(wanted, found),
            Self::Arn => arn_matches(wanted, found),
            Self::Null | Self::Unserved(_) => false,
        }
    }
}

/// Each of the six fields is matched by itself: a `*` does not reach over a colon.
fn arn_matches(pattern: &str, arn: &str) -> bool {
    let (pattern, arn): (Vec<_>, Vec<_>) = (pattern.splitn(6, ':').collect(), arn.splitn(6, ':').collect());
    pattern.len() == arn.len() && pattern.iter().zip(&arn).all(|(pattern, field)| matches(pattern, field))
}

/// Whether all conditions hold. Keys have no case.
pub(super) fn hold(conditions: &Conditions, context: &[(&str, &str)]) -> bool {
    let holds = |(name, keys): (&String, &BTreeMap<String, Texts>)| {
        let Some(operator) = Operator::parse(name) else { return false };
        keys.iter().all(|(key, wanted)| {
            let found = context.iter().filter(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| *value);
            operator.holds(&wanted.0, &found.collect::<Vec<_>>())
        })
    };
    conditions.iter().all(holds)
}

/// Keys that a call may have here, or that none has: nobody is in an organization, in a network of his own, or has tags.
const KEYS: [&str; 16] = [
    "aws:SecureTransport",
    "aws:SourceIp",
    "aws:PrincipalArn",
    "aws:PrincipalAccount",
    "aws:SourceArn",
    "aws:SourceAccount",
    "aws:SourceOwner",
    "aws:SourceOrgID",
    "aws:SourceOrgPaths",
    "aws:SourceVpc",
    "aws:SourceVpce",
    "aws:VpcSourceIp",
    "aws:PrincipalOrgID",
    "aws:PrincipalOrgPaths",
    "aws:PrincipalServiceName",
    "s3:prefix",
];

/// Whether the operators are known, and evaluated here, with keys that are supplied where the policy decides on calls.
pub(super) fn check(conditions: &Conditions, kind: Kind<'_>) -> Result<(), Problem> {
    for (name, keys) in conditions {
        match Operator::parse(name).map(|operator| operator.base) {
            None => return Err(format!("Invalid Condition type : {name}").into()),
            Some(Base::Unserved(name)) => return Err(Problem::Unserved(format!("the condition {name}"))),
            Some(_) => {}
        }
        let decides = matches!(kind, Kind::Bucket(_) | Kind::Queue | Kind::Identity);
        let tag = |key: &String| kind == Kind::Identity && key.to_ascii_lowercase().starts_with("aws:resourcetag/");
        if let Some(key) = keys.keys().find(|key| decides && !is_supplied(key) && !tag(key)) {
            return Err(Problem::Unserved(format!("the condition key {key}")));
        }
    }
    Ok(())
}

fn is_supplied(key: &str) -> bool {
    KEYS.iter().any(|known| known.eq_ignore_ascii_case(key))
        || key.to_ascii_lowercase().starts_with("aws:principaltag/")
}

/// Whether a condition lets in a fixed set only
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html#access-control-block-public-access-policy-status>.
pub(super) fn narrows(conditions: &Conditions) -> bool {
    const KEYS: [&str; 9] = [
        "aws:SourceArn",
        "aws:SourceAccount",
        "aws:SourceVpc",
        "aws:SourceVpce",
        "aws:SourceOwner",
        "aws:userid",
        "aws:PrincipalArn",
        "aws:PrincipalAccount",
        "aws:PrincipalOrgID",
    ];
    conditions.iter().any(|(name, keys)| {
        let positive = Operator::parse(name).is_some_and(|operator| {
            !operator.negated && !operator.if_exists && !matches!(operator.base, Base::Bool | Base::Null)
        });
        positive
            && keys.iter().any(|(key, wanted)| {
                KEYS.iter().any(|known| known.eq_ignore_ascii_case(key))
                    && wanted.0.iter().all(|value| fixed(key, value))
            })
    })
}

/// A pattern is fixed if it keeps the account, or for a bucket's ARN the name.
fn fixed(key: &str, value: &str) -> bool {
    if !value.contains('*') && !value.contains('?') {
        return true;
    }
    let arn: Vec<_> = value.splitn(6, ':').collect();
    key.to_ascii_lowercase().ends_with("arn") && arn.len() == 6 && !arn[4].is_empty() && !arn[4].contains(['*', '?'])
}
