//! The fault layer before another emulator on this machine.

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::emulator::{Answer, Dropped, Emulator, Wire};
use crate::fault::Faults;
use crate::layer::FaultLayer;
use crate::sandbox::{Threads, listen};
use crate::{Error, server};

/// A running proxy; it ends with the value. Its [`FaultLayer`] records every request.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    layer: Arc<FaultLayer>,
    _threads: Threads,
}

impl Proxy {
    /// Start one before a server that speaks as this cloud does.
    ///
    /// # Errors
    ///
    /// There is no port or thread for it.
    ///
    /// # Panics
    ///
    /// The server is on another machine.
    pub fn start(wire: impl Wire + 'static, upstream: SocketAddr) -> Result<Self, Error> {
        assert!(upstream.ip().is_loopback(), "a sandbox reaches this machine only");
        let threads = Threads::start()?;
        let (listener, address) = listen(&threads, 0)?;
        let layer = Arc::new(FaultLayer::new(Faults::default(), true));
        let client = threads.within(|| Client::builder(TokioExecutor::new()).build_http());
        let cloud = Arc::new(Upstream { wire: Box::new(wire), address: upstream, client });
        threads.spawn(server::serve(listener, cloud, Arc::clone(&layer)));
        Ok(Self { address, layer, _threads: threads })
    }
}

impl Deref for Proxy {
    type Target = FaultLayer;

    fn deref(&self) -> &FaultLayer {
        &self.layer
    }
}

/// The other emulator.
struct Upstream {
    wire: Box<dyn Wire>,
    address: SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
}

#[async_trait::async_trait]
impl Emulator for Upstream {
    fn wire(&self) -> &dyn Wire {
        &*self.wire
    }

    async fn handle(&self, request: Request<Bytes>) -> Answer {
        let (mut parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let uri = Uri::builder().scheme("http").authority(self.address.to_string()).path_and_query(path);
        parts.uri = uri.build().map_err(|_| Dropped)?;
        let request = Request::from_parts(parts, Full::new(body));
        let (parts, body) = self.client.request(request).await.map_err(|_| Dropped)?.into_parts();
        let body = body.collect().await.map_err(|_| Dropped)?.to_bytes();
        Ok(http::Response::from_parts(parts, body))
    }

    fn environment(&self, _: SocketAddr) -> Vec<(String, String)> {
        Vec::new()
    }
}
