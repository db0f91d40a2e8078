//! The built-in certificate authority of a Society: its root, its node's certificate and those of its
//! operators (X.509-SVID of SPIFFE). Pure of files and clocks: PEM and times come in, PEM goes out.

use std::{fmt, time::Duration};

use passerelle_domain::{
    limits::NAME_BYTES_MAX,
    refusal::{Code, Refusal},
    society::Society,
    time::Time,
};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData as _, SanType, SerialNumber,
};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use time::OffsetDateTime;
use zeroize::{Zeroize as _, Zeroizing};

use super::{Fill, tls::Facts};

const DAY: Duration = Duration::from_secs(86_400);
/// How long a root lives: ten years.
const ROOT_LIFE: Duration = Duration::from_secs(10 * 365 * 86_400);
/// How long a node's or operator's certificate lives unless said otherwise: 90 days.
pub(crate) const LEAF_LIFE: Duration = DAY.saturating_mul(90);
/// Certificates begin this much earlier than they are made, for peers whose clocks are slow.
const BACKDATED: Duration = Duration::from_secs(5 * 60);

/// The certificate authority of one Society.
pub struct Authority {
    society: Society,
    key: Key,
    root: CertificateDer<'static>,
    root_pem: String,
}

/// A certificate and its private key, PEM, as they stand in files.
pub struct IssuedCertificate {
    /// The certificate.
    pub certificate_pem: String,
    /// The private key, PKCS#8.
    pub key_pem: Zeroizing<String>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authority({})", self.society)
    }
}

impl fmt::Debug for IssuedCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IssuedCertificate(..)")
    }
}

impl Authority {
    /// A new root for a Society: P-256, ten years, no authority below it.
    ///
    /// # Errors
    /// `store_failed` when the machine cannot make a key.
    pub fn create(society: Society, now: Time, fill: &Fill) -> Result<Self, Refusal> {
        let key = Key::generate()?;
        let name = society.member().map_or_else(|| society.code().to_owned(), |member| member.name.to_owned());
        let mut params = params(&format!("{name} root"), now, ROOT_LIFE, fill)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key.0).map_err(|_| failed())?;
        Ok(Self { society, key, root: certificate.der().clone(), root_pem: certificate.pem() })
    }

    /// The authority of a root certificate and its private key.
    ///
    /// # Errors
    /// `malformed_file` when either cannot be read or they do not belong together.
    pub fn from_pem(society: Society, root_pem: &str, key_pem: &str) -> Result<Self, Refusal> {
        let unreadable = || Refusal::new(Code::MalformedFile, "the root certificate cannot be read");
        let root = CertificateDer::from_pem_slice(root_pem.as_bytes()).map_err(|_| unreadable())?;
        let key = Key::from_pem(key_pem)?;
        if Facts::of(&root)?.public_key != key.0.subject_public_key_info() {
            return Err(Refusal::new(Code::MalformedFile, "the root certificate is not that of the root's key"));
        }
        Ok(Self { society, key, root, root_pem: root_pem.to_owned() })
    }

    /// The root certificate, PEM.
    #[must_use]
    pub fn root_pem(&self) -> &str {
        &self.root_pem
    }

    /// The root certificate, DER, as it stands in the bundle.
    #[must_use]
    pub fn root_der(&self) -> &[u8] {
        &self.root
    }

    /// The root's private key, PEM.
    #[must_use]
    pub fn key_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(self.key.0.serialize_pem())
    }

    /// A certificate for the Society's node, with a new key. Its names are the node's SPIFFE ID and, as a DNS name,
    /// the Society's trust domain, such as `sn.sahelplus`.
    ///
    /// # Errors
    /// `store_failed` when the machine cannot make it.
    pub fn issue_node(&self, now: Time, life: Duration, fill: &Fill) -> Result<IssuedCertificate, Refusal> {
        self.issue_node_for(Key::generate()?, now, life, fill)
    }

    /// A new certificate for the node's present key, so that renewal changes one file only.
    ///
    /// # Errors
    /// `malformed_file` when the key cannot be read; `store_failed` when the machine cannot make the certificate.
    pub fn renew_node(
        &self,
        key_pem: &str,
        now: Time,
        life: Duration,
        fill: &Fill,
    ) -> Result<IssuedCertificate, Refusal> {
        self.issue_node_for(Key::from_pem(key_pem)?, now, life, fill)
    }

    /// A certificate for an operator, a person or a program of the own Society: lower-case letters, digits, `.`,
    /// `_` and `-`, at most 64 bytes.
    ///
    /// # Errors
    /// `malformed` for another name; `store_failed` when the machine cannot make it.
    pub fn issue_operator(
        &self,
        name: &str,
        now: Time,
        life: Duration,
        fill: &Fill,
    ) -> Result<IssuedCertificate, Refusal> {
        if !is_operator_name(name) {
            let message = format!(
                "an operator's name has 1 to {NAME_BYTES_MAX} lower-case letters, digits, dots, hyphens or underlines"
            );
            return Err(Refusal::new(Code::Malformed, message).at("name"));
        }
        let id = format!("{}{name}", operator_prefix(self.society));
        let usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(Key::generate()?, name, vec![uri(&id)?], usages, (now, life), fill)
    }

    fn issue_node_for(&self, key: Key, now: Time, life: Duration, fill: &Fill) -> Result<IssuedCertificate, Refusal> {
        // The DNS name is for TLS libraries of operators' programs that check one and nothing else; peers go by the URI.
        let domain = self.society.trust_domain().try_into().map_err(|_| failed())?;
        let names = vec![uri(&self.society.node_id())?, SanType::DnsName(domain)];
        let usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(key, &format!("{} node", self.society), names, usages, (now, life), fill)
    }

    fn issue(
        &self,
        key: Key,
        name: &str,
        names: Vec<SanType>,
        usages: Vec<ExtendedKeyUsagePurpose>,
        (now, life): (Time, Duration),
        fill: &Fill,
    ) -> Result<IssuedCertificate, Refusal> {
        let mut params = params(name, now, life, fill)?;
        params.subject_alt_names = names;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = usages;
        params.use_authority_key_identifier_extension = true;
        let issuer = Issuer::from_ca_cert_der(&self.root, &self.key.0).map_err(|_| failed())?;
        let certificate = params.signed_by(&key.0, &issuer).map_err(|_| failed())?;
        Ok(IssuedCertificate { certificate_pem: certificate.pem(), key_pem: Zeroizing::new(key.0.serialize_pem()) })
    }
}

