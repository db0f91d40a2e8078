//! The kinds of value that a key of the configuration can hold, each parsed once into its type.

use std::{fmt, net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};

use passerelle_domain::{
    catalogue::Role, limits::NAME_BYTES_MAX, lint::check_text, retention::TransferGround, society::Society, time::Time,
};
use toml::de::DeValue;

use super::{LogFormat, LogLevel};

/// A kind of value.
pub(super) trait Value: Sized {
    /// What it is, to complete "is not ...".
    const IS: &'static str;
    /// How one is written, to complete "Write ...".
    const EXAMPLE: &'static str;

    /// From the text of a quoted string or of an environment variable.
    fn from_text(text: &str) -> Option<Self>;

    /// From a value of the file.
    fn from_toml(value: &DeValue<'_>) -> Option<Self> {
        value.as_str().and_then(Self::from_text)
    }
}

impl Value for bool {
    const IS: &'static str = "true or false";
    const EXAMPLE: &'static str = "true or false, without quotes";
    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
    fn from_toml(value: &DeValue<'_>) -> Option<Self> {
        value.as_bool()
    }
}

impl Value for u64 {
    const IS: &'static str = "a whole number";
    const EXAMPLE: &'static str = "digits, without quotes, unit or sign";
    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
    fn from_toml(value: &DeValue<'_>) -> Option<Self> {
        let integer = value.as_integer()?;
        Self::from_str_radix(integer.as_str(), integer.radix()).ok()
    }
}

impl Value for PathBuf {
    const IS: &'static str = "a path";
    const EXAMPLE: &'static str = "a path in quotes, absolute or relative to this file";
    fn from_text(text: &str) -> Option<Self> {
        (!text.is_empty() && !text.contains('\0')).then(|| Self::from(text))
    }
}

