//! TLS towards the public web, where this node is a reader like any other: no certificate of its own, and of servers the
//! machine's list of certificate authorities. Nothing of it touches the trust between nodes.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;

use super::{
    Now,
    tls::{NodeTime, provider},
};

/// The certificate authorities that the machine believes; the variables `SSL_CERT_FILE` and `SSL_CERT_DIR` name others.
/// Reads files.
#[must_use]
pub fn web_roots() -> Vec<CertificateDer<'static>> {
    let found = rustls_native_certs::load_native_certs();
    for fault in found.errors {
        tracing::warn!(%fault, "certificate authorities of this machine could not be read");
    }
    found.certs
}

/// The client side of TLS 1.3 for the web; none when not one of `roots` can be used.
#[must_use]
pub fn web_client(roots: Vec<CertificateDer<'static>>, now: &Now) -> Option<Arc<ClientConfig>> {
    let mut store = RootCertStore::empty();
    let (taken, _) = store.add_parsable_certificates(roots);
    if taken == 0 {
        return None;
    }
    let builder = ClientConfig::builder_with_details(provider(), Arc::new(NodeTime(Arc::clone(now))))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .ok()?;
    let mut config = builder.with_root_certificates(store).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Some(Arc::new(config))
}
