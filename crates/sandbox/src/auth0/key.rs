//! The key that the machine-to-machine application may sign with in the place of its secret
//! <https://auth0.com/docs/get-started/authentication-and-authorization-flow/authenticate-with-private-key-jwt>.

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RsaKeyPair};
use data_encoding::BASE64;

use super::tenants;
use crate::Error;
use crate::world::World;

/// Letters of a line in PEM (<https://www.rfc-editor.org/rfc/rfc7468#section-2>).
const LINE: usize = 64;

/// Make a key and let the application sign with it; gives the private one in PEM.
pub(super) fn make(world: &World) -> Result<String, Error> {
    let failed = |reason: &str| Error::Value { key: "auth0/key".to_owned(), reason: reason.to_owned() };
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| failed("no key can be made"))?;
    let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| failed("the key cannot be written"))?;
    tenants::seed_key(world, pair.public_key().as_ref())?;
    let letters: Vec<char> = BASE64.encode(der.as_ref()).chars().collect();
    let lines: String = letters.chunks(LINE).map(|line| line.iter().collect::<String>() + "\n").collect();
    Ok(format!("-----BEGIN PRIVATE KEY-----\n{lines}-----END PRIVATE KEY-----\n"))
}
