//! Who a certificate proves to be. The SPIFFE ID says which Society; only that Society's roots can then
//! vouch for it. Pure: roots, chain and time in, identity or refusal out.

use std::{collections::BTreeMap, fmt, sync::Arc};

use passerelle_domain::{
    refusal::{Code, Refusal},
    society::Society,
};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error as TlsError, OtherError, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls13_signature},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};
use rustls_pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use super::{
    authority::{is_operator_name, operator_prefix},
    tls::{Facts, society_of_node},
};

/// The roots of the own Society and of every known peer.
pub(crate) struct KnownRoots {
    own: Society,
    own_roots: Vec<TrustAnchor<'static>>,
    peers: BTreeMap<Society, Vec<TrustAnchor<'static>>>,
    provider: Arc<CryptoProvider>,
}

/// Whom one side of a connection lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// The node of any known peer.
    AnyPeer,
    /// The node of this peer.
    Peer(Society),
    /// An operator of the own Society.
    Operator,
}

/// Which side of the handshake the certificate came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// From the side that was dialled.
    Server,
    /// From the side that dialled.
    Client,
}

/// Who a verified certificate is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// The node of a peer.
    Peer(Society),
    /// An operator of the own Society, by name.
    Operator(String),
}

impl KnownRoots {
    /// Roots as DER, by Society.
    ///
    /// # Errors
    /// `bad_bundle` for a root that is no X.509 certificate; `same_society` for a peer of the own Society.
    pub(crate) fn new<'r>(
        own: Society,
        own_roots: impl IntoIterator<Item = &'r [u8]>,
        peers: impl IntoIterator<Item = (Society, Vec<&'r [u8]>)>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, Refusal> {
        let mut known = BTreeMap::new();
        for (society, roots) in peers {
            if society == own {
                return Err(Refusal::new(Code::SameSociety, "the own Society stands among the peers"));
            }
            known.insert(society, anchors(society, roots)?);
        }
        Ok(Self { own, own_roots: anchors(own, own_roots)?, peers: known, provider })
    }

    /// The Societies that are known.
    pub(crate) fn peers(&self) -> impl Iterator<Item = Society> {
        self.peers.keys().copied()
    }

    /// Who this chain proves to be, at the time `now`.
    ///
    /// # Errors
    /// A TLS error that becomes the alert for the other side and, by `refused::of_tls`, the refusal on this one.
    pub(crate) fn identify(
        &self,
        chain: &[CertificateDer<'_>],
        side: Side,
        expected: Expected,
        now: UnixTime,
    ) -> Result<Who, TlsError> {
        let (leaf, intermediates) = chain.split_first().ok_or(TlsError::NoCertificatesPresented)?;
        let facts = Facts::of(leaf).map_err(refused)?;
        let (who, roots) = self.claimed(&facts.uri, expected).map_err(refused)?;
        let usage = match side {
            Side::Client => KeyUsage::client_auth(),
            Side::Server => KeyUsage::server_auth(),
        };
        EndEntityCert::try_from(leaf)
            .and_then(|certificate| {
                let algorithms = self.provider.signature_verification_algorithms.all;
                certificate.verify_for_usage(algorithms, roots, intermediates, now, usage, None, None).map(|_| ())
            })
            .map_err(|error| TlsError::InvalidCertificate(certificate_error(&error)))?;
        Ok(who)
    }

    /// Who a SPIFFE ID claims to be, and the roots that alone can prove it.
    fn claimed(&self, uri: &str, expected: Expected) -> Result<(Who, &[TrustAnchor<'static>]), Refusal> {
        let refuse = |code, message: String| Err(Refusal::new(code, message));
        if let Expected::Operator = expected {
            return match uri.strip_prefix(&operator_prefix(self.own)) {
                Some(name) if is_operator_name(name) => Ok((Who::Operator(name.to_owned()), &self.own_roots)),
                _ => refuse(Code::Unauthenticated, format!("this port is for operators of {} alone", self.own)),
            };
        }
        let Some(society) = society_of_node(uri) else {
            return refuse(Code::BadCertificate, "it is not the certificate of a Society's node".into());
        };
        if society == self.own {
            return refuse(Code::SameSociety, format!("the certificate is that of the own Society, {society}"));
        }
        if let Expected::Peer(expected) = expected
            && society != expected
        {
            return refuse(Code::WrongSociety, format!("{society} stands where {expected} was expected"));
        }
        match self.peers.get(&society) {
            Some(roots) => Ok((Who::Peer(society), roots)),
            None => refuse(Code::UnknownPeer, format!("{society} is not a peer of this node")),
        }
    }
}

fn anchors<'r>(
    society: Society,
    roots: impl IntoIterator<Item = &'r [u8]>,
) -> Result<Vec<TrustAnchor<'static>>, Refusal> {
    roots
        .into_iter()
        .map(|der| {
            let certificate = CertificateDer::from(der);
            anchor_from_trusted_cert(&certificate).map(|anchor| anchor.to_owned()).map_err(|_| {
                Refusal::new(Code::BadBundle, format!("a root of {society} is no certificate")).at("roots")
            })
        })
        .collect()
}

fn refused(refusal: Refusal) -> TlsError {
    TlsError::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(refusal))))
}

/// The kinds that have an alert of their own; the rest is "bad certificate" to the other side.
fn certificate_error(error: &webpki::Error) -> CertificateError {
    use webpki::Error;
    match error {
        Error::CertExpired { .. } => CertificateError::Expired,
        Error::CertNotValidYet { .. } => CertificateError::NotValidYet,
        Error::UnknownIssuer => CertificateError::UnknownIssuer,
        Error::InvalidSignatureForPublicKey => CertificateError::BadSignature,
        Error::RequiredEkuNotFoundContext(_) => CertificateError::InvalidPurpose,
        _ => CertificateError::BadEncoding,
    }
}

/// The verifier that rustls asks, for both sides of the handshake.
pub(crate) struct ChainVerifier {
    known: Arc<KnownRoots>,
    expected: Expected,
}

impl ChainVerifier {
    pub(crate) fn new(known: Arc<KnownRoots>, expected: Expected) -> Arc<Self> {
        Arc::new(Self { known, expected })
    }

    fn check(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        side: Side,
        now: UnixTime,
    ) -> Result<(), TlsError> {
        let chain: Vec<_> = std::iter::once(leaf).chain(intermediates).cloned().collect();
        self.known.identify(&chain, side, self.expected, now).map(|_| ())
    }

    fn verify_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, certificate, signed, &self.known.provider.signature_verification_algorithms)
    }

    fn schemes(&self) -> Vec<SignatureScheme> {
        self.known.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl fmt::Debug for ChainVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChainVerifier({:?})", self.expected)
    }
}

/// TLS 1.2 is not compiled in; were it ever asked, the answer is no.
fn no_tls12() -> TlsError {
    TlsError::General("TLS 1.2 is not spoken here".into())
}

impl ClientCertVerifier for ChainVerifier {
    /// None: 200 peers' root names would cost 12 KiB a handshake, and a node has one certificate to choose from.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, TlsError> {
        self.check(leaf, intermediates, Side::Client, now).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Err(no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.verify_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}

impl ServerCertVerifier for ChainVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        self.check(leaf, intermediates, Side::Server, now).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Err(no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.verify_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}
