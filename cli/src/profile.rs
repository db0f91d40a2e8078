//! Which node to talk to, and how: from the command line, the environment and the profiles of
//! `passerelle/config.toml`. Reads that one file; opens no connection.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use passerelle_domain::society::Society;
use serde::Deserialize;

use crate::{args::ConnectionArgs, console::Environment, failure::Failure, files};

/// Where a node listens for its operators unless its configuration says otherwise.
pub const DEFAULT_SOCKET: &str = "/run/passerelle/operator.sock";

/// The way to a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A Unix socket; the kernel tells the node who calls.
    Socket(PathBuf),
    /// TCP with mutual TLS.
    Tls(TlsTarget),
}

/// What a TLS connection needs. All files are PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsTarget {
    /// HOST:PORT of the node's operator port.
    pub address: String,
    /// The operator's certificate, with its intermediates.
    pub cert: PathBuf,
    /// The key of the certificate.
    pub key: PathBuf,
    /// The Society's roots.
    pub root: PathBuf,
    /// The Society whose node must answer; the operator's own when absent.
    pub node: Option<Society>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    default_profile: Option<String>,
    #[serde(default)]
    profiles: BTreeMap<String, Profile>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Profile {
    socket: Option<PathBuf>,
    address: Option<String>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    root: Option<PathBuf>,
    node: Option<Society>,
}

/// Decides which node is meant. What stands nearer wins: the options, then `--profile`, then
/// `PASSERELLE_SOCKET`, then `PASSERELLE_PROFILE`, then `default_profile`, then the default socket.
///
/// # Errors
/// `usage` for a profile that does not exist or is incomplete, `malformed_file` for a configuration
/// file that cannot be read as one.
pub fn resolve(args: &ConnectionArgs, env: &Environment<'_>) -> Result<Target, Failure> {
    if let Some(socket) = &args.socket {
        return Ok(Target::Socket(socket.clone()));
    }
    if let (Some(address), Some(cert), Some(key), Some(root)) = (&args.address, &args.cert, &args.key, &args.root) {
        let (address, cert, key, root) = (address.clone(), cert.clone(), key.clone(), root.clone());
        return Ok(Target::Tls(TlsTarget { address, cert, key, root, node: args.node }));
    }
    let text = |name: &str| env(name).filter(|value| !value.is_empty());
    if args.profile.is_none()
        && let Some(socket) = text("PASSERELLE_SOCKET")
    {
        return Ok(Target::Socket(socket.into()));
    }
    let wanted = match &args.profile {
        Some(name) => Some(name.clone()),
        None => text("PASSERELLE_PROFILE").map(|name| name.to_string_lossy().into_owned()),
    };
    let path = config_path(env);
    let config = path.as_deref().map(read_config).transpose()?.unwrap_or_default();
    let Some(name) = wanted.or_else(|| config.default_profile.clone()) else {
        return Ok(Target::Socket(PathBuf::from(DEFAULT_SOCKET)));
    };
    let place = path.unwrap_or_default();
    let Some(profile) = config.profiles.get(&name) else {
        let known: Vec<&str> = config.profiles.keys().map(String::as_str).collect();
        let known =
            if known.is_empty() { "there are none".to_owned() } else { format!("there is {}", known.join(", ")) };
        return Err(Failure::usage(
            format!("no profile `{name}` in {}; {known}", place.display()),
            "Add a [profiles.NAME] table with a `socket` there, or use --socket.",
        ));
    };
    profile.target(&name, &place)
}

impl Profile {
    /// Relative paths are counted from the folder of the configuration file.
    fn target(&self, name: &str, file: &Path) -> Result<Target, Failure> {
        let folder = file.parent().unwrap_or(Path::new(""));
        let place = |path: &PathBuf| folder.join(path);
        match (self.socket.as_ref(), self.address.as_ref(), &self.cert, &self.key, &self.root) {
            (Some(socket), None, None, None, None) => Ok(Target::Socket(place(socket))),
            (None, Some(address), Some(cert), Some(key), Some(root)) => Ok(Target::Tls(TlsTarget {
                address: address.clone(),
                cert: place(cert),
                key: place(key),
                root: place(root),
                node: self.node,
            })),
            _ => Err(Failure::usage(
                format!("profile `{name}` in {} names no complete way to a node", file.display()),
                "Give it either `socket`, or `address`, `cert`, `key` and `root`.",
            )),
        }
    }
}

