//! What a browser makes of the CORS rules that apply writes: a page of the server's origin and one of another put and get an object by
//! addresses that are signed as the server signs them. Where no Chromium is present, that is said and the case ends.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use provision_tests::python;
use provision_tests::stage::Stage;

use crate::clouds::{AWS, AZURE_WITH_DATA, CloudFixture, GCP};
use crate::sandbox_azure_clients::python as microsoft;
use crate::sandbox_google_clients::skip;

const PAGE: &str = "<!doctype html><body><script>
(async () => {
  let said;
  try {
    const put = await fetch('PUT_URL', { method: 'PUT', body: 'hello', headers: HEADERS });
    const got = await (await fetch('GET_URL')).text();
    said = `put ${put.status}, ETag ${put.headers.get('ETag') ? 'seen' : 'hidden'}, got ${got}`;
  } catch (error) {
    said = 'the browser refused';
  }
  document.body.innerText = said;
})();
</script></body>";

/// What browsers need to know of a cloud.
struct Browsed {
    cloud: &'static CloudFixture,
    /// Addresses of an object to put and to get, in turn; one pair for each way in which a server signs.
    signed: fn(&Stage) -> String,
    /// The headers that a page puts with, as an object.
    headers: &'static str,
    /// What the upload is called.
    upload: &'static str,
    /// Where the plan file says which methods pages may use.
    methods: (&'static str, &'static str),
    /// What Chromium is told besides.
    arguments: &'static [&'static str],
}

/// Signed by the role's key.
static ON_AWS: Browsed = Browsed {
    cloud: &AWS,
    signed: |stage| {
        let bucket = [("BUCKET".to_owned(), stage.fill(AWS.bucket))];
        printed(python::AWS.run(PRESIGNED, &[stage.environment(), bucket.to_vec()].concat()))
    },
    headers: "{ 'content-type': 'application/octet-stream' }",
    upload: "s3:PutObject",
    methods: ("[aws.queue]", "[aws.bucket.cors]\nmethods = [\"GET\", \"HEAD\"]\n[aws.queue]"),
    arguments: &[],
};

/// Signed by `signBlob` of the server's account.
static ON_GOOGLE: Browsed = Browsed {
    cloud: &GCP,
    signed: |stage| {
        let closed = [("NO_PROXY", "127.0.0.1"), ("HTTP_PROXY", "http://127.0.0.1:9")];
        let closed = closed.map(|(name, value)| (name.to_owned(), value.to_owned()));
        printed(python::GOOGLE.run(SIGN_BLOB, &[stage.environment(), closed.to_vec()].concat()))
    },
    headers: "{ 'content-type': 'application/octet-stream' }",
    upload: "storage.xml:PutObject",
    methods: ("[gcp.topic]", "[gcp.bucket.cors]\nmethods = [\"GET\", \"HEAD\"]\n[gcp.topic]"),
    arguments: &[],
};

/// Signed by the account's key, and by that of a user.
static ON_AZURE: Browsed = Browsed {
    cloud: &AZURE_WITH_DATA,
    signed: |stage| microsoft(stage.sandbox(), SHARED_ACCESS).join("\n"),
    headers: "{ 'content-type': 'application/octet-stream', 'x-ms-blob-type': 'BlockBlob' }",
    upload: "blob:PutBlob",
    methods: ("[azure.queue]", "[azure.cors]\nmethods = [\"GET\", \"HEAD\"]\n[azure.queue]"),
    // The authority is the sandbox's own.
    arguments: &["--ignore-certificate-errors"],
};

const PRESIGNED: &str = "
import boto3, os
from botocore.config import Config
s3 = boto3.client('s3', 'eu-west-1', config=Config(signature_version='s3v4', s3={'addressing_style': 'path'}))
for call in ('put_object', 'get_object'):
    print(s3.generate_presigned_url(call, Params={'Bucket': os.environ['BUCKET'], 'Key': 'run 1/k'}))
";

const SIGN_BLOB: &str = "
import base64, datetime, json, os, urllib.request
from google.auth.credentials import AnonymousCredentials, Signing
from google.cloud import storage
URL, SERVER = os.environ['STORAGE_EMULATOR_HOST'], 'wandb@acme-ml.iam.gserviceaccount.com'
class Server(Signing):
    signer, signer_email = None, SERVER
    def sign_bytes(self, message):
        body = json.dumps({'payload': base64.b64encode(message).decode()}).encode()
        answer = urllib.request.urlopen(f'{URL}/v1/projects/-/serviceAccounts/{SERVER}:signBlob', body)
        return base64.b64decode(json.load(answer)['signedBlob'])
