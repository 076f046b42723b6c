use serde_json::{Value, json};

use super::*;

const BUCKET: &str = "arn:aws:s3:::b";
const QUEUE: &str = "arn:aws:sqs:eu-west-1:000000000001:q";

fn queue_policy(condition: &Value) -> Policy {
    let statement = json!({"Sid": "S3", "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sqs:SendMessage", "Resource": QUEUE, "Condition": condition});
    let document = json!({"Version": "2012-10-17", "Statement": [statement]});
    Policy::parse(&document.to_string(), Kind::Queue).unwrap()
}

fn send<'a>(context: &[(&'a str, &'a str)]) -> Attempt<'a> {
    let principal = Principal::Service("s3.amazonaws.com");
    Attempt { principal, action: "sqs:SendMessage", resource: QUEUE, context: context.to_vec() }
}

#[test]
fn bucket_may_send_if_every_condition_holds() {
    let policy = queue_policy(&json!({"ArnEquals": {"aws:SourceArn": BUCKET},
        "StringEquals": {"AWS:sourceaccount": "000000000001"}}));
    let decide = |arn, account| policy.decide(&send(&[("aws:SourceArn", arn), ("aws:SourceAccount", account)]));
    assert_eq!(decide(BUCKET, "000000000001"), Decision::Allow);
    assert_eq!(decide("arn:aws:s3:::bb", "000000000001"), Decision::Silent);
    assert_eq!(decide(BUCKET, "000000000002"), Decision::Silent);
    let other = Attempt { principal: Principal::Service("sns.amazonaws.com"), ..send(&[]) };
    assert_eq!(queue_policy(&json!({})).decide(&other), Decision::Silent);
}

#[test]
fn everybody_is_services_too() {
    for principal in [json!("*"), json!({"AWS": "*"}), json!({"AWS": ["*"]})] {
        let statement =
            json!({"Effect": "Allow", "Principal": principal, "Action": "SQS:SendMessage", "Resource": "*"});
        let policy = Policy::parse(&json!({"Statement": statement}).to_string(), Kind::Queue).unwrap();
        assert_eq!(policy.decide(&send(&[])), Decision::Allow, "{principal}");
    }
}

#[test]
fn conditions_by_operator() {
    let cases = [
        (json!({"ArnLike": {"aws:SourceArn": "arn:aws:s3:*:*:b"}}), true),
        (json!({"ArnLike": {"aws:SourceArn": "arn:aws:s3*"}}), false),
        (json!({"ArnLike": {"aws:SourceArn": ["x", "arn:aws:s3:::*"]}}), true),
        (json!({"ArnNotLike": {"aws:SourceArn": "arn:aws:s3:::*"}}), false),
        (json!({"StringLike": {"aws:SourceArn": "arn:aws:s3*"}}), true),
        (json!({"StringNotEquals": {"aws:SourceArn": BUCKET}}), false),
        (json!({"StringNotEquals": {"aws:SourceVpce": "x"}}), true),
        (json!({"StringEquals": {"aws:SourceVpce": "x"}}), false),
        (json!({"StringEqualsIfExists": {"aws:SourceVpce": "x"}}), true),
        (json!({"Null": {"aws:SourceVpce": "true"}}), true),
        (json!({"Null": {"aws:SourceArn": true}}), false),
        (json!({"Bool": {"aws:SecureTransport": true}}), true),
        (json!({"Bool": {"aws:SecureTransport": "false"}}), false),
        (json!({"ForAllValues:StringEquals": {"aws:SourceVpce": "x"}}), true),
        (json!({"ForAnyValue:StringLike": {"aws:SourceArn": "*"}}), true),
    ];
    for (condition, holds) in cases {
        let context = [("aws:SourceArn", BUCKET), ("aws:SecureTransport", "true")];
        let expected = if holds { Decision::Allow } else { Decision::Silent };
        assert_eq!(queue_policy(&condition).decide(&send(&context)), expected, "{condition}");
    }
}

fn bucket_policy(statements: Value) -> Result<Policy, Problem> {
    Policy::parse(&json!({"Version": "2012-10-17", "Statement": statements}).to_string(), Kind::Bucket("b"))
}

#[test]
fn denial_wins_and_applies_to_what_it_names() {
    let policy = bucket_policy(json!([
        {"Effect": "Allow", "Principal": {"AWS": "000000000002"}, "Action": "s3:*", "Resource": "arn:aws:s3:::b/*"},
        {"Effect": "Deny", "Principal": "*", "NotAction": "s3:Get*", "Resource": "arn:aws:s3:::b/secret/*"}
    ]))
    .unwrap();
    let decide = |account, action, resource| {
        policy.decide(&Attempt { principal: Principal::Account(account), action, resource, context: Vec::new() })
    };
    assert_eq!(decide("000000000002", "s3:PutObject", "arn:aws:s3:::b/x"), Decision::Allow);
    assert_eq!(decide("000000000003", "s3:PutObject", "arn:aws:s3:::b/x"), Decision::Silent);
    assert_eq!(decide("000000000002", "s3:PutObject", "arn:aws:s3:::b/secret/x"), Decision::Deny);
    assert_eq!(decide("000000000002", "S3:getObject", "arn:aws:s3:::b/secret/x"), Decision::Allow);
}

