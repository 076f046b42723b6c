//! Which rights are asked about on a role whose path is not in the plan file.

use crate::clouds::aws::hand::boto;
use crate::clouds::{AWS, wrote_nothing};
use crate::contract::preflight::{attach, document, without};

/// The role has a path, and the identity has rights on it there alone.
#[test]
fn role_is_asked_about_with_its_path() {
    let stage = AWS.planned();
    boto(
        &stage.hand(),
        "trust = iam.get_role(RoleName='node')['Role']['AssumeRolePolicyDocument']
iam.delete_role(RoleName='node')
iam.create_role(RoleName='node', Path='/team/', AssumeRolePolicyDocument=json.dumps(trust))",
    );
    let whole = document(&AWS, &stage, "apply");
    let at_path: Vec<_> = whole.lines().filter(|line| !line.ends_with(":role/node\",")).collect();
    let at_path = at_path.join("\n");
    assert!(at_path.len() < whole.len(), "{whole}");
    attach(&stage, &at_path);
    let planned = AWS.ends(&stage, 0, &["plan"]);
    assert!(!planned.to_lowercase().contains("rights"), "{planned}");
    attach(&stage, &without(&AWS, &at_path, "iam:PutRolePolicy"));
    let refused = AWS.ends(&stage, 1, &["apply", "--yes"]);
    assert!(
        refused.contains("cannot apply: a right is missing") && refused.contains("`iam:PutRolePolicy`"),
        "{refused}"
    );
    wrote_nothing(&stage);
}

/// Where nothing tells whether the role has a path, a right on it may be there: that is told, and no reason to stop.
#[test]
fn role_that_may_not_be_looked_up_may_have_a_path() {
    let stage = AWS.planned();
    let whole = document(&AWS, &stage, "apply").replace(", \"iam:GetRole\"", "");
    attach(&stage, &without(&AWS, &whole, "iam:PutRolePolicy"));
    let planned = AWS.run(&stage, &["plan", "-q"]);
    assert!(planned.stderr.contains("the role has a path, which `iam:GetRole` would tell"), "{}", planned.stderr);
}
