//! Failures of a command: what went wrong, under which stable code, what to do next, and with which
//! exit code the program ends. Turns gRPC errors into them; prints them for people and for programs.

use std::{error::Error as StdError, fmt, io, time::Duration};

use passerelle_domain::refusal::{Code, Fault, Refusal};
use serde_json::{Value, json};
use tonic_types::StatusExt as _;

/// How the program ends. The numbers are a promise to scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Ok = 0,
    /// The node refused: the request, the state of things, or a rule stands against it.
    Refused = 1,
    /// The command line, or a file that it names, is wrong. The node was not asked.
    Usage = 2,
    /// The node cannot be reached.
    Unreachable = 3,
    /// The caller may not do this, or the node does not know the caller.
    NotPermitted = 4,
    /// The node cannot serve now; the same command may succeed later.
    CannotServe = 5,
    /// A verification found faults.
    Unverified = 6,
    /// Nothing was published: it is kept as a draft until a second person has approved it.
    AwaitsApproval = 7,
}

/// The text about exit codes in `--help`.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  the node refused: the request, the state of things, or a rule stands against it
  2  the command line, or a file that it names, is wrong; the node was not asked
  3  the node cannot be reached, or did not answer in time
  4  not permitted to you, or the node does not know you
  5  the node cannot serve now; the same command may succeed later
  6  the verification found faults
  7  not published yet: kept as a draft until a second person has approved it";

/// One fault of a request: the field and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field, such as `places[2].latitude`.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

/// Why a command did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// How the program ends.
    pub exit: Exit,
    /// Stable code: a refusal code of the node, or one of this program's own
    /// (`usage`, `unreachable`, `timeout`, `outdated`, `not_verified`, `output_failed`, `output_closed`, `unexpected`).
    pub code: String,
    /// What is wrong, for a person.
    pub message: String,
    /// The field at fault, where there is one.
    pub field: Option<String>,
    /// Every fault, where the node found several.
    pub violations: Vec<Violation>,
    /// What to do next; empty when nothing can be said.
    pub next_step: String,
    /// Whether the same command, unchanged, can succeed later.
    pub retryable: bool,
    /// After how long to try again, where the node said so.
    pub retry_after: Option<Duration>,
    /// Lines of a file with a mark at the fault; for people only.
    pub excerpt: Option<String>,
    /// Words that the node sends along for `peer add`: the fingerprint to be compared.
    pub fingerprint_words: Option<String>,
}

impl Failure {
    fn new(exit: Exit, code: &str, message: impl Into<String>, next_step: impl Into<String>) -> Self {
        Self {
            exit,
            code: code.to_owned(),
            message: message.into(),
            field: None,
            violations: Vec::new(),
            next_step: next_step.into(),
            retryable: false,
            retry_after: None,
            excerpt: None,
            fingerprint_words: None,
        }
    }

    /// The command line, or something that it names, is wrong.
    #[must_use]
    pub fn usage(message: impl Into<String>, next_step: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", message, next_step)
    }

    /// A file that the command line names is wrong at a known place.
    #[must_use]
    pub fn malformed_file(message: impl Into<String>, excerpt: Option<String>) -> Self {
        let code = Code::MalformedFile;
        Self { excerpt, ..Self::new(Exit::Usage, code.as_str(), message, code.next_step()) }
    }

    /// The node cannot be reached.
    #[must_use]
    pub fn unreachable(message: impl Into<String>, next_step: impl Into<String>) -> Self {
        Self { retryable: true, ..Self::new(Exit::Unreachable, "unreachable", message, next_step) }
    }

    /// The node did not answer in time; whether it did what was asked is not known.
    #[must_use]
    pub fn timed_out(timeout: Duration) -> Self {
        let message =
            format!("no answer within {} s; whether the node did what was asked is not known", timeout.as_secs_f64());
        let next = "Look with `show` or `list`, then try again, with a larger --timeout if need be.";
        Self { retryable: true, ..Self::new(Exit::Unreachable, "timeout", message, next) }
    }

    /// This program may not open the way to the node.
    #[must_use]
    pub fn not_permitted(message: impl Into<String>) -> Self {
        let code = Code::Unauthenticated;
        Self::new(Exit::NotPermitted, code.as_str(), message, code.next_step())
    }

    /// A verification found faults.
    #[must_use]
    pub fn unverified(message: impl Into<String>) -> Self {
        let next = "Keep the data folder as it is, and follow the runbook: restore from a backup and from the peers.";
        Self::new(Exit::Unverified, "not_verified", message, next)
    }