fn config_path(env: &Environment<'_>) -> Option<PathBuf> {
    let folder = |name: &str| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = folder("XDG_CONFIG_HOME").or_else(|| folder("HOME").map(|home| home.join(".config")))?;
    Some(base.join("passerelle").join("config.toml"))
}

/// An absent file is an empty one.
fn read_config(path: &Path) -> Result<Config, Failure> {
    match fs::read_to_string(path) {
        Ok(text) => files::from_toml(&text, &path.display().to_string(), files::Content::Plain),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Config::default()),
        Err(error) => Err(Failure::malformed_file(format!("cannot read {}: {error}", path.display()), None)),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    const CONFIG: &str = r#"
default_profile = "home"
[profiles.home]
socket = "home.sock"
[profiles.away]
address = "node.example:7443"
cert = "operator.pem"
key = "/keys/operator.key"
root = "root.pem"
node = "sn"
[profiles.half]
address = "node.example:7443"
"#;

    struct Place(tempfile::TempDir);

    impl Place {
        fn new(config: Option<&str>) -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            if let Some(config) = config {
                fs::create_dir(folder.path().join("passerelle")).expect("a folder");
                fs::write(folder.path().join("passerelle/config.toml"), config).expect("a file");
            }
            Self(folder)
        }

        fn resolve(&self, args: &[&str], env: &[(&str, &str)]) -> Result<Target, Failure> {
            let connection = crate::args::connection_of(args);
            let home = self.0.path().as_os_str().to_owned();
            let lookup = |name: &str| {
                if name == "XDG_CONFIG_HOME" {
                    return Some(home.clone());
                }
                env.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
            };
            resolve(&connection, &lookup)
        }
    }

    #[test]
    fn what_stands_nearer_wins() {
        let place = Place::new(Some(CONFIG));
        let home = place.0.path().join("passerelle/home.sock");
        let socket = |path: &str| Target::Socket(PathBuf::from(path));
        let both = [("PASSERELLE_SOCKET", "/env.sock"), ("PASSERELLE_PROFILE", "away")];
        for (args, env, expected) in [
            (&["--socket", "/a.sock"][..], &both[..], socket("/a.sock")),
            (&["--socket", "/a.sock", "--profile", "away"], &[], socket("/a.sock")),
            (&["--profile", "home"], &both, Target::Socket(home.clone())),
            (&[], &both, socket("/env.sock")),
            (&[], &[("PASSERELLE_SOCKET", "")], Target::Socket(home.clone())),
            (&[], &[], Target::Socket(home.clone())),
        ] {
            assert_eq!(place.resolve(args, env), Ok(expected), "{args:?} {env:?}");
        }
        assert_eq!(Place::new(None).resolve(&[], &[]), Ok(socket(DEFAULT_SOCKET)));
    }

    #[test]
    fn a_profile_over_tls_finds_its_files_beside_the_configuration() {
        let place = Place::new(Some(CONFIG));
        let folder = place.0.path().join("passerelle");
        let expected = Target::Tls(TlsTarget {
            address: "node.example:7443".into(),
            cert: folder.join("operator.pem"),
            key: "/keys/operator.key".into(),
            root: folder.join("root.pem"),
            node: Some("SN".parse().expect("a Society")),
        });
        assert_eq!(place.resolve(&[], &[("PASSERELLE_PROFILE", "away")]), Ok(expected));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let place = Place::new(Some(CONFIG));
        let unknown = place.resolve(&["--profile", "gm"], &[]).expect_err("no such profile");
        assert!(unknown.message.contains("there is away, half, home"), "{unknown}");
        let half = place.resolve(&["--profile", "half"], &[]).expect_err("incomplete");
        assert!(half.message.contains("`half`"), "{half}");
        let broken = Place::new(Some("[profiles.sn]\nsokket = \"x\"\n")).resolve(&[], &[]).expect_err("unknown key");
        assert_eq!(
            (broken.code.as_str(), broken.message.contains("line 2, column 1")),
            ("malformed_file", true),
            "{broken}"
        );
    }
}
