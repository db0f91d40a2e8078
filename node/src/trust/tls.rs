//! What TLS uses here: version 1.3 alone, the hybrid key exchange first, the node's certificate, and
//! the time of the node's own clock.

use std::{fmt, sync::Arc, time::Duration};

use passerelle_domain::{
    refusal::{Code, Refusal},
    society::Society,
    time::Time,
};
use rustls::{
    ClientConfig, ServerConfig,
    client::Resumption,
    crypto::{
        CryptoProvider,
        aws_lc_rs::{cipher_suite, default_provider, kx_group},
    },
    sign::{CertifiedKey, SingleCertAndKey},
    time_provider::TimeProvider,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem::PemObject as _};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use super::{Now, verifier::ChainVerifier};

/// The protocol of the link and of the operator port.
pub(crate) const ALPN: &[u8] = b"h2";
/// Sessions that one node keeps for resuming with one peer: rustls holds up to 8 tickets a server name.
const SESSIONS_KEPT: usize = 8;

/// The node's certificate with its chain, and the key that it proves.
#[derive(Clone)]
pub struct Identity {
    certified: Arc<CertifiedKey>,
    society: Society,
    not_before: Time,
    not_after: Time,
}

impl Identity {
    /// From the certificate (the node's first, then any between it and the root) and its key, both PEM.
    ///
    /// # Errors
    /// `malformed_file` when one cannot be read, they do not belong together, or the certificate is not that of a
    /// Society's node.
    pub fn from_pem(chain: &str, key: &str) -> Result<Self, Refusal> {
        let malformed = |message: &str| Refusal::new(Code::MalformedFile, message);
        let chain = CertificateDer::pem_slice_iter(chain.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| malformed("the certificate cannot be read"))?;
        let key =
            PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| malformed("the private key cannot be read"))?;
        let leaf = chain.first().ok_or_else(|| malformed("there is no certificate"))?;
        let facts = Facts::of(leaf)?;
        let society = society_of_node(&facts.uri).ok_or_else(|| malformed("it is not the certificate of a node"))?;
        let certified = CertifiedKey::from_der(chain, key, &provider())
            .map_err(|_| malformed("certificate and private key do not belong together"))?;
        Ok(Self { certified: Arc::new(certified), society, not_before: facts.not_before, not_after: facts.not_after })
    }

    /// The Society whose node it is.
    #[must_use]
    pub fn society(&self) -> Society {
        self.society
    }

    /// When the certificate begins.
    #[must_use]
    pub fn not_before(&self) -> Time {
        self.not_before
    }

    /// When the certificate ends.
    #[must_use]
    pub fn not_after(&self) -> Time {
        self.not_after
    }

    fn resolver(&self) -> Arc<SingleCertAndKey> {
        Arc::new(SingleCertAndKey::from(Arc::clone(&self.certified)))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({} until {})", self.society, self.not_after)
    }
}

/// The Society whose node an SPIFFE ID names, if it is exactly that.
pub(crate) fn society_of_node(uri: &str) -> Option<Society> {
    let code = uri.strip_prefix("spiffe://")?.get(..2)?;
    let society: Society = code.parse().ok()?;
    (society.node_id() == uri).then_some(society)
}

/// What is read of a certificate.
pub(crate) struct Facts {
    /// The one URI of its subject alternative names: its SPIFFE ID.
    pub(crate) uri: String,
    /// Its serial number, hexadecimal.
    pub(crate) serial: String,
    pub(crate) not_before: Time,
    pub(crate) not_after: Time,
    /// SubjectPublicKeyInfo, DER.
    pub(crate) public_key: Vec<u8>,
}

impl Facts {
    /// Reads a certificate: one URI as an X.509-SVID has it, or none, as a root may.
    ///
    /// # Errors
    /// `bad_certificate` when it is damaged or carries more than one URI.
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Result<Self, Refusal> {
        let bad = |message: &str| Refusal::new(Code::BadCertificate, message);
        let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| bad("the certificate cannot be read"))?;
        let names = parsed.subject_alternative_name().map_err(|_| bad("the certificate's names cannot be read"))?;
        let mut uris = names.iter().flat_map(|names| &names.value.general_names).filter_map(|name| match name {
            GeneralName::URI(uri) => Some(*uri),
            _ => None,
        });
        let uri = uris.next().unwrap_or_default().to_owned();
        if uris.next().is_some() {
            return Err(bad("the certificate carries more than one SPIFFE ID"));
        }
        let time = |seconds: i64| Time::from_millis(u64::try_from(seconds).unwrap_or(0).saturating_mul(1_000));
        Ok(Self {
            uri,
            serial: hex::encode(parsed.raw_serial()),
            not_before: time(parsed.validity().not_before.timestamp()),
            not_after: time(parsed.validity().not_after.timestamp()),
            public_key: parsed.public_key().raw.to_vec(),
        })
    }
}

/// The algorithms: X25519MLKEM768 preferred, X25519 and P-256 for who has nothing better.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    let mut provider = default_provider();
    provider.kx_groups = vec![kx_group::X25519MLKEM768, kx_group::X25519, kx_group::SECP256R1];
    provider.cipher_suites = vec![
        cipher_suite::TLS13_AES_256_GCM_SHA384,
        cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        cipher_suite::TLS13_AES_128_GCM_SHA256,
    ];
    Arc::new(provider)
}

/// The server side. Each call makes its own session cache, so nothing resumes across a reload; within one, a resumed
/// peer's certificate is verified again by the acceptor. Resumption itself stays on: a full handshake costs 2 KiB.
pub(crate) fn server_config(
    identity: &Identity,
    verifier: Arc<ChainVerifier>,
    now: &Now,
) -> Result<ServerConfig, Refusal> {
    let mut config = ServerConfig::builder_with_details(provider(), Arc::new(NodeTime(Arc::clone(now))))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|_| no_tls())?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(identity.resolver());
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(config)
}

/// The client side, for one peer.
pub(crate) fn client_config(
    identity: &Identity,
    verifier: Arc<ChainVerifier>,
    now: &Now,
) -> Result<ClientConfig, Refusal> {
    let mut config = ClientConfig::builder_with_details(provider(), Arc::new(NodeTime(Arc::clone(now))))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|_| no_tls())?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_cert_resolver(identity.resolver());
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::in_memory_sessions(SESSIONS_KEPT);
    // The name proves nothing and its bytes cost money on a satellite link.
    config.enable_sni = false;
    Ok(config)
}

fn no_tls() -> Refusal {
    Refusal::new(Code::StoreFailed, "the cryptography of this machine cannot do TLS 1.3")
}

/// The node's clock, as TLS asks for it.
pub(super) struct NodeTime(pub(super) Now);

impl fmt::Debug for NodeTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NodeTime")
    }
}

impl TimeProvider for NodeTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(unix((self.0)()))
    }
}

/// The time in the form that certificate checks ask for.
pub(crate) fn unix(time: Time) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_millis(time.millis()))
}