    /// What the node answered does not fit the protocol.
    #[must_use]
    pub fn unexpected(message: impl Into<String>) -> Self {
        Self::new(Exit::CannotServe, "unexpected", message, "Check that this program and the node are of one release.")
    }

    /// A refusal that this program found by itself, by the rules that it shares with the node.
    #[must_use]
    pub fn refused_here(refusal: Refusal) -> Self {
        let failure = Self::new(Exit::Usage, refusal.code.as_str(), refusal.message, refusal.code.next_step());
        Self { field: refusal.field, ..failure }
    }

    /// Everything that this program found wrong with the file `name`, by the rules that it shares with the node.
    #[must_use]
    pub fn all_refused_here(name: &str, refusals: Vec<Refusal>) -> Self {
        let violations = refusals
            .iter()
            .map(|one| Violation { field: one.field.clone().unwrap_or_default(), message: one.message.clone() })
            .collect();
        let first = refusals.into_iter().next().unwrap_or_else(|| Refusal::new(Code::Malformed, "it is malformed"));
        let message = format!("{name}: {}", first.message);
        Self { violations, ..Self::refused_here(Refusal { message, ..first }) }
    }

    /// An error of a gRPC call.
    #[must_use]
    pub fn from_status(status: &tonic::Status) -> Self {
        if let Some(failure) = transport_failure(status) {
            return failure;
        }
        let details = status.get_error_details();
        let info = details.error_info().filter(|info| info.domain == "passerelle");
        let code = info.map_or_else(|| plain_code(status.code()).to_owned(), |info| info.reason.clone());
        let known = Code::parse(&code);
        let metadata =
            |key: &str| info.and_then(|info| info.metadata.get(key)).filter(|text| !text.is_empty()).cloned();
        let next_step = known.map(|code| code.next_step().to_owned()).or_else(|| metadata("next_step"));
        let retry_after = details.retry_info().and_then(|info| info.retry_delay);
        let exit = known.map_or_else(|| exit_of_status(status.code()), exit_of_code);
        let violations = details.bad_request().map(|request| &request.field_violations[..]).unwrap_or_default();
        Self {
            exit,
            code,
            message: if status.message().is_empty() { status.code().to_string() } else { status.message().to_owned() },
            field: metadata("field"),
            violations: violations
                .iter()
                .map(|one| Violation { field: one.field.clone(), message: one.description.clone() })
                .collect(),
            next_step: next_step.unwrap_or_else(|| next_step_of_status(status.code()).to_owned()),
            retryable: known.map_or(retry_after.is_some() || exit == Exit::CannotServe, Code::retryable),
            retry_after,
            excerpt: None,
            fingerprint_words: metadata("fingerprint_words"),
        }
    }

    /// An error of TLS: who did not believe whom.
    #[must_use]
    pub fn from_tls(error: &rustls::Error) -> Self {
        match error {
            rustls::Error::AlertReceived(alert) => {
                Self::not_permitted(format!("the node refused the certificate of this operator: {alert:?}"))
            }
            rustls::Error::InvalidCertificate(fault) => {
                let code = Code::BadCertificate;
                let message = format!("the node's certificate does not prove that it is the expected node: {fault}");
                let next = "Check --address, --root and --node; if they are right, somebody else answers there.";
                Self::new(Exit::Unreachable, code.as_str(), message, next)
            }
            other => Self::unreachable(format!("no secure connection to the node: {other}"), "See the node's log."),
        }
    }

    /// The same failure, telling how to repeat a command of which nobody knows whether it took effect.
    #[must_use]
    pub fn repeat_with_id(mut self, id: &str) -> Self {
        if matches!(self.exit, Exit::Unreachable | Exit::CannotServe) {
            self.next_step =
                format!("Repeat the same command with --id {id}: it takes effect once. {}", self.next_step);
        }
        self
    }

    /// What programs read: one object under `error`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let violations: Vec<Value> =
            self.violations.iter().map(|one| json!({"field": one.field, "message": one.message})).collect();
        let mut error = json!({
            "code": self.code,
            "message": self.message,
            "field": self.field,
            "violations": violations,
            "next_step": self.next_step,
            "retryable": self.retryable,
            "exit_code": self.exit as u8,
        });
        if let Some(delay) = self.retry_after {
            error["retry_after_seconds"] = json!(delay.as_secs_f64());
        }
        json!({ "error": error })
    }
}

