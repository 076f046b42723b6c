//! Protection, content, `--delete-data`.

use crate::lifecycle::{PLAN, applied};
use provision_tests::backend::Backend;

cases! {
    destroy_refuses_a_protected_deployment,
    destroy_refuses_content_with_counts_and_deletes_it_on_request,
    destroy_refuses_an_object_that_arrives_at_the_last_moment,
}

fn destroy_refuses_a_protected_deployment(backend: Backend) {
    let rig = applied(backend);
    rig.write("provision.toml", &PLAN.replace("[aws.queue]", "protect = true\n[aws.queue]"));
    let ran = rig.run(&["aws", "destroy", "--yes"]);
    assert!(ran.code == 6 && ran.stderr.contains("protect = false"), "{}", ran.stderr);
    assert!(rig.proxy.writes().is_empty());
}

fn destroy_refuses_content_with_counts_and_deletes_it_on_request(backend: Backend) {
    let rig = applied(backend);
    rig.boto3(
        "b = 'acme-{s}'
s3.put_bucket_versioning(Bucket=b, VersioningConfiguration={'Status': 'Enabled'})
for i in range(1100): s3.put_object(Bucket=b, Key=f'k{i}', Body=b'')
s3.delete_object(Bucket=b, Key='k0')
s3.create_multipart_upload(Bucket=b, Key='open')",
    );
    let refused = rig.run(&["aws", "destroy", "--yes"]);
    assert_eq!(refused.code, 6);
    assert!(refused.stderr.contains("1,000+ objects and versions, 1 open upload"), "{}", refused.stderr);
    assert!(rig.proxy.writes().is_empty());
    assert_eq!(rig.run(&["aws", "destroy", "--yes", "--delete-data", "another"]).code, 64);
    let name = format!("acme-{}", rig.suffix);
    let emptied = rig.run(&["aws", "destroy", "--yes", "--delete-data", &name]);
    assert_eq!(emptied.code, 0, "{}{}", emptied.stdout, emptied.stderr);
    assert!(emptied.stderr.contains("objects and versions deleted"), "{}", emptied.stderr);
    let operations: Vec<_> = rig.proxy.writes();
    let place = |name: &str| operations.iter().position(|operation| operation == name).unwrap();
    assert!(place("iam:DeleteRolePolicy") < place("s3:DeleteObjects"), "the writers' access goes first");
    assert_eq!(
        rig.run(&["aws", "destroy", "--yes", "--delete-data", &name]).code,
        0,
        "destroying what is gone succeeds"
    );
}

fn destroy_refuses_an_object_that_arrives_at_the_last_moment(backend: Backend) {
    let rig = applied(backend);
    let (address, account, bucket) = (backend.address(), rig.account.clone(), format!("acme-{}", rig.suffix));
    rig.proxy.hook("s3:DeleteBucket", 1, move || {
        let put = format!("s3.put_object(Bucket='{bucket}', Key='late', Body=b'')");
        let _ = provision_tests::boto3::run(&format!("http://{address}"), &account, &put);
    });
    let ran = rig.run(&["aws", "destroy", "--yes"]);
    assert_eq!(ran.code, 6, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("1 object or version"), "{}", ran.stderr);
    assert_eq!(rig.run(&["aws", "drift"]).code, 0, "nothing else was taken down");
}
