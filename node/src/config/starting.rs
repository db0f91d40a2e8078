//! The configuration that a new node starts from: short, commented, and ready to load.

use std::{net::SocketAddr, path::PathBuf};

use passerelle_domain::society::Society;

use super::Address;

/// What is known when a node is set up; the rest has defaults.
#[derive(Clone, Debug)]
pub struct Starting {
    /// The Society whose node it will be.
    pub society: Society,
    /// Where its data will stand.
    pub data_dir: PathBuf,
    /// Where peers may dial in, if at all.
    pub listen: Option<SocketAddr>,
    /// Where peers can reach it, if that is known.
    pub advertise: Vec<Address>,
    /// The login name or uid of its first operator, who is made `node_admin`.
    pub admin: String,
}

/// The text of a first configuration file.
#[must_use]
pub fn starting_config(starting: &Starting) -> String {
    let society = starting.society;
    let name = society.member().map_or(String::new(), |member| format!(", {}", member.name));
    let data_dir = quoted(&starting.data_dir.to_string_lossy());
    let listen = quoted(&starting.listen.map_or("off".to_owned(), |address| address.to_string()));
    let advertise: Vec<String> = starting.advertise.iter().map(|address| quoted(address.as_str())).collect();
    let advertise = advertise.join(", ");
    let admin = quoted(&starting.admin);
    let other = if society.code() == "GM" { "SN" } else { "GM" };
    format!(
        r#"# Configuration of the Passerelle node of {society}{name}.
# node.reference.toml names every key with its default and reason.
# After a change: passerelle-node check-config, then restart the node. Peers, bases for transfers and periods of retention
# are also taken while it runs: systemctl reload passerelle-node, or SIGHUP.

society = "{society}"
data_dir = {data_dir}

[link]
# Where the peers' nodes may dial in; "off" for a node that only dials out.
listen = {listen}
# Under which addresses they reach this node from outside, if they can.
advertise = [{advertise}]

# Who may operate this node. Whoever is not listed may do nothing.
[[operators]]
user = {admin}
roles = ["node_admin"]

# A colleague on duty:
#[[operators]]
#user = "duty"
#roles = ["alert_author", "duty_officer"]

# A Society with whom this one exchanges alerts and handovers; one such block each.
#[[peers]]
#society = "{other}"
#addresses = ["passerelle.example.org:7443"]

# Public alerts for the web, as an Atom feed behind a reverse proxy; off while this is commented out.
#[feed]
#listen = "127.0.0.1:8480"
#base_url = "https://alerts.example.org"

# A feed of CAP warnings, such as the met service's, that becomes drafts for an alert_approver; one such block each.
#[[cap_sources]]
#name = "met"
#url = "https://met.example/cap/feed.atom"

# On what legal basis cases may go between two countries; without one that holds today every handover is refused, as
# safe as can be. One block for each direction, once the two Societies and their counsel have agreed on it:
#[[transfer_basis]]
#from = "{society}"
#to = "{other}"
#basis = "agreement"
#valid_from = "2026-01-01"
#[[transfer_basis]]
#from = "{other}"
#to = "{society}"
#basis = "agreement"
#valid_from = "2026-01-01"

# How long things are kept has safe defaults; see [retention] in node.reference.toml.
"#
    )
}

/// A TOML string with whatever needs escaping in it escaped.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}
