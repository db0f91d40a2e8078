//! Verifies the XML signatures (W3C XMLDSig 1.1) of a CAP document against certificates that a person trusts. Touches no
//! file and no network: what a signature refers to outside its document, and every transform that is a program, is
//! turned away before the library sees it.

use bergshamra_dsig::{
    DsigContext,
    verify::{VerifyResult, verify_all_document_with_source},
};
use bergshamra_keys::{KeysManager, loader::load_x509_cert_der};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use uppsala::{Document, NodeId};

const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
/// What a reference may be put through: the signature itself is left out, and the document brought into canonical form.
const TRANSFORMS: [&str; 7] = [
    "http://www.w3.org/2000/09/xmldsig#enveloped-signature",
    "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
    "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments",
    "http://www.w3.org/2006/12/xml-c14n11",
    "http://www.w3.org/2006/12/xml-c14n11#WithComments",
    "http://www.w3.org/2001/10/xml-exc-c14n#",
    "http://www.w3.org/2001/10/xml-exc-c14n#WithComments",
];
/// Signatures with a public key; SHA-1 because warning services still sign with it.
const METHODS: [&str; 7] = [
    "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384",
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
    "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
    "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384",
    "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512",
];
/// Signatures of one document that are looked at.
const SIGNATURES_MAX: usize = 8;
/// References of one signature: each has the whole document hashed.
const REFERENCES_MAX: usize = 4;

/// What is known of a signature, or of the signatures of a document; a later one says more for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    /// It is of a kind that is not verified here, or there is no key to verify it with.
    NotVerified,
    /// The document or the signature was changed after signing.
    Broken,
    /// It fits its document and the key that it brings along; nobody vouches for that key.
    Untrusted,
    /// A trusted certificate made it, or one that chains to a trusted one and is in force.
    Verified,
}

impl State {
    /// The words under which people and programs know it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::NotVerified => "present, not verified",
            Self::Broken => "broken",
            Self::Untrusted => "untrusted",
            Self::Verified => "verified",
        }
    }
}

/// Certificates that are trusted.
pub(crate) struct Trusted(Vec<CertificateDer<'static>>);

impl Trusted {
    /// Reads certificates: one in DER, or any number in PEM.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
        let pem: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes).collect();
        let found = match pem {
            Ok(found) if !found.is_empty() => found,
            _ => vec![CertificateDer::from(bytes.to_vec())],
        };
        found.iter().all(|certificate| load_x509_cert_der(certificate).is_ok()).then_some(found)
    }

    pub(crate) fn new(certificates: Vec<CertificateDer<'static>>) -> Self {
        Self(certificates)
    }

    /// A manager that knows the certificates themselves: what one of them signed is verified, in force or not, for a
    /// person named it.
    fn pinned(&self) -> DsigContext {
        let mut keys = KeysManager::new();
        for key in self.0.iter().filter_map(|certificate| load_x509_cert_der(certificate).ok()) {
            keys.add_key(key);
        }
        DsigContext::new(keys)
    }

    /// A manager that takes the certificates as the ends of chains.
    fn anchored(&self) -> DsigContext {
        let mut keys = KeysManager::new();
        for certificate in &self.0 {
            keys.add_trusted_cert(certificate.to_vec());
        }
        DsigContext { trusted_keys_only: false, enabled_key_data_x509: true, ..DsigContext::new(keys) }
    }

    /// What the signatures of a document are worth, the best of them: a later signature covers the earlier ones, which
    /// do not cover it. The document is one that the checker read to its end.
    pub(crate) fn state_of(&self, document: &[u8]) -> State {
        let Ok(text) = std::str::from_utf8(document) else { return State::NotVerified };
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let Ok(parsed) = uppsala::parse(text) else { return State::NotVerified };
        if !is_plain(&parsed) {
            return State::NotVerified;
        }
        let all =
            |context: DsigContext| verify_all_document_with_source(&context, &parsed, Some(text)).unwrap_or_default();
        let valid = |results: &[VerifyResult]| results.iter().any(VerifyResult::is_valid);
        if valid(&all(self.pinned())) || valid(&all(self.anchored())) {
            return State::Verified;
        }
        // With whatever key the document brings along: says whether it was changed, not by whom it was made.
        let open = DsigContext {
            insecure: true,
            strict_verification: true,
            ..DsigContext::new_permissive(KeysManager::new())
        };
        all(open).iter().map(of_itself).max().unwrap_or(State::NotVerified)
    }
}

fn of_itself(result: &VerifyResult) -> State {
    match result {
        VerifyResult::Valid { .. } => State::Untrusted,
        VerifyResult::Invalid { reason } if reason.starts_with("signature could not be processed") => {
            State::NotVerified
        }
        VerifyResult::Invalid { .. } => State::Broken,
    }
}

/// Whether all signatures stand where CAP has them and are of the plain kind: over the whole document, with nothing to
/// follow or to run.
fn is_plain(document: &Document<'_>) -> bool {
    let signatures = document.get_elements_by_tag_name_ns(DSIG, "Signature");
    let root = document.document_element();
    (1..=SIGNATURES_MAX).contains(&signatures.len())
        && signatures
            .iter()
            .all(|signature| document.parent(*signature) == root && is_plain_signature(document, *signature))
}

fn is_plain_signature(document: &Document<'_>, signature: NodeId) -> bool {
    let mut references = 0;
    document.descendants(signature).into_iter().all(|node| {
        let Some(element) = document.element(node) else { return true };
        let algorithm = element.get_attribute("Algorithm").unwrap_or_default();
        let is = |name: &str| element.matches_name_ns(DSIG, name);
        if is("Reference") {
            references += 1;
            return references <= REFERENCES_MAX && element.get_attribute("URI").unwrap_or_default().is_empty();
        }
        if is("Transform") || is("CanonicalizationMethod") {
            return TRANSFORMS.contains(&algorithm)
                && document.children(node).iter().all(|child| {
                    document.element(*child).is_none_or(|inside| inside.get_attribute("PrefixList").is_some())
                });
        }
        if is("SignatureMethod") {
            return METHODS.contains(&algorithm);
        }
        !(is("RetrievalMethod") || is("Object") || is("Manifest") || element.get_attribute("URI").is_some())
    })
}