impl fmt::Display for Failure {
    /// What people read, a few lines without a final line break.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        if let Some(excerpt) = &self.excerpt {
            write!(f, "\n{excerpt}")?;
        }
        // A single violation that says the same once more would only be noise.
        for one in self.violations.iter().filter(|one| !self.message.ends_with(&one.message)) {
            let path = if one.field.is_empty() { String::new() } else { format!("{}: ", one.field) };
            write!(f, "\n  - {path}{}", one.message)?;
        }
        if let Some(field) = &self.field {
            write!(f, "\nfield: {field}")?;
        }
        write!(f, "\ncode: {}", self.code)?;
        if let Some(delay) = self.retry_after {
            write!(f, "\nretry: after {} s", delay.as_secs_f64())?;
        }
        if !self.next_step.is_empty() {
            write!(f, "\nnext: {}", self.next_step)?;
        }
        Ok(())
    }
}

impl From<io::Error> for Failure {
    /// What could not be printed.
    fn from(error: io::Error) -> Self {
        let closed = error.kind() == io::ErrorKind::BrokenPipe;
        let code = if closed { "output_closed" } else { "output_failed" };
        Self::new(Exit::Usage, code, format!("cannot write the output: {error}"), "")
    }
}

fn exit_of_code(code: Code) -> Exit {
    match code.fault() {
        Fault::Permission => Exit::NotPermitted,
        Fault::Node => Exit::CannotServe,
        Fault::Input | Fault::Policy | Fault::State | Fault::Peer => Exit::Refused,
    }
}

fn exit_of_status(code: tonic::Code) -> Exit {
    use tonic::Code as Grpc;
    match code {
        Grpc::Ok => Exit::Ok,
        Grpc::Unauthenticated | Grpc::PermissionDenied => Exit::NotPermitted,
        Grpc::InvalidArgument
        | Grpc::NotFound
        | Grpc::AlreadyExists
        | Grpc::FailedPrecondition
        | Grpc::OutOfRange
        | Grpc::Aborted
        | Grpc::Unimplemented => Exit::Refused,
        Grpc::DeadlineExceeded => Exit::Unreachable,
        Grpc::Unavailable
        | Grpc::ResourceExhausted
        | Grpc::Internal
        | Grpc::DataLoss
        | Grpc::Unknown
        | Grpc::Cancelled => Exit::CannotServe,
    }
}

/// The code of an error that carries none of ours.
fn plain_code(code: tonic::Code) -> &'static str {
    use tonic::Code as Grpc;
    match code {
        Grpc::Unauthenticated => "unauthenticated",
        Grpc::PermissionDenied => "role_missing",
        Grpc::Unimplemented => "outdated",
        Grpc::DeadlineExceeded => "timeout",
        Grpc::ResourceExhausted => "rate_limited",
        Grpc::Unavailable => "shutting_down",
        Grpc::InvalidArgument | Grpc::OutOfRange => "malformed",
        Grpc::AlreadyExists => "duplicate_id",
        Grpc::FailedPrecondition | Grpc::Aborted => "wrong_state",
        _ => "unexpected",
    }
}

fn next_step_of_status(code: tonic::Code) -> &'static str {
    match code {
        tonic::Code::Unimplemented => "Upgrade the node: it does not know this command yet.",
        tonic::Code::NotFound => "Check the id; `list` shows what this node has.",
        _ => "See the node's log.",
    }
}

/// The failure behind an error that did not come from the node's own answer, but from the way to it.
fn transport_failure(status: &tonic::Status) -> Option<Failure> {
    let source = StdError::source(status)?;
    Some(connection_failure(source, "the connection to the node broke"))
}

/// The failure of a connection: looks through the chain of causes for what a person can act on.
#[must_use]
pub fn connection_failure(error: &(dyn StdError + 'static), what: &str) -> Failure {
    let mut cause = Some(error);
    let mut last = String::new();
    while let Some(error) = cause {
        last = error.to_string();
        let tls = error.downcast_ref::<rustls::Error>().or_else(|| {
            error.downcast_ref::<io::Error>().and_then(io::Error::get_ref).and_then(|inner| inner.downcast_ref())
        });
        if let Some(tls) = tls {
            return Failure::from_tls(tls);
        }
        if let Some(error) = error.downcast_ref::<io::Error>()
            && error.kind() == io::ErrorKind::PermissionDenied
        {
            return Failure::not_permitted(format!("{what}: {error}"));
        }
        cause = error.source();
    }
    let next = "Check that the node runs, and that --profile, --socket or --address names it.";
    Failure::unreachable(format!("{what}: {last}"), next)
}
