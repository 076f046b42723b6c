//! HTTP/1.1 and HTTP/2 on loopback, with TLS where clients insist on it: each request passes the fault layer to a cloud.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::emulator::{Dropped, Emulator, Presence, Trailers};
use crate::layer::FaultLayer;

type Body = UnsyncBoxBody<Bytes, std::convert::Infallible>;

/// Answer until the task is ended.
pub(crate) async fn serve(listener: TcpListener, cloud: Arc<dyn Emulator>, layer: Arc<FaultLayer>) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        tokio::spawn(connection(stream, Arc::clone(&cloud), Arc::clone(&layer)));
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
            if let Ok(stream) = acceptor.accept(stream).await {
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
    let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(
    request: Request<Incoming>,
    cloud: &dyn Emulator,
    layer: &FaultLayer,
) -> Result<Response<Body>, Dropped> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Dropped)?.to_bytes();
    let request = Request::from_parts(parts, body);
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
