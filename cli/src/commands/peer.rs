//! `passerelle peer` and `passerelle replay`: trust in other Societies' nodes, their links, and sending again.

use std::path::Path;

use passerelle_domain::{limits::BUNDLE_BYTES_MAX, refusal::Code, society::Society, time::Time};
use passerelle_proto::v1::{
    AddPeerRequest, AddPeerResponse, GetBundleRequest, GetBundleResponse, LaneStatus, ListPeersRequest,
    ListPeersResponse, PeerStatus, RemovePeerRequest, RemovePeerResponse, ReplayToPeerRequest, ReplayToPeerResponse,
    SetSubscriptionRequest, SetSubscriptionResponse,
};

use super::{Session, audit::new_file, retention, status::bytes};
use crate::{
    args::{PeerCommand, ReplayArgs},
    failure::{Exit, Failure},
    files,
    render::{Answer, page::Page, time},
};

pub(super) async fn run(command: PeerCommand, session: &mut Session<'_, '_>) -> Result<Exit, Failure> {
    let client = session.client.clone();
    match command {
        PeerCommand::List => {
            let answer = client.call(client.peers().list_peers(ListPeersRequest {})).await?;
            session.print_list(&answer, "peers", false)
        }
        PeerCommand::Show { society } => {
            let answer = client.call(client.peers().list_peers(ListPeersRequest {})).await?;
            let peer = answer.peers.into_iter().find(|peer| peer.society == society.code());
            session.print(&peer.ok_or_else(|| unknown(society))?)
        }
        PeerCommand::Bundle { out, society } => {
            let society = society.map(|society| society.code().to_owned()).unwrap_or_default();
            let answer = client.call(client.peers().get_bundle(GetBundleRequest { society })).await?;
            if let Some(path) = &out {
                use std::io::Write as _;
                new_file(path)?.write_all(&answer.bundle)?;
                session.console.say(format!("Wrote {}.", path.display()));
            }
            session.print(&answer)
        }
        PeerCommand::Add { file, fingerprint } => add(&file, fingerprint, session).await,
        PeerCommand::Remove { society, yes } => {
            let question = format!("Stop exchanging with {}?", named(society.code()));
            if !yes && !session.console.confirm(&question, "Repeat it with --yes.")? {
                return Err(declined());
            }
            let request = RemovePeerRequest { society: society.code().to_owned() };
            let answer = client.call(client.peers().remove_peer(request)).await?;
            session.print(&answer)
        }
        PeerCommand::Suspend { society, reason } => retention::suspend(society, true, reason, session).await,
        PeerCommand::Resume { society, reason } => retention::suspend(society, false, reason, session).await,
        PeerCommand::Subscribe { segments, everything, nothing: _ } => {
            let request = SetSubscriptionRequest { segments, everything };
            let answer = client.call(client.peers().set_subscription(request)).await?;
            session.print(&answer)
        }
    }
}

pub(super) async fn replay(args: ReplayArgs, session: &mut Session<'_, '_>) -> Result<Exit, Failure> {
    let client = session.client.clone();
    let request = ReplayToPeerRequest {
        society: args.peer.code().to_owned(),
        from_entry: args.from,
        until_entry: args.until.unwrap_or_default(),
    };
    let answer = client.call(client.peers().replay_to_peer(request)).await?;
    session.print(&answer)
}

/// Takes a bundle. The node tells a first bundle, which needs a person's word for its fingerprint, from a newer
/// version, which its signature vouches for: so it is asked without words first.
async fn add(file: &Path, fingerprint: Option<String>, session: &mut Session<'_, '_>) -> Result<Exit, Failure> {
    let client = session.client.clone();
    let bundle = files::read(file, BUNDLE_BYTES_MAX, session.console)?;
    let request = |words: String| AddPeerRequest { bundle: bundle.clone(), fingerprint_words: words };
    let words = fingerprint.clone().unwrap_or_default();
    let answer = match client.call(client.peers().add_peer(request(words))).await {
        Err(refused) if fingerprint.is_none() && refused.code == Code::MissingField.as_str() => {
            let Some(words) = refused.fingerprint_words.clone() else { return Err(refused) };
            session.console.say(format!("The fingerprint of {} is:\n\n    {words}\n", files::name_of(file)));
            session.console.say("Call the other Society on a number that you know, and compare all the words.");
            let otherwise = "Compare the words, then repeat the command with --fingerprint \"<the words>\".";
            if !session.console.confirm("Are they the same?", otherwise)? {
                return Err(declined());
            }
            client.call(client.peers().add_peer(request(words))).await?
        }
        other => other?,
    };
    session.print(&answer)
}

fn declined() -> Failure {
    Failure::usage("not confirmed; nothing was changed", "")
}

fn unknown(society: Society) -> Failure {
    let code = Code::UnknownPeer;
    let refusal = passerelle_domain::refusal::Refusal::new(code, format!("{society} is no peer of this node"));
    Failure { exit: Exit::Refused, ..Failure::refused_here(refusal) }
}

/// A Society by its code, with its name where it is one of the founding members.
fn named(code: &str) -> String {
    let member = code.parse::<Society>().ok().and_then(|society| society.member());
    member.map_or_else(|| code.to_owned(), |member| format!("{code} ({})", member.name))
}

