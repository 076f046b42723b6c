//! HTTP/1.1 and HTTP/2 on loopback, with TLS where clients insist on it: each request passes the fault layer to a cloud.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::emulator::{Dropped, Emulator, Presence, Trailers};
use crate::layer::FaultLayer;

/// How long a client may take to go on with a request that it began, or to begin one.
const PATIENCE: Duration = Duration::from_secs(30);

type Body = UnsyncBoxBody<Bytes, std::convert::Infallible>;

/// Answer until the task is ended.
pub(crate) async fn serve(listener: TcpListener, cloud: Arc<dyn Emulator>, layer: Arc<FaultLayer>) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let (cloud, layer) = (Arc::clone(&cloud), Arc::clone(&layer));
        tokio::spawn(async move {
            if let Ok(Ok(1)) = timeout(PATIENCE, stream.peek(&mut [0])).await {
                connection(stream, cloud, layer).await;
            }
        });
    }
}

/// The same over TLS.
pub(crate) async fn serve_tls(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    cloud: Arc<dyn Emulator>,
    layer: Arc<FaultLayer>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let (acceptor, cloud, layer) = (acceptor.clone(), Arc::clone(&cloud), Arc::clone(&layer));
        tokio::spawn(async move {
            if let Ok(Ok(stream)) = timeout(PATIENCE, acceptor.accept(stream)).await {
                connection(stream, cloud, layer).await;
            }
        });
    }
}

async fn connection<S>(stream: S, cloud: Arc<dyn Emulator>, layer: Arc<FaultLayer>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = service_fn(move |mut request: Request<Incoming>| {
        let (cloud, layer) = (Arc::clone(&cloud), Arc::clone(&layer));
        let presence = Presence::default();
        let leaving = presence.watch();
        request.extensions_mut().insert(presence);
        // A task of its own: a call that came has its effect and its record even if the caller is killed meanwhile.
        let answered = tokio::spawn(async move { answer(request, &*cloud, &layer).await });
        async move {
            let _leaving = leaving;
            answered.await.unwrap_or(Err(Dropped))
        }
    });
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}

/// The whole body, if its client goes on sending it.
async fn whole(mut body: Incoming) -> Result<Bytes, Dropped> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = timeout(PATIENCE, body.frame()).await.map_err(|_| Dropped)? {
        let frame = frame.map_err(|_| Dropped)?;
        bytes.extend_from_slice(frame.data_ref().map(AsRef::as_ref).unwrap_or_default());
    }
    Ok(bytes.freeze())
}

async fn answer(
    request: Request<Incoming>,
    cloud: &dyn Emulator,
    layer: &FaultLayer,
) -> Result<Response<Body>, Dropped> {
    let (parts, body) = request.into_parts();
    let request = Request::from_parts(parts, whole(body).await?);
    layer.exchange(cloud.wire(), request, |request| cloud.handle(request)).await.map(sent)
}

fn sent(answer: Response<Bytes>) -> Response<Body> {
    let (mut parts, body) = answer.into_parts();
    let trailers = parts.extensions.remove::<Trailers>();
    let body = Full::new(body);
    let body = match trailers {
        Some(Trailers(trailers)) => body.with_trailers(async { Some(Ok(trailers)) }).boxed_unsync(),
        None => body.boxed_unsync(),
    };
    Response::from_parts(parts, body)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use http::HeaderMap;
    use hyper_util::client::legacy::Client;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::aws::AwsWire;
    use crate::emulator::{Answer, Wire};

    /// Answers as gRPC does: the status comes after the body.
    struct Remote;

    #[async_trait::async_trait]
    impl Emulator for Remote {
        fn wire(&self) -> &dyn Wire {
            &AwsWire
        }

        async fn handle(&self, request: Request<Bytes>) -> Answer {
            let mut answer = Response::new(request.into_body());
            let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), "0".parse().unwrap())]);
            answer.extensions_mut().insert(Trailers(trailers));
            Ok(answer)
        }

        fn environment(&self, _: SocketAddr) -> Vec<(String, String)> {
            Vec::new()
        }
    }

    /// Nothing at all, half of a head, half of a body.
    #[tokio::test(start_paused = true)]
    async fn connections_whose_client_does_not_go_on_are_ended() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, Arc::new(Remote), Arc::default()));
        for sent in ["", "GET / HTTP/1.1\r\nhost: a", "PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhalf"] {
            let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
            stream.write_all(sent.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            assert!(!answer.starts_with(b"HTTP/1.1 2"), "{sent}");
        }
    }

    #[tokio::test]
    async fn http2_without_tls_carries_trailers() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, Arc::new(Remote), Arc::default()));
        let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
        let request = Request::post(format!("http://{address}/service/Method")).body(Full::new(Bytes::from("hello")));
        let body = client.request(request.unwrap()).await.unwrap().into_body().collect().await.unwrap();
        assert_eq!(body.trailers().unwrap()["grpc-status"], "0");
        assert_eq!(body.to_bytes(), "hello");
    }
}
