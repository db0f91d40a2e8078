//! Why a handshake or a connection failed, as a refusal with a code. Pure.

use std::io;

use passerelle_domain::refusal::{Code, Refusal};
use rustls::{AlertDescription, CertificateError, Error as TlsError};

/// The refusal of a failed handshake; `None` when the line failed and nobody refused anything.
pub(crate) fn of_io(error: &io::Error) -> Option<Refusal> {
    error.get_ref().and_then(|wrapped| wrapped.downcast_ref::<TlsError>()).map(of_tls)
}

pub(crate) fn of_tls(error: &TlsError) -> Refusal {
    let refuse = |code, message: &str| Refusal::new(code, message);
    match error {
        TlsError::NoCertificatesPresented => refuse(Code::Unauthenticated, "no certificate was presented"),
        TlsError::InvalidCertificate(CertificateError::Other(other)) => match other.0.downcast_ref::<Refusal>() {
            Some(refusal) => refusal.clone(),
            None => refuse(Code::BadCertificate, "the certificate is not accepted"),
        },
        TlsError::InvalidCertificate(certificate) => refuse(
            Code::BadCertificate,
            match certificate {
                CertificateError::Expired => "the certificate has expired",
                CertificateError::NotValidYet => "the certificate is not valid yet",
                CertificateError::UnknownIssuer => "the certificate does not chain to that Society's roots",
                CertificateError::BadSignature => "the certificate's signature is wrong",
                CertificateError::InvalidPurpose => "the certificate is not for this side of a connection",
                _ => "the certificate is not accepted",
            },
        ),
        TlsError::AlertReceived(alert) if speaks_of_certificate(*alert) => {
            Refusal::new(Code::BadCertificate, format!("the other side refuses this node's certificate: {alert:?}"))
        }
        TlsError::AlertReceived(alert) => {
            Refusal::new(Code::BadHandshake, format!("the other side ends the handshake: {alert:?}"))
        }
        TlsError::NoApplicationProtocol => refuse(Code::BadHandshake, "HTTP/2 is not offered"),
        TlsError::PeerIncompatible(_) => {
            refuse(Code::BadHandshake, "TLS 1.3 with a common key exchange is not offered")
        }
        _ => refuse(Code::BadHandshake, "the handshake does not follow TLS 1.3"),
    }
}

fn speaks_of_certificate(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::NoCertificate
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateRequired
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
    )
}
