//! TLS 1.3 to a node of the own Society: our certificate is shown, and the node must prove by a chain to
//! the Society's roots that it is that Society's node. Names and addresses prove nothing.

use std::{
    fmt, io,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use hyper_util::rt::TokioIo;
use passerelle_domain::society::Society;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls13_signature},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, TrustAnchor, UnixTime, pem::PemObject};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::transport::Uri;

use crate::{failure::Failure, profile::TlsTarget};

/// Connects tonic to one address over TLS.
#[derive(Clone)]
pub(super) struct Connector {
    address: String,
    config: Arc<ClientConfig>,
}

impl Connector {
    /// Reads the files of the target.
    pub(super) fn new(target: &TlsTarget) -> Result<Self, Failure> {
        let chain = certificates(&target.cert)?;
        let key = PrivateKeyDer::from_pem_file(&target.key).map_err(|error| unreadable(&target.key, &error))?;
        let roots = certificates(&target.root)?
            .iter()
            .map(|root| webpki::anchor_from_trusted_cert(root).map(|anchor| anchor.to_owned()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| unreadable(&target.root, &error))?;
        let node = match target.node {
            Some(society) => society,
            None => chain.first().and_then(own_society).ok_or_else(|| {
                let message = format!("{} names no Society in a SPIFFE ID", target.cert.display());
                Failure::usage(message, "Say whose node must answer with --node XX.")
            })?,
        };
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier =
            NodeVerifier { roots, node_id: node.node_id(), algorithms: provider.signature_verification_algorithms };
        let unusable = |error: TlsError| unreadable(&target.cert, &error);
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(unusable)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_auth_cert(chain, key)
            .map_err(unusable)?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self { address: target.address.clone(), config: Arc::new(config) })
    }
}

impl tower::Service<Uri> for Connector {
    type Response = TokioIo<TlsStream<TcpStream>>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let Self { address, config } = self.clone();
        Box::pin(async move {
            let tcp = TcpStream::connect(address.as_str()).await?;
            tcp.set_nodelay(true)?;
            // Sent as SNI only; our verifier looks at the SPIFFE ID instead.
            let name = ServerName::try_from("node.sahelplus").map_err(io::Error::other)?;
            Ok(TokioIo::new(TlsConnector::from(config).connect(name, tcp).await?))
        })
    }
}

/// Accepts exactly the node of one Society.
struct NodeVerifier {
    roots: Vec<TrustAnchor<'static>>,
    node_id: String,
    algorithms: WebPkiSupportedAlgorithms,
}

impl fmt::Debug for NodeVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeVerifier").field("node_id", &self.node_id).finish_non_exhaustive()
    }
}

impl ServerCertVerifier for NodeVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let bad = |fault| TlsError::InvalidCertificate(fault);
        let certificate =
            webpki::EndEntityCert::try_from(end_entity).map_err(|_| bad(CertificateError::BadEncoding))?;
        let usage = webpki::KeyUsage::server_auth();
        certificate.verify_for_usage(self.algorithms.all, &self.roots, intermediates, now, usage, None, None).map_err(
            |error| {
                bad(match error {
                    webpki::Error::CertExpired { .. } => CertificateError::Expired,
                    webpki::Error::CertNotValidYet { .. } => CertificateError::NotValidYet,
                    webpki::Error::UnknownIssuer => CertificateError::UnknownIssuer,
                    _ => CertificateError::ApplicationVerificationFailure,
                })
            },
        )?;
        // A SPIFFE certificate has exactly one URI, the identity (X.509-SVID, section 2).
        let mut identities = certificate.valid_uri_names();
        match (identities.next(), identities.next()) {
            (Some(identity), None) if identity == self.node_id => Ok(ServerCertVerified::assertion()),
            _ => Err(bad(CertificateError::NotValidForName)),
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Err(TlsError::General("TLS 1.2 is not spoken".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// The Society of an operator's certificate: the trust domain of its SPIFFE ID, `xx.sahelplus`.
fn own_society(certificate: &CertificateDer<'static>) -> Option<Society> {
    let certificate = webpki::EndEntityCert::try_from(certificate).ok()?;
    let identity = certificate.valid_uri_names().next()?.strip_prefix("spiffe://")?.to_owned();
    identity.split('/').next()?.strip_suffix(".sahelplus")?.parse().ok()
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unreadable(path, &error))?;
    if certificates.is_empty() { Err(unreadable(path, &"it holds no certificate")) } else { Ok(certificates) }
}

/// Never shows content: of a key file not even its shape.
fn unreadable(path: &Path, error: &dyn fmt::Display) -> Failure {
    Failure::usage(
        format!("cannot use {}: {error}", path.display()),
        "Give PEM files of this operator and its Society.",
    )
}
