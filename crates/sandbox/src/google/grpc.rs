//! Unary gRPC calls: one message in a frame, the status in trailers
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>.

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Response};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use prost::Message;

use super::refusal::{Kind, Refusal, number};
use crate::emulator::Trailers;

/// Bytes of a frame before its message: whether it is compressed, and its length.
const PREFIX: usize = 5;

/// What `grpc-message` may not hold as it is.
const ESCAPED: AsciiSet = CONTROLS.add(b'%');

/// The message of a request.
///
/// A field that the API's description does not have is refused: it would be lost here.
pub(super) fn message<M: Message + Default>(body: &Bytes) -> Result<M, Refusal> {
    let framed = body.get(PREFIX..).filter(|_| body.first() == Some(&0));
    let framed = framed.ok_or_else(|| Refusal::unserved("compressed messages"))?;
    let message = M::decode(framed).map_err(|error| Refusal::new(Kind::Internal, error.to_string()))?;
    if message.encoded_len() == framed.len() {
        return Ok(message);
    }
    Err(Refusal::invalid("the message has a field that the sandbox does not know"))
}

/// The answer with a message.
pub(super) fn answer(message: &impl Message) -> Response<Bytes> {
    let length = message.encoded_len();
    let mut body = BytesMut::with_capacity(PREFIX + length);
    body.put_u8(0);
    body.put_u32(u32::try_from(length).unwrap_or_default());
    body.extend_from_slice(&message.encode_to_vec());
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let mut response = response(body.freeze());
    response.extensions_mut().insert(Trailers(trailers));
    response
}

/// The answer with a status other than OK, and nothing else.
pub(super) fn refused(code: &str, message: &str) -> Response<Bytes> {
    let mut response = response(Bytes::new());
    let message = utf8_percent_encode(message, &ESCAPED).to_string();
    let headers = response.headers_mut();
    headers.insert("grpc-status", HeaderValue::from(u16::from(number(code).unwrap_or(2))));
    headers.extend(
        HeaderValue::from_str(&message).ok().map(|value| (http::HeaderName::from_static("grpc-message"), value)),
    );
    response
}

fn response(body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}
