//! What a browser asks: presigned URLs, preflights, and what a page may see.

use std::time::Duration;

use provision_sandbox::{EmulatorKind, Sandbox};

use super::{Asked, ask, boto3, sandbox};

#[test]
fn presigned_urls_put_and_get_until_they_expire() {
    let sandbox = sandbox();
    let printed = boto3(
        &sandbox,
        "s3.create_bucket(Bucket='mine', CreateBucketConfiguration=HERE)
def fetch(url, **more):
    try: return urllib.request.urlopen(urllib.request.Request(url, **more)).read().decode()
    except urllib.error.HTTPError as error: return error.code
for version in ['s3v4', 's3']:
    signer = client('s3', config=Config(signature_version=version))
    url = lambda call: signer.generate_presigned_url(call, Params={'Bucket': 'mine', 'Key': 'run \u{e9}/x+y'}, ExpiresIn=60)
    # The older form signs the type.
    fetch(url('put_object'), data=version.encode(), method='PUT', headers={'content-type': ''})
    print(fetch(url('get_object')), fetch(url('get_object').split('?')[0]), url('get_object').split('/', 3)[3])",
    );
    let address = sandbox.address(EmulatorKind::Aws).unwrap();
    sandbox.world().clock.advance(Duration::from_secs(61));
    for (line, version) in printed.iter().zip(["s3v4", "s3"]) {
        let [body, unsigned, path] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        assert_eq!((body, unsigned), (version, "403"));
        let answer = ask(address, "GET", &format!("/{path}"), &[], "");
        assert!(answer.status == 403 && answer.body.contains("Request has expired"), "{version}: {}", answer.body);
    }
}

#[test]
fn presigned_url_that_was_signed_otherwise_is_refused() {
    let printed = boto3(
        &sandbox(),
        "s3.create_bucket(Bucket='mine', CreateBucketConfiguration=HERE)
def fetch(url, **more):
    try: return urllib.request.urlopen(urllib.request.Request(url, **more)).status
    except urllib.error.HTTPError as error: return '%d %s' % (error.code, error.read().decode().split('<Code>')[1].split('<')[0])
def signed(call, secret=None, **more):
    signer = client('s3', config=Config(signature_version='s3v4'), aws_access_key_id=os.environ['AWS_ACCESS_KEY_ID'],
        aws_secret_access_key=secret or os.environ['AWS_SECRET_ACCESS_KEY'])
    return signer.generate_presigned_url(call, Params={'Bucket': 'mine', 'Key': 'a b/x+y', **more}, ExpiresIn=60)
url = signed('put_object', ContentType='text/plain', Metadata={'a': 'b  c'})
headers = {'content-type': 'text/plain', 'x-amz-meta-a': 'b c'}
print(fetch(url, data=b'x', method='PUT', headers=headers))
print(fetch(url, data=b'x', method='PUT', headers={**headers, 'x-amz-meta-a': 'other'}))
print(fetch(url, data=b'x', method='PUT', headers={'content-type': 'text/plain'}))
print(fetch(url.replace('x%2By', 'other'), data=b'x', method='PUT', headers=headers))
print(fetch(signed('get_object')), fetch(signed('get_object', secret='wrong')))
print(fetch(signed('get_object') + '&versionId=1'), fetch(signed('get_object').replace('Expires=60', 'Expires=61')))
def older(secret=os.environ['AWS_SECRET_ACCESS_KEY'], **more):
    signer = client('s3', config=Config(signature_version='s3'), aws_access_key_id=os.environ['AWS_ACCESS_KEY_ID'],
        aws_secret_access_key=secret)
    return signer.generate_presigned_url('get_object', Params={'Bucket': 'mine', 'Key': 'a b/x+y', **more}, ExpiresIn=60)
print(fetch(older(ResponseContentType='text/plain')), fetch(older('wrong')), fetch(older().replace('x%2By', 'other')))
print(fetch(older() + '&response-content-type=text/html'))",
    );
    let wrong = "403 SignatureDoesNotMatch";
    let (once, twice) = (format!("200 {wrong}"), format!("{wrong} {wrong}"));
    assert_eq!(printed, ["200", wrong, wrong, wrong, &once, &twice, &format!("200 {twice}"), wrong]);
}

