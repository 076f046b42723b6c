//! The way of every request: one pool of connections, no redirects, answers of a bounded size.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use azure_core::error::ErrorKind as Cause;
use azure_core::http::{AsyncRawResponse, HttpClient, Request, Transport};
use futures::StreamExt as _;
use provision_core::retry::{CONNECT_TIMEOUT, request_timeout};
use provision_core::{Error, ErrorKind, tls};

/// The largest answer that is read, in bytes. A page of a list, the largest that services answer, is a few MB.
const LARGEST_ANSWER: usize = 16 << 20;

/// A client that reads no more of an answer than it may.
#[derive(Debug)]
struct Bounded {
    client: reqwest::Client,
    largest: usize,
}

#[async_trait]
impl HttpClient for Bounded {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let (status, headers, mut body) = self.client.execute_request(request).await?.deconstruct();
        let mut read = Vec::new();
        while let Some(chunk) = body.next().await {
            read.extend_from_slice(&chunk?);
            if read.len() > self.largest {
                let text = format!("the answer is larger than {} MB", self.largest / 1024 / 1024);
                return Err(azure_core::Error::with_message(Cause::DataConversion, text));
            }
        }
        Ok(AsyncRawResponse::from_bytes(status, headers, read))
    }
}

/// The transport of the whole process, which goes through the environment's proxy. `SSL_CERT_FILE` is the TLS library's to read.
pub(crate) fn shared() -> Result<Transport, Error> {
    static SHARED: OnceLock<reqwest::Client> = OnceLock::new();
    if let Some(client) = SHARED.get() {
        return Ok(bounded(client.clone()));
    }
    let client = built(builder())?;
    Ok(bounded(SHARED.get_or_init(|| client).clone()))
}

/// That of a sandbox, which goes through no proxy, and trusts the certificates of this file where there is one.
pub(crate) fn of_sandbox(certificates: Option<&str>) -> Result<Transport, Error> {
    let Some(path) = certificates else { return built(builder().no_proxy().tls_certs_only([])).map(bounded) };
    let unreadable = |reason: String| {
        Error::new(ErrorKind::Unexpected, format!("cannot use certificates `{path}` (SSL_CERT_FILE)"))
            .with_message(reason)
    };
    let pem = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    let roots = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| unreadable(error.to_string()))?;
    built(builder().no_proxy().tls_certs_only(roots)).map(bounded)
}

fn bounded(client: reqwest::Client) -> Transport {
    Transport::new(Arc::new(Bounded { client, largest: LARGEST_ANSWER }))
}

fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(request_timeout())
        .redirect(reqwest::redirect::Policy::none())
}

fn built(builder: reqwest::ClientBuilder) -> Result<reqwest::Client, Error> {
    builder.build().map_err(|error| tls::unusable(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use azure_core::http::{Method, Url};
    use std::io::{Read as _, Write as _};

    /// A server that answers one request with so many bytes.
    fn answering(size: usize) -> Url {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]).unwrap();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {size}\r\n\r\n");
            let _ = stream.write_all(&[head.into_bytes(), vec![b'x'; size]].concat());
        });
        Url::parse(&format!("http://{address}/")).unwrap()
    }

    async fn read(size: usize) -> azure_core::Result<usize> {
        let client = Bounded { client: built(builder().no_proxy()).unwrap(), largest: 1_000 };
        let answer = client.execute_request(&Request::new(answering(size), Method::Get)).await?;
        Ok(answer.into_body().collect().await?.len())
    }

    #[tokio::test]
    async fn answer_that_is_too_large_is_not_read_to_its_end() {
        assert_eq!(read(1_000).await.unwrap(), 1_000);
        let error = read(100_000).await.unwrap_err();
        assert_eq!(*error.kind(), Cause::DataConversion);
    }
}
