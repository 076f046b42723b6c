//! HTTP/1.1 and HTTP/2 without TLS on loopback: each request passes the fault layer to a cloud.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;

use crate::cloud::{Cloud, Dropped, Trailers};
use crate::layer::FaultLayer;

type Body = UnsyncBoxBody<Bytes, std::convert::Infallible>;

/// Answer until the task is ended.
pub(crate) async fn serve(listener: TcpListener, cloud: Arc<dyn Cloud>, layer: Arc<FaultLayer>) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let (cloud, layer) = (Arc::clone(&cloud), Arc::clone(&layer));
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let (cloud, layer) = (Arc::clone(&cloud), Arc::clone(&layer));
                // A task of its own: a call that came has its effect and its record even if the caller is killed meanwhile.
                let answered = tokio::spawn(async move { answer(request, &*cloud, &layer).await });
                async move { answered.await.unwrap_or(Err(Dropped)) }
            });
            let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(request: Request<Incoming>, cloud: &dyn Cloud, layer: &FaultLayer) -> Result<Response<Body>, Dropped> {
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
