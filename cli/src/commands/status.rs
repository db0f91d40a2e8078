//! `passerelle status`: the node, its alarms, and its peers in a table.

use passerelle_domain::time::Time;
use passerelle_proto::v1::{GetStatusRequest, GetStatusResponse};

use super::{Session, peer::peer_table};
use crate::{
    failure::{Exit, Failure},
    render::{Answer, page::Page, time},
};

pub(super) async fn run(session: &mut Session<'_, '_>) -> Result<Exit, Failure> {
    let client = session.client.clone();
    let answer = client.call(client.status().get_status(GetStatusRequest {})).await?;
    session.print(&answer)
}

impl Answer for GetStatusResponse {
    fn page(&self, page: &mut Page, now: Time) {
        page.line(format!(
            "{} {}, passerelle-node {}, up {}",
            self.society,
            self.society_name,
            self.version,
            time::age(self.started_at.as_ref(), now)
        ));
        page.pairs([
            ("journal", format!("{} entries, {} on disk", self.journal_entries, bytes(self.store_bytes))),
            ("disk", format!("{:.0} % used", self.disk_used_percent)),
            ("certificate", format!("{} days left, root {} days", self.certificate_days_left, self.root_days_left)),
            ("alerts", format!("{} active", self.alerts_active)),
            ("handovers", format!("{} open", self.handovers_open)),
            ("purges", if self.purges_soon > 0 { format!("{} soon", self.purges_soon) } else { String::new() }),
            ("you are", operator(&self.operator, &self.roles)),
            ("clock", clock_remark(time::instant(self.now.as_ref()), now)),
        ]);
        for alarm in &self.alarms {
            page.line(format!("ALARM: {alarm}"));
        }
        for peer in &self.peers {
            for alarm in &peer.alarms {
                page.line(format!("ALARM: {}: {alarm}", peer.society));
            }
        }
        page.line("");
        peer_table(&self.peers, page, now);
    }
}

fn operator(name: &str, roles: &[String]) -> String {
    match (name, roles) {
        ("", _) => String::new(),
        (name, []) => format!("{name}, without a role"),
        (name, roles) => format!("{name} ({})", roles.join(", ")),
    }
}

/// A word only when the node's clock and this machine's are apart: ages are counted by this machine's.
fn clock_remark(node: Option<Time>, here: Time) -> String {
    const APART_SECONDS: u64 = 5;
    let Some(node) = node else { return String::new() };
    let apart = node.since(here).max(here.since(node));
    if apart.as_secs() < APART_SECONDS {
        return String::new();
    }
    let side = if node > here { "ahead of" } else { "behind" };
    format!("the node's is {} {side} this machine's", time::span(apart))
}

/// A size in the largest sensible unit.
pub(super) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes;
    let mut unit = 0;
    while value >= 10 * 1024 && unit + 1 < UNITS.len() {
        value /= 1024;
        unit += 1;
    }
    format!("{value} {}", UNITS[unit])
}
