//! Certificates of two servers that verify each other: a root of our own and one certificate for each, P-256, as the
//! nodes have them. Writes PEM files.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256,
};

/// The files by which one server proves who it is and knows the other.
#[derive(Clone, Debug)]
pub(super) struct Files {
    pub(super) root: PathBuf,
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

/// A root and a certificate for each name, in `folder`. All are good for `localhost` and 127.0.0.1.
pub(super) fn make<const N: usize>(folder: &Path, names: [&str; N]) -> anyhow::Result<[Files; N]> {
    fs::create_dir_all(folder)?;
    let root_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::default();
    // Names that differ: Erlang takes a certificate whose issuer has its own name for a self-signed one.
    params.distinguished_name.push(DnType::CommonName, "root of the bench");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let certificate = params.self_signed(&root_key)?;
    let root = folder.join("root.pem");
    fs::write(&root, certificate.pem())?;
    let issuer = Issuer::new(params, root_key);
    let mut made = Vec::with_capacity(N);
    for name in names {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let files = Files {
            root: root.clone(),
            certificate: folder.join(format!("{name}.pem")),
            key: folder.join(format!("{name}.key")),
        };
        fs::write(&files.certificate, params.signed_by(&key, &issuer)?.pem())?;
        fs::write(&files.key, key.serialize_pem())?;
        made.push(files);
    }
    made.try_into().map_err(|_| anyhow::anyhow!("as many were made as were asked for"))
}