#[test]
fn preflights_are_answered_by_the_stored_rules() {
    let sandbox = sandbox();
    boto3(
        &sandbox,
        "s3.create_bucket(Bucket='mine', CreateBucketConfiguration=HERE)
s3.create_bucket(Bucket='without', CreateBucketConfiguration=HERE)
s3.put_bucket_cors(Bucket='mine', CORSConfiguration={'CORSRules': [
    {'AllowedOrigins': ['https://wandb.example.com', 'https://*.lab.example'], 'AllowedMethods': ['GET', 'HEAD', 'PUT'],
     'AllowedHeaders': ['*'], 'ExposeHeaders': ['ETag'], 'MaxAgeSeconds': 3000},
    {'AllowedOrigins': ['*'], 'AllowedMethods': ['GET'], 'AllowedHeaders': ['x-amz-*']}]})",
    );
    let origins = [
        ("https://wandb.example.com", true),
        ("https://a.lab.example", true),
        ("https://wandb.example.com:8443", false),
        ("http://wandb.example.com", false),
        ("https://evil.example", false),
        ("null", false),
    ];
    let methods = ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH"];
    let headers = ["", "content-type", "x-amz-date", "x-amz-date, Content-Type"];
    let mut allowed = 0;
    for (origin, ours) in origins {
        for method in methods {
            for header in headers {
                let answer = preflight(&sandbox, "/mine/key", origin, method, header);
                let everybody = method == "GET" && ["", "x-amz-date"].contains(&header);
                let first = ours && ["GET", "HEAD", "PUT"].contains(&method);
                let case = format!("{origin} {method} {header}");
                assert_eq!(answer.status, if first || everybody { 200 } else { 403 }, "{case}");
                let seen = answer.headers.get("access-control-allow-origin").map(String::as_str);
                let expected = if first { Some(origin) } else { everybody.then_some("*") };
                assert_eq!(seen, expected, "{case}");
                assert_eq!(answer.headers.contains_key("access-control-max-age"), first, "{case}");
                allowed += usize::from(answer.status == 200);
            }
        }
    }
    assert_eq!(allowed, 2 * 3 * 4 + 4 * 2);
    assert!(preflight(&sandbox, "/without/key", "https://x", "GET", "").body.contains("CORS is not enabled"));
    assert_eq!(preflight(&sandbox, "/none/key", "https://x", "GET", "").status, 403);
}

fn preflight(sandbox: &Sandbox, path: &str, origin: &str, method: &str, headers: &str) -> Asked {
    let mut asked = vec![("origin", origin), ("access-control-request-method", method)];
    if !headers.is_empty() {
        asked.push(("access-control-request-headers", headers));
    }
    ask(sandbox.address(EmulatorKind::Aws).unwrap(), "OPTIONS", path, &asked, "")
}

#[test]
fn answers_tell_a_page_what_it_may_see() {
    let sandbox = sandbox();
    let url = boto3(
        &sandbox,
        "s3.create_bucket(Bucket='mine', CreateBucketConfiguration=HERE)
s3.put_bucket_cors(Bucket='mine', CORSConfiguration={'CORSRules': [{'AllowedOrigins': ['https://a.example'],
    'AllowedMethods': ['GET', 'PUT'], 'AllowedHeaders': ['*'], 'ExposeHeaders': ['ETag']}]})
for call in ['put_object', 'get_object']: print(s3.generate_presigned_url(call, Params={'Bucket': 'mine', 'Key': 'k'}).split('/', 3)[3])",
    );
    let address = sandbox.address(EmulatorKind::Aws).unwrap();
    for (method, path) in [("PUT", &url[0]), ("GET", &url[1])] {
        for (origin, seen) in [("https://a.example", true), ("https://b.example", false)] {
            let answer = ask(
                address,
                method,
                &format!("/{path}"),
                &[("origin", origin)],
                if method == "PUT" { "hi" } else { "" },
            );
            assert_eq!(answer.status, 200, "{}", answer.body);
            let allowed = answer.headers.get("access-control-allow-origin").map(String::as_str);
            assert_eq!(allowed, seen.then_some(origin), "{method} {origin}");
            assert_eq!(answer.headers.contains_key("access-control-expose-headers"), seen);
        }
    }
}
