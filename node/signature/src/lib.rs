//! Verifies the XML signatures (W3C XMLDSig 1.1) of a CAP document against certificates that a person trusts. Touches no
//! file and no network: what a signature refers to outside its document, and every transform that is a program, is
//! turned away before the library sees it.

use bergshamra_dsig::{
    DsigContext,
    verify::{VerifyResult, verify_all_document},
};
use bergshamra_keys::{KeysManager, loader::load_x509_cert_der};
use passerelle_domain::limits::ORIGINAL_BYTES_MAX;
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
const SIGNATURES_MAX: usize = 4;
/// References of one signature: each has the whole document hashed.
const REFERENCES_MAX: usize = 4;

/// What is known of a signature, or of the signatures of a document; a later one says more for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
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
    /// The words under which people know it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotVerified => "present, not verified",
            Self::Broken => "broken",
            Self::Untrusted => "untrusted",
            Self::Verified => "verified",
        }
    }

    /// The code under which programs know it.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::NotVerified => "present_not_verified",
            other => other.as_str(),
        }
    }
}

/// Certificates that are trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trusted(Vec<CertificateDer<'static>>);

impl Trusted {
    /// Reads certificates: one in DER, or any number in PEM. None when there is one among them that cannot be used.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
        let pem: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes).collect();
        let found = match pem {
            Ok(found) if !found.is_empty() => found,
            _ => vec![CertificateDer::from(bytes.to_vec())],
        };
        found.iter().all(|certificate| load_x509_cert_der(certificate).is_ok()).then_some(found)
    }

    /// Trusts these certificates: each for what it signed itself, and for what was signed by one that it vouches for.
    #[must_use]
    pub fn new(certificates: Vec<CertificateDer<'static>>) -> Self {
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
        DsigContext { trusted_keys_only: false, ..DsigContext::new(keys) }
    }

    /// What the signatures of a document are worth, the best of them. The document is one that the checker read to its
    /// end; one that is too large to be imported is not looked at.
    ///
    /// It is held to the signatures as it stands, and then in the forms in which warning services sign: without white
    /// space between the elements and without what stands before the first, when somebody indented it afterwards; and
    /// each signature without the others, when several signed the same alert. Nothing of that says anything in CAP, so
    /// that what is verified is the same alert.
    #[must_use]
    pub fn state_of(&self, document: &[u8]) -> State {
        let Ok(text) = std::str::from_utf8(document) else { return State::NotVerified };
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let Ok(parsed) = uppsala::parse(text) else { return State::NotVerified };
        if document.len() > ORIGINAL_BYTES_MAX || !is_plain(&parsed) {
            return State::NotVerified;
        }
        let signatures = signatures(&parsed).len();
        let alone = (0..signatures).filter(|_| signatures > 1).map(Some);
        let mut states = Vec::new();
        for kept in std::iter::once(None).chain(alone) {
            for indented in [true, false] {
                let Ok(mut form) = uppsala::parse(text) else { return State::NotVerified };
                if let Some(kept) = kept {
                    keep_one(&mut form, kept);
                }
                if !indented {
                    unindent(&mut form);
                }
                let state = self.state_of_parsed(&form);
                if state == State::Verified {
                    return state;
                }
                states.push(state);
            }
        }
        // Broken is what is broken in all forms: in one in which it is whole, only a key may be missing.
        let intact = states.iter().find(|state| **state == State::Untrusted);
        intact.or(states.iter().min()).copied().unwrap_or(State::NotVerified)
    }

    fn state_of_parsed(&self, document: &Document<'_>) -> State {
        let all = |context: DsigContext| verify_all_document(&context, document).unwrap_or_default();
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

fn signatures(document: &Document<'_>) -> Vec<NodeId> {
    document.get_elements_by_tag_name_ns(DSIG, "Signature")
}

/// Takes all signatures but one away.
fn keep_one(document: &mut Document<'_>, kept: usize) {
    for (index, signature) in signatures(document).into_iter().enumerate() {
        if index != kept {
            document.detach(signature);
        }
    }
}

fn of_itself(result: &VerifyResult) -> State {
    // The reasons of the library for what it could not try: no key that it can read, an algorithm that it does not have.
    const UNTRIED: [&str; 4] = ["key error", "key not found", "unsupported algorithm", "certificate error"];
    match result {
        VerifyResult::Valid { .. } => State::Untrusted,
        VerifyResult::Invalid { reason } if UNTRIED.iter().any(|untried| reason.contains(untried)) => {
            State::NotVerified
        }
        VerifyResult::Invalid { .. } => State::Broken,
    }
}

/// Takes away what stands outside the root, and the white space between elements.
fn unindent(document: &mut Document<'_>) {
    let (top, root) = (document.root(), document.document_element());
    let mut needless: Vec<NodeId> = document.children(top).into_iter().filter(|node| Some(*node) != root).collect();
    for parent in document.descendants(top) {
        let children = document.children(parent);
        if children.iter().any(|child| document.element(*child).is_some()) {
            let blank = |node: &NodeId| {
                document
                    .text_content(*node)
                    .is_some_and(|text| text.chars().all(|c| matches!(c, ' ' | '\t' | '\n' | '\r')))
            };
            needless.extend(children.into_iter().filter(blank));
        }
    }
    needless.into_iter().for_each(|node| document.detach(node));
}

/// Whether all signatures stand where CAP has them and are of the plain kind: over the whole document, with nothing to
/// follow or to run.
fn is_plain(document: &Document<'_>) -> bool {
    let signatures = signatures(document);
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

#[cfg(test)]
mod tests {
    use bergshamra_dsig::sign::sign;
    use bergshamra_keys::loader::load_pem_auto;

    use super::*;

    const ALERT: &str = include_str!("../../../config/demo/alert.cap.xml");

    fn certificate() -> (CertificateDer<'static>, String) {
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = rcgen::CertificateParams::new(vec!["met.example".to_owned()])
            .and_then(|p| p.self_signed(&key))
            .expect("a certificate");
        (certificate.der().clone(), key.serialize_pem())
    }

    /// The shipped alert, signed as warning services do it: one line, indented afterwards where `indented`.
    fn signed(certificate: &CertificateDer<'_>, key: &str, indented: bool, uri: &str) -> String {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        let body: String = ALERT.lines().skip(2).map(str::trim).collect();
        let template = format!(
            "<Signature xmlns=\"{DSIG}\"><SignedInfo><CanonicalizationMethod Algorithm=\"{c14n}\"/>\
             <SignatureMethod Algorithm=\"{method}\"/><Reference URI=\"{uri}\"><Transforms><Transform Algorithm=\"{enveloped}\"/>\
             <Transform Algorithm=\"{c14n}\"/></Transforms><DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/>\
             <DigestValue/></Reference></SignedInfo><SignatureValue/><KeyInfo><X509Data><X509Certificate>{der}</X509Certificate>\
             </X509Data></KeyInfo></Signature></alert>",
            c14n = TRANSFORMS[3],
            method = METHODS[4],
            enveloped = TRANSFORMS[0],
            der = STANDARD.encode(certificate),
        );
        let mut keys = KeysManager::new();
        keys.add_key(load_pem_auto(key.as_bytes(), None).expect("a key"));
        let text = sign(&DsigContext::new(keys), &body.replace("</alert>", &template)).expect("a signature");
        if indented { format!("<?xml-stylesheet href='a.xsl'?>\n{}", text.replace("><", ">\n  <")) } else { text }
    }

    #[test]
    fn a_signature_is_worth_what_its_certificate_is_and_any_change_breaks_it() {
        let ((ours, key), (other, _)) = (certificate(), certificate());
        let trusting = |certificate: &CertificateDer<'static>| Trusted::new(vec![certificate.clone()]);
        for indented in [false, true] {
            let text = signed(&ours, &key, indented, "");
            assert_eq!(trusting(&ours).state_of(text.as_bytes()), State::Verified, "{text}");
            assert_eq!(trusting(&other).state_of(text.as_bytes()), State::Untrusted);
            for (from, to) in
                [("Rosso", "Diama"), ("<DigestValue>", "<DigestValue>AA"), ("<SignatureValue>", "<SignatureValue>AA")]
            {
                assert!(text.contains(from));
                assert_eq!(trusting(&ours).state_of(text.replacen(from, to, 1).as_bytes()), State::Broken, "{from}");
            }
            let without = text.replace("X509Certificate>", "X509SKI>");
            assert_eq!(trusting(&other).state_of(without.as_bytes()), State::NotVerified, "no key to try");
        }
    }

    /// A certificate signed by `issuer`, or by itself; in force for so many days from so many days ago.
    fn issued(
        name: &str,
        ca: bool,
        days: (i64, i64),
        issuer: Option<&rcgen::Issuer<'_, rcgen::KeyPair>>,
    ) -> (rcgen::Certificate, rcgen::Issuer<'static, rcgen::KeyPair>, String) {
        let key = rcgen::KeyPair::generate().expect("a key");
        let pem = key.serialize_pem();
        let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).expect("a name");
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let now = time::OffsetDateTime::now_utc();
        params.not_before = now - time::Duration::days(days.0);
        params.not_after = now + time::Duration::days(days.1);
        if ca {
            params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign, rcgen::KeyUsagePurpose::DigitalSignature];
        }
        let certificate = match issuer {
            Some(issuer) => params.signed_by(&key, issuer),
            None => params.self_signed(&key),
        };
        (certificate.expect("a certificate"), rcgen::Issuer::new(params, key), pem)
    }

    #[test]
    fn a_trusted_authority_vouches_for_whom_it_certified_while_that_is_in_force() {
        let (root, root_key, root_pem) = issued("root", true, (100, 1_000), None);
        let (stranger, ..) = issued("root", true, (100, 1_000), None);
        let (service, _, service_pem) = issued("met service", false, (10, 100), Some(&root_key));
        let (middle, middle_key, _) = issued("middle", true, (50, 500), Some(&root_key));
        let (far, _, far_pem) = issued("far", false, (10, 100), Some(&middle_key));
        let (past, _, past_pem) = issued("past", false, (100, -10), Some(&root_key));
        let (soon, _, soon_pem) = issued("soon", false, (-10, 100), Some(&root_key));
        // Who was certified as no authority certifies nobody.
        let (_, service_key, _) = issued("met service", false, (10, 100), Some(&root_key));
        let (forged, _, forged_pem) = issued("forged", false, (10, 100), Some(&service_key));
        for (story, certificate, pem, chain, trusted, expected) in [
            ("the authority itself", &root, &root_pem, vec![], &root, State::Verified),
            ("whom it certified", &service, &service_pem, vec![], &root, State::Verified),
            ("over another authority", &far, &far_pem, vec![&middle], &root, State::Verified),
            ("with the other authority left out", &far, &far_pem, vec![], &root, State::Untrusted),
            ("another authority of that name", &service, &service_pem, vec![], &stranger, State::Untrusted),
            ("no more in force", &past, &past_pem, vec![], &root, State::Untrusted),
            ("not yet in force", &soon, &soon_pem, vec![], &root, State::Untrusted),
            ("by one that is no authority", &forged, &forged_pem, vec![&service], &root, State::Untrusted),
            ("no more in force, but named by a person", &past, &past_pem, vec![], &past, State::Verified),
        ] {
            use base64::{Engine as _, engine::general_purpose::STANDARD};
            let more: String = chain
                .into_iter()
                .map(|more: &rcgen::Certificate| {
                    format!("<X509Certificate>{}</X509Certificate>", STANDARD.encode(more.der()))
                })
                .collect();
            let text = signed(certificate.der(), pem, false, "");
            let text = text.replace("</X509Certificate></X509Data>", &format!("</X509Certificate>{more}</X509Data>"));
            let trusted = Trusted::new(vec![trusted.der().clone()]);
            assert_eq!(trusted.state_of(text.as_bytes()), expected, "{story}");
        }
    }

    #[test]
    fn several_may_sign_the_same_alert() {
        let ((first, first_key), (second, second_key)) = (certificate(), certificate());
        let one = signed(&first, &first_key, false, "");
        let two = signed(&second, &second_key, false, "");
        let (_, signature) = two.split_once("<Signature ").expect("signed");
        let both = one.replace("</alert>", &format!("\n<Signature {signature}"));
        for (certificate, changed) in [(&first, false), (&second, false), (&first, true)] {
            let text = if changed { both.replace("Rosso", "Diama") } else { both.clone() };
            let state = Trusted::new(vec![certificate.clone()]).state_of(text.as_bytes());
            assert_eq!(state, if changed { State::Broken } else { State::Verified });
        }
    }

    #[test]
    fn nothing_is_followed_and_nothing_is_run() {
        let (ours, key) = certificate();
        let text = signed(&ours, &key, false, "");
        let trusted = Trusted::new(vec![ours]);
        for (from, to) in [
            ("URI=\"\"", "URI=\"Cargo.toml\""),
            ("URI=\"\"", "URI=\"file:///etc/hostname\""),
            ("URI=\"\"", "URI=\"#x\""),
            ("<KeyInfo>", "<KeyInfo><RetrievalMethod URI=\"http://localhost/\"/>"),
            (TRANSFORMS[0], "http://www.w3.org/TR/1999/REC-xslt-19991116"),
            (TRANSFORMS[0], "http://www.w3.org/TR/1999/REC-xpath-19991116"),
            (METHODS[4], "http://www.w3.org/2000/09/xmldsig#hmac-sha1"),
            ("<note>", "<note><Signature xmlns=\"http://www.w3.org/2000/09/xmldsig#\"/>"),
        ] {
            assert!(text.contains(from), "{from}");
            assert_eq!(trusted.state_of(text.replacen(from, to, 1).as_bytes()), State::NotVerified, "{to}");
        }
        assert_eq!(trusted.state_of(b"\xff"), State::NotVerified);
    }

    #[test]
    fn certificates_are_read_in_pem_and_der() {
        let (ours, key) = certificate();
        assert_eq!(Trusted::parse(&ours).map(|found| found.len()), Some(1));
        assert!(Trusted::parse(key.as_bytes()).is_none() && Trusted::parse(b"").is_none());
    }
}