/// The SPIFFE IDs of a Society's operators, up to their names.
pub(crate) fn operator_prefix(society: Society) -> String {
    format!("spiffe://{}/operator/", society.trust_domain())
}

/// Whether a text can name an operator.
pub(crate) fn is_operator_name(name: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-'))
}

/// Whether a certificate should be renewed: from a third of its life left.
pub(crate) fn renewal_due(not_before: Time, not_after: Time, now: Time) -> bool {
    not_after.since(now) <= not_after.since(not_before) / 3
}

fn params(name: &str, now: Time, life: Duration, fill: &Fill) -> Result<CertificateParams, Refusal> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date(now.minus(BACKDATED))?;
    params.not_after = date(now.plus(life))?;
    let mut serial = [0; 16];
    fill(&mut serial);
    // RFC 5280, section 4.1.2.2: positive, and not zero.
    serial[0] = serial[0] & 0x7f | 0x40;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    Ok(params)
}

fn date(time: Time) -> Result<OffsetDateTime, Refusal> {
    let seconds = i64::try_from(time.millis() / 1_000).unwrap_or(i64::MAX);
    OffsetDateTime::from_unix_timestamp(seconds)
        .map_err(|_| Refusal::new(Code::MalformedTime, "a certificate cannot carry this time"))
}

fn uri(id: &str) -> Result<SanType, Refusal> {
    id.try_into().map(SanType::URI).map_err(|_| failed())
}

fn failed() -> Refusal {
    Refusal::new(Code::StoreFailed, "the certificate could not be made")
}

/// A P-256 key pair whose serialized form is wiped when it is dropped.
struct Key(KeyPair);

impl Key {
    fn generate() -> Result<Self, Refusal> {
        KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map(Self).map_err(|_| failed())
    }

    fn from_pem(pem: &str) -> Result<Self, Refusal> {
        KeyPair::from_pem(pem)
            .map(Self)
            .map_err(|_| Refusal::new(Code::MalformedFile, "the private key cannot be read"))
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}
