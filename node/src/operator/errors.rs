//! Refusals as gRPC errors, with the details of google.rpc (`ErrorInfo`, `BadRequest`, `RetryInfo`), so that a
//! program can act on the code and a person on the sentence.

use std::{collections::HashMap, time::Duration};

use passerelle_domain::refusal::{Code, Fault, Refusal};
use tonic::Status;
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

/// The domain of every `ErrorInfo`.
const DOMAIN: &str = "passerelle";
/// Faults told at once: the details travel in a header, and clients refuse large ones.
const VIOLATIONS_MAX: usize = 32;

/// Why a request was refused, on its way to the caller.
#[derive(Debug)]
pub(super) struct Refused {
    first: Refusal,
    others: Vec<Refusal>,
    /// Whether the journal has it already, or must not.
    pub(super) recorded: bool,
    metadata: HashMap<String, String>,
}

impl Refused {
    /// A refusal that the engine gave, and wrote down.
    pub(super) fn by_engine(refusal: Refusal) -> Self {
        Self { recorded: true, ..Self::from(refusal) }
    }

    /// The same, with one more value for programs.
    pub(super) fn with(mut self, key: &str, value: String) -> Self {
        self.metadata.insert(key.to_owned(), value);
        self
    }

    /// The code that it is known by.
    pub(super) fn code(&self) -> Code {
        self.first.code
    }

    /// Whether the request has certainly had no effect: a node that is failing or ending cannot say.
    pub(super) fn changed_nothing(&self) -> bool {
        self.code().fault() != Fault::Node
    }

    /// The error that the caller is given.
    pub(super) fn into_status(self) -> Status {
        let Self { first, others, mut metadata, .. } = self;
        let code = first.code;
        metadata.insert("field".to_owned(), first.field.clone().unwrap_or_default());
        metadata.insert("next_step".to_owned(), code.next_step().to_owned());
        metadata.insert("fault".to_owned(), fault_name(code.fault()).to_owned());
        let mut details = ErrorDetails::with_error_info(code.as_str(), DOMAIN, metadata);
        let message = match others.len() {
            0 => first.message.clone(),
            more => format!("{} (and {more} more)", first.message),
        };
        if code.fault() == Fault::Input && (first.field.is_some() || !others.is_empty()) {
            let violations = std::iter::once(first).chain(others).take(VIOLATIONS_MAX);
            let violations = violations.map(|one| FieldViolation::new(one.field.unwrap_or_default(), one.message));
            details.set_bad_request(violations.collect::<Vec<_>>());
        }
        if let Some(delay) = retry_after(code) {
            details.set_retry_info(Some(delay));
        }
        Status::with_error_details(grpc_code(code), message, details)
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self { first: refusal, others: Vec::new(), recorded: false, metadata: HashMap::new() }
    }
}

impl From<Vec<Refusal>> for Refused {
    fn from(mut refusals: Vec<Refusal>) -> Self {
        if refusals.is_empty() {
            return Refusal::new(Code::Malformed, "the request is not valid").into();
        }
        let others = refusals.split_off(1);
        let first = refusals.pop().unwrap_or_else(|| Refusal::new(Code::Malformed, "the request is not valid"));
        Self { others, ..first.into() }
    }
}

/// The gRPC code of a refusal.
fn grpc_code(code: Code) -> tonic::Code {
    use tonic::Code as Grpc;
    match code {
        Code::Unauthenticated => Grpc::Unauthenticated,
        Code::UnknownAlert | Code::UnknownHandover | Code::UnknownConsent | Code::UnknownPeer | Code::UnknownEntry => {
            Grpc::NotFound
        }
        Code::DuplicateId => Grpc::AlreadyExists,
        Code::Busy | Code::DiskFull | Code::RateLimited => Grpc::ResourceExhausted,
        Code::ShuttingDown => Grpc::Unavailable,
        Code::StoreFailed | Code::VaultFailed => Grpc::Internal,
        code => match code.fault() {
            Fault::Input => Grpc::InvalidArgument,
            Fault::Permission => Grpc::PermissionDenied,
            Fault::Policy | Fault::State | Fault::Peer => Grpc::FailedPrecondition,
            Fault::Node => Grpc::Unavailable,
        },
    }
}

fn retry_after(code: Code) -> Option<Duration> {
    match code {
        Code::RateLimited | Code::NotIssuedYet => Some(Duration::from_secs(60)),
        code if code.retryable() => Some(Duration::from_secs(1)),
        _ => None,
    }
}

fn fault_name(fault: Fault) -> &'static str {
    match fault {
        Fault::Input => "input",
        Fault::Permission => "permission",
        Fault::Policy => "policy",
        Fault::State => "state",
        Fault::Peer => "peer",
        Fault::Node => "node",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_an_error_that_says_what_to_do_next() {
        for code in Code::ALL {
            let status = Refused::from(Refusal::new(*code, "why").at("places[2]")).into_status();
            assert_ne!(status.code(), tonic::Code::Ok);
            assert_ne!(status.code(), tonic::Code::Unknown);
            let details = status.get_error_details();
            let info = details.error_info().expect("always there");
            assert_eq!((info.reason.as_str(), info.domain.as_str()), (code.as_str(), DOMAIN));
            assert_eq!(info.metadata.get("field").map(String::as_str), Some("places[2]"));
            assert_eq!(info.metadata.get("next_step").map(String::as_str), Some(code.next_step()));
            assert_eq!(details.retry_info().is_some(), code.retryable(), "{code}");
            assert_eq!(details.bad_request().is_some(), code.fault() == Fault::Input, "{code}");
        }
    }

    #[test]
    fn a_list_of_faults_is_told_at_once_and_stays_within_a_header() {
        let faults: Vec<_> =
            (0..100).map(|n| Refusal::new(Code::MissingField, "missing").at(format!("f[{n}]"))).collect();
        let status = Refused::from(faults).into_status();
        assert_eq!(status.message(), "missing (and 99 more)");
        let details = status.get_error_details();
        assert_eq!(details.bad_request().expect("violations").field_violations.len(), VIOLATIONS_MAX);
        assert!(status.details().len() < 6_000, "{}", status.details().len());
        assert_eq!(Refused::from(Vec::new()).code(), Code::Malformed);
    }
}
