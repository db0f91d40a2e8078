//! `init` and `operator-certificate`: what a Society makes before its node can run.

use std::{
    io::Write as _,
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use clap::Args;
use passerelle_domain::society::{MEMBERS, Society};

use crate::{
    clock::{Clock as _, SystemClock},
    config::{Address, Starting, starting_config},
    entropy::{Entropy as _, SystemEntropy},
    trust::{TrustFolder, disk},
};

use super::{WithConfig, say, tell};

/// How long an operator's certificate is good for.
const OPERATOR_LIFE: Duration = Duration::from_secs(365 * 24 * 3_600);

/// What `init` is told.
#[derive(Debug, Args)]
pub(super) struct Init {
    /// The Society, by its two-letter country code, such as SN.
    #[arg(long)]
    society: Society,
    /// Take a Society that is none of the network's ten, for tests or a new member.
    #[arg(long)]
    outside: bool,
    /// Where the node's data will stand; made if it is missing.
    #[arg(long)]
    dir: PathBuf,
    /// Where peers may dial in, or "off" for a node that only dials out.
    #[arg(long, default_value = "0.0.0.0:7443")]
    listen: String,
    /// Addresses, host:port, at which peers reach this node. None for a node behind NAT.
    #[arg(long, value_parser = address)]
    advertise: Vec<Address>,
    /// Login name or uid of the first operator. You, when not said.
    #[arg(long)]
    admin: Option<String>,
    /// Where to write the configuration; DIR/node.toml when not said.
    #[arg(long)]
    config: Option<PathBuf>,
}

impl Init {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let member = MEMBERS.iter().any(|member| member.society == self.society);
        anyhow::ensure!(
            member || self.outside,
            "{} is none of the Societies of the network; correct --society, or add --outside if that is meant",
            self.society
        );
        let listen = match self.listen.as_str() {
            "off" => None,
            address => Some(address.parse::<SocketAddr>().context("--listen is an address with a port, or off")?),
        };
        let addresses: Result<Vec<_>, _> = self.advertise.iter().map(|address| address.as_str().parse()).collect();
        disk::make_folder(&self.dir).with_context(|| format!("cannot make {}", self.dir.display()))?;
        let entropy = SystemEntropy::new();
        let fill = move |bytes: &mut [u8]| entropy.fill(bytes);
        let now = SystemClock::new().now();
        let report = TrustFolder::init(&self.dir, self.society, addresses?, now, &fill)?;
        let path = self.config.unwrap_or_else(|| self.dir.join("node.toml"));
        let text = starting_config(&Starting {
            society: self.society,
            data_dir: std::path::absolute(&self.dir)?,
            listen,
            advertise: self.advertise,
            admin: self.admin.unwrap_or_else(|| nix::unistd::getuid().to_string()),
        });
        write_new(&path, text.as_bytes(), 0o640)?;
        tell(&format!("The node of {} is ready to run.", self.society));
        tell(&format!("  configuration  {}", path.display()));
        tell(&format!("  bundle         {}", report.bundle.display()));
        tell(&format!("  fingerprint    {}", report.fingerprint.words().join(" ")));
        tell(&format!("  certificate    until {}", report.certificate_ends));
        say("Give the bundle to each peer's operators and read them the fingerprint by voice.");
        say(&format!("Next: passerelle-node run --config {}", path.display()));
        Ok(())
    }
}

/// What `operator-certificate` is told.
#[derive(Debug, Args)]
pub(super) struct OperatorCertificate {
    #[command(flatten)]
    with: WithConfig,
    /// Name of the operator or program, as `certificate = "NAME"` in the configuration.
    #[arg(long)]
    name: String,
    /// Folder for NAME.pem, NAME.key.pem and root.pem; made if it is missing.
    #[arg(long)]
    out: PathBuf,
}

impl OperatorCertificate {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let config = self.with.load()?;
        let (folder, _) = TrustFolder::open_at(&config.trust.dir)?;
        let entropy = SystemEntropy::new();
        let fill = move |bytes: &mut [u8]| entropy.fill(bytes);
        let authority = folder.authority(config.society)?;
        let issued = authority.issue_operator(&self.name, SystemClock::new().now(), OPERATOR_LIFE, &fill)?;
        disk::make_folder(&self.out).with_context(|| format!("cannot make {}", self.out.display()))?;
        write_new(&self.out.join(format!("{}.pem", self.name)), issued.certificate_pem.as_bytes(), 0o644)?;
        write_new(&self.out.join(format!("{}.key.pem", self.name)), issued.key_pem.as_bytes(), 0o600)?;
        write_new(&self.out.join("root.pem"), authority.root_pem().as_bytes(), 0o644)?;
        tell(&format!("{}", self.out.display()));
        Ok(())
    }
}

fn address(text: &str) -> Result<Address, String> {
    text.parse().map_err(|()| "an address is host:port".to_owned())
}

/// Writes a file that must not be there yet, durably.
fn write_new(path: &Path, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
    let context = || format!("cannot write {}", path.display());
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let mut file = file.with_context(context)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| disk::sync_folder(folder)).with_context(context)
}