blob = storage.Client(project='acme-ml', credentials=AnonymousCredentials()).bucket('acme-files').blob('run 1/k')
for method in ('PUT', 'GET'):
    print(blob.generate_signed_url(version='v4', expiration=datetime.timedelta(minutes=15), method=method, credentials=Server(),
        api_access_endpoint=URL))
";

const SHARED_ACCESS: &str = "
from datetime import datetime, timedelta, timezone
from azure.storage.blob import generate_blob_sas
def at(hours): return datetime.now(timezone.utc) + timedelta(hours=hours)
storage_key = storage.storage_accounts.list_keys('wandb', 'acmefiles').keys_property[0].value
user_key = blobs('acmefiles', by=credential).get_user_delegation_key(at(-1), at(6))
for by in ({'account_key': storage_key}, {'user_delegation_key': user_key}):
    for permission in ('cw', 'r'):
        sas = generate_blob_sas('acmefiles', 'wandb-files', 'run 1/k', permission=permission, expiry=at(1), **by)
        print(f\"{E['AZURE_STORAGE_BLOB_ENDPOINT']}/acmefiles/wandb-files/run%201/k?{sas}\")
";

mod page_of_the_server_puts_and_gets_and_another_is_refused {
    use super::{ON_AWS, ON_AZURE, ON_GOOGLE};

    #[test]
    fn aws() {
        ON_AWS.judge();
    }

    #[test]
    fn gcp() {
        ON_GOOGLE.judge();
    }

    #[test]
    fn azure() {
        ON_AZURE.judge();
    }
}

impl Browsed {
    fn judge(&self) {
        let Some(chromium) =
            ["/usr/bin/chromium", "/usr/bin/chromium-browser"].into_iter().find(|path| Path::new(path).exists())
        else {
            return skip("Chromium at /usr/bin/chromium");
        };
        let (ours, other) = (Origin::open(), Origin::open());
        // The rule that the browser judges is the one that apply makes.
        let stage = self.cloud.planned();
        let host = ("https://wandb.example.com", ours.name.as_str());
        self.cloud.change(&stage, &[host]);
        self.cloud.apply(&stage);
        let urls = (self.signed)(&stage);
        let urls: Vec<_> = urls.lines().collect();
        let uploads = || stage.faults().count(self.upload);
        for pair in urls.chunks(2) {
            let seen = self.shown(chromium, &ours, pair);
            let answers: Vec<_> = stage.calls().iter().map(|call| (call.operation.clone(), call.status)).collect();
            let put = ["put 200", "put 201"].iter().any(|put| seen.contains(&format!("{put}, ETag seen, got hello")));
            assert!(put, "{seen} {answers:?}");
        }
        assert_eq!(uploads(), urls.len() / 2);
        let refused = |origin: &Origin| {
            let seen = self.shown(chromium, origin, &urls[..2]);
            assert!(seen.contains("the browser refused"), "{seen}");
            assert_eq!(uploads(), urls.len() / 2, "the upload reached the cloud");
        };
        refused(&other);
        // Nor is ours let in where the rule does not let it put.
        self.cloud.change(&stage, &[host, self.methods]);
        self.cloud.succeed(&stage, &["apply", "--yes"]);
        refused(&ours);
    }

    /// What a page of an origin shows once its script has ended.
    fn shown(&self, chromium: &str, origin: &Origin, urls: &[&str]) -> String {
        let page = PAGE.replace("PUT_URL", urls[0]).replace("GET_URL", urls[1]).replace("HEADERS", self.headers);
        *origin.page.lock().unwrap() = page;
        let profile = tempfile::tempdir().unwrap();
        let output = Command::new(chromium)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"])
            .args(["--disable-background-networking", "--disable-component-update"])
            .args(["--virtual-time-budget=10000", "--dump-dom"])
            .args(self.arguments)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(&origin.name)
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// What a script printed.
fn printed(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Where pages come from.
struct Origin {
    name: String,
    page: Arc<Mutex<String>>,
}

impl Origin {
    /// It ends with the process.
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let name = format!("http://{}", listener.local_addr().unwrap());
        let page = Arc::new(Mutex::new(String::new()));
        let shown = Arc::clone(&page);
        std::thread::spawn(move || {
            listener.incoming().flatten().for_each(|stream| answer(stream, &shown.lock().unwrap()));
        });
        Self { name, page }
    }
}

fn answer(mut stream: std::net::TcpStream, page: &str) {
    let _ = stream.read(&mut [0; 4096]);
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        page.len()
    );
    let _ = stream.write_all(format!("{head}{page}").as_bytes());
}
