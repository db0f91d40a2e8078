//! The last reckoning, once the nodes have come to rest: what their journals say of each other, and how they used the
//! network.

use std::sync::Arc;

use parking_lot::Mutex;

use super::{
    invariants::Invariant,
    ledger::Ledger,
    network::Fabric,
    promises::{Broken, Whole, at_the_end},
    site::Site,
};

/// Holds everything against everything.
pub(super) fn reckon(sites: &[Arc<Site>], fabric: &Arc<Mutex<Fabric>>, ledger: &Arc<Mutex<Ledger>>) {
    let mut broken = journals(sites, ledger).unwrap_or_else(|error| {
        vec![(Invariant::JournalVerifies, format!("a journal cannot be read at the end: {error:#}"))]
    });
    broken.extend(sessions(sites, fabric));
    broken.extend(dials(sites, fabric));
    broken.into_iter().for_each(|(invariant, text)| ledger.lock().broken(invariant, text));
}

fn journals(sites: &[Arc<Site>], ledger: &Arc<Mutex<Ledger>>) -> anyhow::Result<Vec<Broken>> {
    let readers: Vec<_> = sites.iter().map(|site| site.disk.reader()).collect();
    let journals: anyhow::Result<Vec<_>> = sites
        .iter()
        .zip(&readers)
        .map(|(site, reader)| Whole::read(site.society, ledger.lock().was_restored(site.index), reader))
        .collect();
    at_the_end(&journals?)
}

fn sessions(sites: &[Arc<Site>], fabric: &Arc<Mutex<Fabric>>) -> Vec<Broken> {
    let mut broken = Vec::new();
    for site in sites {
        for other in sites.iter().filter(|other| other.index > site.index) {
            let joined = fabric.lock().joined(site.index, other.index);
            if joined > 1 {
                let text = format!("{} and {} hold {joined} connections at rest", site.society, other.society);
                broken.push((Invariant::OneSession, text));
            }
        }
    }
    broken
}

fn dials(sites: &[Arc<Site>], fabric: &Arc<Mutex<Fabric>>) -> Option<Broken> {
    let (from, to, count) = fabric.lock().dials.worst()?;
    let name = |node: usize| sites.get(node).map_or_else(|| "nobody".to_owned(), |site| site.society.to_string());
    Some((Invariant::CalmDials, format!("{} dialled {} {count} times in a second", name(from), name(to))))
}
