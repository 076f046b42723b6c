//! AWS, on every backend: what is disturbed, and what must be there afterwards.

use std::process::Child;

use provision_sandbox::aws::answers::s3;
use provision_sandbox::fault::{What, When};
use provision_sandbox::layer::FaultLayer;
use provision_tests::backend::Backend;
use provision_tests::rig::Rig;

use super::{Sweep, World};
use crate::lifecycle::{PLAN, apply, planned};
use crate::sharing::{MADE, THEIRS, adopting};

/// A run that is disturbed.
pub(super) struct Scenario {
    /// Makes the world before the run; gives what others have in it, to be compared afterwards.
    prepare: fn(&Rig) -> String,
    /// The command; `{s}` stands for the suffix.
    arguments: &'static [&'static str],
    /// Looks at the world after the command was run again without a fault.
    check: fn(&Rig, &str),
}

const APPLIED: &str = "
b = 'acme-{s}'
print(len(s3.get_bucket_cors(Bucket=b)['CORSRules']), len(json.loads(s3.get_bucket_policy(Bucket=b)['Policy'])['Statement']),
  len(s3.get_bucket_notification_configuration(Bucket=b)['QueueConfigurations']), len(iam.list_role_policies(RoleName='node')['PolicyNames']),
  sorted(u.rsplit('/')[-1][len(b):] for u in sqs.list_queues()['QueueUrls']),
  all('provision-spec' in sqs.list_queue_tags(QueueUrl=u)['Tags'] for u in sqs.list_queues()['QueueUrls']))";

fn is_applied_once(rig: &Rig, _: &str) {
    let plan = rig.run(&["aws", "plan"]);
    assert!(plan.stdout.contains("No changes."), "{}", plan.stdout);
    assert!(!plan.stdout.contains("orphan"), "{}", plan.stdout);
    assert_eq!(rig.boto3(APPLIED), "1 1 1 1 ['-events', '-runs'] True");
}

fn nothing_is_left(rig: &Rig, _: &str) {
    let left = rig.boto3(
        "print([b['Name'] for b in s3.list_buckets()['Buckets'] if b['Name'] == 'acme-{s}'], sqs.list_queues().get('QueueUrls', []),
  iam.list_role_policies(RoleName='node')['PolicyNames'])",
    );
    assert_eq!(left, "[] [] []");
}

pub(super) const APPLY: Scenario =
    Scenario { prepare: |_| String::new(), arguments: &["aws", "apply", "--yes"], check: is_applied_once };

pub(super) const UPDATE: Scenario = Scenario {
    prepare: |rig| {
        apply(rig);
        let changed = PLAN
            .replace("wandb.example.com", "moved.example.com")
            .replace("[aws.queue]", "versioning = true\n[aws.queue]")
            .replace("[aws.run_queue]", "visibility_timeout_s = 99\nsenders = \"anyone\"\n[aws.run_queue]")
            .replace("role = \"node\"", "role = \"node\"\ngrant = \"all\"");
        rig.write("provision.toml", &changed);
        String::new()
    },
    arguments: &["aws", "apply", "--yes"],
    check: is_applied_once,
};

pub(super) const RENAME: Scenario = Scenario {
    prepare: |rig| {
        apply(rig);
        let renamed = PLAN.replace("name = \"wandb-{s}\"", "name = \"new-{s}\"\nwas = \"wandb-{s}\"");
        rig.write("provision.toml", &renamed);
        String::new()
    },
    arguments: &["aws", "apply", "--yes"],
    check: |rig, others| {
        is_applied_once(rig, others);
        rig.write("provision.toml", &PLAN.replace("name = \"wandb-{s}\"", "name = \"new-{s}\""));
        assert_eq!(rig.run(&["aws", "drift"]).code, 0, "its former name is not needed any more");
    },
};

pub(super) const ADOPT: Scenario = Scenario {
    prepare: |rig| {
        rig.write("provision.toml", &adopting());
        rig.boto3(&format!("{THEIRS}{MADE}"))
    },
    arguments: &["aws", "apply", "--yes"],
    check: |rig, others| {
        assert!(rig.run(&["aws", "plan"]).stdout.contains("No changes."));
        assert_eq!(rig.boto3(&format!("{THEIRS}snapshot()")), others);
    },
};

pub(super) const RELEASE: Scenario = Scenario {
    prepare: |rig| {
        let others = (ADOPT.prepare)(rig);
        apply(rig);
        others
    },
    arguments: &["aws", "destroy", "--yes"],
    check: |rig, others| {
        assert_eq!(rig.boto3(&format!("{THEIRS}snapshot()")), others);
        let left = "print('provision' in str(s3.get_bucket_tagging(Bucket='acme-{s}')['TagSet']).lower(), len(s3.get_bucket_cors(Bucket='acme-{s}')['CORSRules']))";
        assert_eq!(rig.boto3(left), "False 1");
    },
};

pub(super) const DESTROY: Scenario = Scenario {
    prepare: |rig| {
        apply(rig);
        String::new()
    },
    arguments: &["aws", "destroy", "--yes"],
    check: nothing_is_left,
};

pub(super) const DELETE_DATA: Scenario = Scenario {
    prepare: |rig| {
        apply(rig);
        rig.boto3(
            "b = 'acme-{s}'; s3.put_bucket_versioning(Bucket=b, VersioningConfiguration={'Status': 'Enabled'})
for k in ['a', 'b', 'a']: s3.put_object(Bucket=b, Key=k, Body=b'')
s3.delete_object(Bucket=b, Key='a'); s3.create_multipart_upload(Bucket=b, Key='open')",
        );
        String::new()
    },
    arguments: &["aws", "destroy", "--yes", "--delete-data", "acme-{s}"],
    check: nothing_is_left,
};

/// A rig, and what others have in it.
pub(super) struct Prepared {
    rig: Rig,
    others: String,
    scenario: &'static Scenario,
}

impl World for Prepared {
    fn layer(&self) -> &FaultLayer {
        &self.rig.proxy
    }

    fn start(&self) -> Child {
        let arguments = self.scenario.arguments.iter().map(|argument| argument.replace("{s}", &self.rig.suffix));
        self.rig.start(&arguments.collect::<Vec<_>>().iter().map(String::as_str).collect::<Vec<_>>(), |_| {})
    }

    fn check(&self, _: &str) {
        (self.scenario.check)(&self.rig, &self.others);
    }
}

/// A scenario on a backend. Points are tried one after the other: other tests share the server.
pub(super) fn sweep(backend: Backend, scenario: &'static Scenario) -> Sweep<Prepared> {
    let prepare = move || {
        let rig = planned(backend);
        let others = (scenario.prepare)(&rig);
        Prepared { rig, others, scenario }
    };
    Sweep {
        prepare: Box::new(prepare),
        ways: ways(),
        uncrossed: &[],
        says: |operation| operation.to_owned(),
        at_once: 1,
    }
}

/// Every way in which a call fails.
fn ways() -> Vec<(When, What)> {
    let internal = || s3(500, "InternalError", "We encountered an internal error. Please try again.");
    let denied = || s3(403, "AccessDenied", "not authorized to perform this action");
    super::ways(internal(), denied())
}