#[test]
fn malformed_documents_are_refused() {
    let deny = || json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::b"});
    assert!(bucket_policy(json!([deny()])).is_ok());
    assert!(bucket_policy(deny()).is_ok());
    for action in ["*", "s3:*", "s3:getobject", "s3:Get*", "s3:*Bucket?ersions"] {
        let mut named = deny();
        named["Action"] = json!(action);
        assert!(bucket_policy(named).is_ok(), "{action}");
    }
    let with = |key: &str, value: Value| {
        let mut statement = deny();
        statement[key] = value;
        bucket_policy(json!([statement]))
    };
    let without = |key: &str| {
        let mut statement = deny();
        statement.as_object_mut().unwrap().remove(key);
        bucket_policy(json!([statement]))
    };
    let refused = [
        bucket_policy(json!([])),
        bucket_policy(json!([{"Sid": "a", "Effect": "Deny"}])),
        with("Effect", json!("Perhaps")),
        with("Actions", json!("s3:*")),
        with("NotAction", json!("s3:*")),
        with("Action", json!("sqs:SendMessage")),
        with("Action", json!("s3:GetEverything")),
        with("Action", json!(["s3:GetObject", "s3:Fetch*"])),
        with("Resource", json!("arn:aws:s3:::other/*")),
        with("Resource", json!("arn:aws:s3:::bb")),
        with("Resource", json!("arn:aws:s3:::*/*")),
        with("Principal", json!({"Robot": "*"})),
        with("Principal", json!({"AWS": "arn:aws:iam::*:root"})),
        with("Principal", json!({"AWS": "AROAEXAMPLEEXAMPLEEX"})),
        with("Condition", json!({"StringAlmostEquals": {"a": "b"}})),
        with("Condition", json!({"NumericLessThan": {"a": "1"}})),
        without("Principal"),
        without("Action"),
        without("Resource"),
        Policy::parse("{", Kind::Queue),
        Policy::parse(r#"{"Version":"2020-01-01","Statement":[]}"#, Kind::Queue),
        Policy::parse(&json!({"Statement": [deny()]}).to_string(), Kind::Role),
    ];
    for (index, refused) in refused.iter().enumerate() {
        assert!(refused.is_err(), "case {index}");
    }
}

#[test]
fn what_is_not_evaluated_is_said_by_name() {
    let with = |condition: Value| {
        let statement = json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::b",
            "Condition": condition});
        bucket_policy(json!([statement])).unwrap_err()
    };
    let unserved = |what: &str| Problem::Unserved(what.to_owned());
    assert_eq!(with(json!({"NumericLessThan": {"s3:max-keys": "1"}})), unserved("the condition NumericLessThan"));
    let key = "s3:x-amz-server-side-encryption";
    assert_eq!(with(json!({"Null": {key: "true"}})), unserved(&format!("the condition key {key}")));
    let allow = json!({"Effect": "Allow", "NotPrincipal": {"AWS": "000000000001"}, "Action": "s3:*",
        "Resource": "arn:aws:s3:::b"});
    assert!(matches!(bucket_policy(json!([allow])), Err(Problem::Malformed(_))));
}

#[test]
fn account_is_kept_as_its_root() {
    let document = r#"{"Statement":{"Principal":{"AWS":["000000000001","*"]},"Resource":"000000000001"}}"#;
    let kept =
        r#"{"Statement":{"Principal":{"AWS":["arn:aws:iam::000000000001:root","*"]},"Resource":"000000000001"}}"#;
    let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!(value(&with_roots(document)), value(kept));
    assert_eq!(with_roots(" {}"), " {}");
}

#[test]
fn public_policy_is_told_from_a_narrow_one() {
    let allow = |condition: Value| {
        let statement = json!({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::b/*", "Condition": condition});
        bucket_policy(json!([statement])).unwrap().is_public()
    };
    assert!(allow(json!({})));
    assert!(allow(json!({"Bool": {"aws:SecureTransport": "true"}})));
    assert!(allow(json!({"StringNotEquals": {"aws:SourceAccount": "000000000001"}})));
    assert!(!allow(json!({"StringEquals": {"aws:PrincipalOrgID": "o-1"}})));
    assert!(!allow(json!({"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:000000000001:*"}})));
    let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::b"});
    assert!(!bucket_policy(json!([deny])).unwrap().is_public());
}