/// The peers, one in a row.
pub(super) fn peer_table(peers: &[PeerStatus], page: &mut Page, now: Time) {
    let row = |peer: &PeerStatus| {
        let backlog = |name| lane(peer, name).map_or_else(|| "-".to_owned(), |lane| lane.backlog.to_string());
        let oldest = peer.lanes.iter().filter_map(|lane| lane.oldest_undelivered_at.as_ref());
        let oldest = oldest.min_by_key(|at| (at.seconds, at.nanos));
        [
            peer.society.clone(),
            peer.link.clone(),
            format!("{}/{}/{}", backlog("urgent"), backlog("routine"), backlog("bulk")),
            time::age(oldest, now),
            time::age(peer.last_contact_at.as_ref(), now),
            round_trip(peer),
            format!("{:+} ms", peer.clock_skew_ms),
            peer.certificate_days_left.map_or_else(|| "-".to_owned(), |days| format!("{days} d")),
            if peer.last_error.is_empty() { "-".to_owned() } else { peer.last_error.clone() },
        ]
    };
    let header =
        ["PEER", "LINK", "BACKLOG u/r/b", "OLDEST", "LAST CONTACT", "ROUND TRIP", "SKEW", "CERTIFICATE", "LAST ERROR"];
    page.table(header, peers.iter().map(row).collect(), "no peers; meet one with `passerelle peer add`");
}

fn lane<'a>(peer: &'a PeerStatus, name: &str) -> Option<&'a LaneStatus> {
    peer.lanes.iter().find(|lane| lane.lane == name)
}

fn round_trip(peer: &PeerStatus) -> String {
    if peer.round_trip_ms == 0 { "-".to_owned() } else { format!("{} ms", peer.round_trip_ms) }
}

impl Answer for ListPeersResponse {
    fn page(&self, page: &mut Page, now: Time) {
        peer_table(&self.peers, page, now);
    }
}

impl Answer for PeerStatus {
    fn page(&self, page: &mut Page, now: Time) {
        let segments = match (self.subscribed, &self.segments[..]) {
            (false, _) => "everything, for it has not said".to_owned(),
            (true, []) => "none but Extreme alerts".to_owned(),
            (true, segments) => segments.join(", "),
        };
        page.pairs([
            ("society", named(&self.society)),
            ("link", self.link.clone()),
            ("last contact", time::utc_with_age(self.last_contact_at.as_ref(), now)),
            ("next dial", time::utc_with_age(self.next_dial_at.as_ref(), now)),
            ("last error", self.last_error.clone()),
            ("round trip", round_trip(self)),
            ("its clock less ours", format!("{:+} ms", self.clock_skew_ms)),
            ("certificate", self.certificate_days_left.map(|days| format!("{days} days left")).unwrap_or_default()),
            ("bundle", format!("version {}", self.bundle_version)),
            ("wants alerts of", segments),
            ("traffic", format!("{} sent, {} received", bytes(self.bytes_sent), bytes(self.bytes_received))),
        ]);
        self.alarms.iter().for_each(|alarm| page.line(format!("ALARM: {alarm}")));
        page.line("");
        let row = |lane: &LaneStatus| {
            [
                lane.lane.clone(),
                lane.queued.to_string(),
                lane.receipted.to_string(),
                lane.backlog.to_string(),
                time::age(lane.oldest_undelivered_at.as_ref(), now),
                lane.received.to_string(),
            ]
        };
        let header = ["LANE", "QUEUED", "RECEIPTED", "BACKLOG", "OLDEST", "RECEIVED"];
        page.table(header, self.lanes.iter().map(row).collect(), "no lanes yet");
    }
}

impl Answer for GetBundleResponse {
    fn page(&self, page: &mut Page, _: Time) {
        page.pairs([("fingerprint", self.fingerprint_words.clone()), ("size", bytes(self.bundle.len() as u64))]);
    }
}

impl Answer for AddPeerResponse {
    fn page(&self, page: &mut Page, _: Time) {
        page.line(format!("Took version {} of the bundle of {}.", self.version, named(&self.society)));
        page.pairs([("fingerprint", self.fingerprint_words.clone()), ("entry", self.entry_index.to_string())]);
        if self.version == 1 {
            page.line(
                "Alerts that were raised before do not go there; `passerelle alert update` sends what still holds.",
            );
        }
    }
}

impl Answer for RemovePeerResponse {
    fn page(&self, page: &mut Page, _: Time) {
        page.line(format!("Removed, by entry {} of the journal.", self.entry_index));
    }
}

impl Answer for SetSubscriptionResponse {
    fn page(&self, page: &mut Page, _: Time) {
        page.line(format!("Declared to the peers, by entry {} of the journal.", self.entry_index));
    }
}

impl Answer for ReplayToPeerResponse {
    fn page(&self, page: &mut Page, _: Time) {
        page.line(format!("{} envelopes are sent again (entry {}).", self.envelopes, self.entry_index));
        let mut withheld: Vec<_> = self.withheld.iter().collect();
        withheld.sort();
        for (code, count) in withheld {
            page.line(format!("{count} withheld: {code}"));
        }
    }
}
