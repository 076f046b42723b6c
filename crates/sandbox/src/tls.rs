//! TLS for clients that send no token over plain HTTP: an authority of the sandbox's own, and its certificate for this
//! machine.
//!
//! Both are made at every start. The authority's certificate is in a file, for `SSL_CERT_FILE` and
//! `REQUESTS_CA_BUNDLE`; its key is in memory only, so that nobody can make certificates with a sandbox that has ended.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use time::{Duration, OffsetDateTime};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{self, ServerConfig};

use crate::Error;
use crate::files::Folder;

/// The file with the authority's certificate.
pub(crate) const FILE: &str = "authority.pem";

/// How long certificates are valid. Some clients refuse more than 825 days.
const VALIDITY: Duration = Duration::days(365);

/// A certificate for this machine, and the authority that vouches for it.
pub(crate) struct Authority {
    /// What a listener needs.
    pub(crate) acceptor: TlsAcceptor,
    /// The authority's certificate, for clients.
    pub(crate) file: PathBuf,
    _folder: Folder,
}

impl Authority {
    /// Make one. Its certificate is written to a folder, or to one that ends with the value.
    pub(crate) fn make(folder: Option<&Path>) -> Result<Self, Error> {
        let folder = Folder::of(folder)?;
        let (pem, config) = certified().map_err(|error| Error::Certificate(error.to_string()))?;
        let file = folder.file(FILE)?;
        std::fs::write(&file, pem).map_err(Error::io("write", &file))?;
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), file, _folder: folder })
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Authority").field("file", &self.file).finish_non_exhaustive()
    }
}

/// The authority's certificate, and a listener's configuration with a leaf of it.
fn certified() -> Result<(String, ServerConfig), Box<dyn std::error::Error>> {
    let key = KeyPair::generate()?;
    let authority = authority()?;
    let certificate = authority.self_signed(&key)?;
    let issuer = Issuer::new(authority, key);
    let leaf_key = KeyPair::generate()?;
    let leaf = leaf()?.signed_by(&leaf_key, &issuer)?;
    let secret = PrivateKeyDer::try_from(leaf_key.serialize_der())?;
    let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_protocol_versions(rustls::ALL_VERSIONS)?.with_no_client_auth();
    let mut config = builder.with_single_cert(vec![leaf.der().clone()], secret)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok((certificate.pem(), config))
}

fn authority() -> Result<CertificateParams, rcgen::Error> {
    let mut params = params(Vec::new(), "provision sandbox authority")?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn leaf() -> Result<CertificateParams, rcgen::Error> {
    let mut params = params(vec!["localhost".to_owned(), "127.0.0.1".to_owned()], "provision sandbox")?;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

fn params(names: Vec<String>, subject: &str) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, subject);
    params.distinguished_name = name;
    params.not_before = OffsetDateTime::now_utc() - Duration::days(1);
    params.not_after = OffsetDateTime::now_utc() + VALIDITY;
    Ok(params)
}