impl Value for Society {
    const IS: &'static str = "the code of a Society";
    const EXAMPLE: &'static str = "the two letters of its country (ISO 3166-1 alpha-2), such as \"SN\"";
    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Value for Role {
    const IS: &'static str = "a role";
    const EXAMPLE: &'static str = "roles of the list in node.reference.toml, such as \"duty_officer\"";
    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// A socket to listen on, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Listen(pub(super) Option<SocketAddr>);

impl Value for Listen {
    const IS: &'static str = "an address to listen on";
    const EXAMPLE: &'static str = "an IP address and a port, such as \"0.0.0.0:7443\" or \"[::]:7443\", or \"off\"";
    fn from_text(text: &str) -> Option<Self> {
        if text == "off" { Some(Self(None)) } else { text.parse().ok().map(|address| Self(Some(address))) }
    }
}

/// Where a node can be dialled: a DNS name or IP address, and a port. It proves nothing about who answers there.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(String);

impl Address {
    /// `host:port`, an IPv6 host in brackets: what a resolver and a dialler take.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Address {
    type Err = ();

    /// A host of letters, digits, dots, hyphens (253 bytes at most, RFC 1035) or an IP address, and a port from 1 on.
    fn from_str(text: &str) -> Result<Self, ()> {
        let address = Self(text.to_owned());
        if let Ok(socket) = text.parse::<SocketAddr>() {
            return if socket.port() > 0 { Ok(address) } else { Err(()) };
        }
        let (host, port) = text.rsplit_once(':').ok_or(())?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
        let named = (1..=253).contains(&host.len()) && host.bytes().all(plain) && !host.starts_with(['.', '-']);
        if named && port.parse::<u16>().is_ok_and(|port| port > 0) { Ok(address) } else { Err(()) }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Value for Address {
    const IS: &'static str = "an address to dial";
    const EXAMPLE: &'static str = "a host name or IP address and a port, such as \"node.croix-rouge.example:7443\"";
    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// A short name: of a certificate or a login. Letters, digits, `.`, `-`, `_` and `@`, at most 64 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name(pub(super) String);

impl Value for Name {
    const IS: &'static str = "a name";
    const EXAMPLE: &'static str = "1 to 64 letters, digits, dots, hyphens, underscores or @, in quotes";
    fn from_text(text: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte);
        ((1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(plain)).then(|| Self(text.to_owned()))
    }
}

/// One word of a command: any text without a zero byte, at most 1024 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word(pub(super) String);

impl Value for Word {
    const IS: &'static str = "a word of a command";
    const EXAMPLE: &'static str = "each argument in quotes of its own; no shell reads them";
    fn from_text(text: &str) -> Option<Self> {
        ((1..=1024).contains(&text.len()) && !text.contains('\0')).then(|| Self(text.to_owned()))
    }
}

/// A user of the machine, as the kernel vouches for it on the operator socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum User {
    /// By number.
    Uid(u32),
    /// By login name, looked up when the operator interface starts.
    Login(String),
}

impl Value for User {
    const IS: &'static str = "a user of this machine";
    const EXAMPLE: &'static str = "a login name in quotes or a numeric uid";
    fn from_text(text: &str) -> Option<Self> {
        match text.parse() {
            Ok(uid) => Some(Self::Uid(uid)),
            Err(_) => Name::from_text(text).map(|Name(login)| Self::Login(login)),
        }
    }
    fn from_toml(value: &DeValue<'_>) -> Option<Self> {
        match value {
            DeValue::Integer(_) => u64::from_toml(value).and_then(|uid| u32::try_from(uid).ok()).map(Self::Uid),
            _ => value.as_str().and_then(Self::from_text),
        }
    }
}

/// A span of time: a whole number and `m`, `h`, `d` or `y` (365 days), such as "24h".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span(pub(super) Duration);

impl Value for Span {
    const IS: &'static str = "a span of time";
    const EXAMPLE: &'static str = "a whole number and m, h, d or y in quotes, such as \"24h\", \"90d\" or \"5y\"";
    fn from_text(text: &str) -> Option<Self> {
        let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let seconds = match unit {
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            "y" => 365 * 86_400,
            _ => return None,
        };
        let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let number: u64 = if digits { number.parse().ok()? } else { return None };
        number.checked_mul(seconds).map(|seconds| Self(Duration::from_secs(seconds)))
    }
}

/// A day, in UTC, from its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Day(pub(super) Time);

impl Value for Day {
    const IS: &'static str = "a day";
    const EXAMPLE: &'static str = "a day in quotes, as \"2026-01-31\"";
    fn from_text(text: &str) -> Option<Self> {
        format!("{text}T00:00:00Z").parse().ok().map(Self)
    }
}

impl Value for TransferGround {
    const IS: &'static str = "a ground for transfers";
    const EXAMPLE: &'static str =
        "\"agreement\", \"adequacy\", \"authorisation\", \"community_act\", \"explicit_consent\" or \"vital_interest\"";
    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// Where something is written down: 1 to 120 characters on one line, which are not about a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Remark(pub(super) String);

impl Value for Remark {
    const IS: &'static str = "a remark without personal data";
    const EXAMPLE: &'static str = "the title of a paper in quotes, at most 120 characters";
    fn from_text(text: &str) -> Option<Self> {
        let fits = (1..=120).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        (fits && check_text(text).is_ok()).then(|| Self(text.to_owned()))
    }
}

/// A number that people can call: 3 to 40 characters of a telephone number, or a short code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hotline(pub(super) String);

impl Value for Hotline {
    const IS: &'static str = "a number that people can call";
    const EXAMPLE: &'static str = "a telephone number in quotes, such as \"+221 33 000 00 00\"";
    fn from_text(text: &str) -> Option<Self> {
        let of_a_number = |c: char| c.is_ascii_digit() || " +-()/*#".contains(c);
        let fits = (3..=40).contains(&text.chars().count()) && text.chars().all(of_a_number);
        fits.then(|| Self(text.trim().to_owned()))
    }
}

/// Unix permission bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mode(pub(super) u32);

impl Value for Mode {
    const IS: &'static str = "a file mode that keeps others out";
    const EXAMPLE: &'static str = "three octal digits ending in 0, in quotes, such as \"0600\" or \"0660\"";
    fn from_text(text: &str) -> Option<Self> {
        let mode = u32::from_str_radix(text, 8).ok()?;
        // The owner must be able to connect; the rest of the world never may.
        (mode <= 0o777 && mode & 0o007 == 0 && mode & 0o600 == 0o600).then_some(Self(mode))
    }
}

impl Value for LogFormat {
    const IS: &'static str = "a log format";
    const EXAMPLE: &'static str = "\"human\" or \"json\"";
    fn from_text(text: &str) -> Option<Self> {
        match text {
            "human" => Some(Self::Human),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

impl Value for LogLevel {
    const IS: &'static str = "a log level";
    const EXAMPLE: &'static str = "\"error\", \"warn\", \"info\", \"debug\" or \"trace\"";
    fn from_text(text: &str) -> Option<Self> {
        match text {
            "error" => Some(Self::Error),
            "warn" => Some(Self::Warn),
            "info" => Some(Self::Info),
            "debug" => Some(Self::Debug),
            "trace" => Some(Self::Trace),
            _ => None,
        }
    }
}
