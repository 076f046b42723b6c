//! What a browser makes of the CORS rules: a page on an allowed and on another origin puts and gets an object by presigned
//! addresses. Where no Chromium is present, that is said and the case ends.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use crate::clouds::AWS;
use crate::clouds::aws::hand::python;
use crate::sandbox_google_clients::skip;

const PAGE: &str = "<!doctype html><body><script>
(async () => {
  let said;
  try {
    const put = await fetch('PUT_URL', { method: 'PUT', body: 'hello' });
    const got = await (await fetch('GET_URL')).text();
    said = `put ${put.status}, ETag ${put.headers.get('ETag') ? 'seen' : 'hidden'}, got ${got}`;
  } catch (error) {
    said = 'the browser refused';
  }
  document.body.innerText = said;
})();
</script></body>";

#[test]
fn page_on_an_allowed_origin_puts_and_gets_and_another_is_refused() {
    let Some(chromium) =
        ["/usr/bin/chromium", "/usr/bin/chromium-browser"].into_iter().find(|path| Path::new(path).exists())
    else {
        return skip("Chromium at /usr/bin/chromium");
    };
    let (allowed, other) = (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let origin = format!("http://{}", allowed.local_addr().unwrap());
    // The rule that the browser judges is the one that apply makes.
    let stage = AWS.planned();
    AWS.change(&stage, &[("https://wandb.example.com", &origin)]);
    AWS.apply(&stage);
    let urls = python(
        &stage.hand(),
        "for call in ('put_object', 'get_object'): print(s3.generate_presigned_url(call, Params={'Bucket': b, 'Key': 'k'}))",
    );
    let urls = stage.fill(&urls);
    let urls: Vec<_> = urls.lines().collect();
    let page = PAGE.replace("PUT_URL", urls[0]).replace("GET_URL", urls[1]);
    assert!(shown(chromium, allowed, &page).contains("put 200, ETag seen, got hello"));
    assert!(shown(chromium, other, &page).contains("the browser refused"));
}

/// What a page shows once its script has ended.
fn shown(chromium: &str, listener: TcpListener, page: &str) -> String {
    let address = format!("http://{}/", listener.local_addr().unwrap());
    let page = page.to_owned();
    std::thread::spawn(move || listener.incoming().flatten().for_each(|stream| answer(stream, &page)));
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new(chromium)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
            "--virtual-time-budget=10000",
            "--dump-dom",
        ])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(address)
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn answer(mut stream: std::net::TcpStream, page: &str) {
    let _ = stream.read(&mut [0; 4096]);
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        page.len()
    );
    let _ = stream.write_all(format!("{head}{page}").as_bytes());
}
