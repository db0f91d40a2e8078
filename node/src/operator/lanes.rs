//! How a peer, its lanes and its link stand.

use passerelle_domain::{envelope::Lane, facts::Facts as _, refusal::Refusal, rows::PeerRow, society::Society};
use passerelle_proto::{convert::timestamp, v1};

use super::{Operator, days_until, ports::LinkSnapshot, stamp};
use crate::store::view::View;

impl Operator {
    /// Every peer, and every Society that the configuration names as one and that has no bundle yet.
    pub(super) fn peer_statuses(&self) -> Result<Vec<v1::PeerStatus>, Refusal> {
        let view = self.view();
        let peers = view.peers()?;
        let policy = self.policy.borrow().clone();
        let waiting: Vec<_> =
            policy.peers.keys().filter(|society| !peers.iter().any(|(known, _)| known == *society)).collect();
        let mut statuses = Vec::with_capacity(peers.len() + waiting.len());
        for (society, row) in &peers {
            statuses.push(self.peer_status(&view, *society, row)?);
        }
        statuses.extend(waiting.into_iter().map(|society| v1::PeerStatus {
            society: society.to_string(),
            name: name_of(*society),
            link: "no_bundle".to_owned(),
            ..Default::default()
        }));
        statuses.sort_by(|a, b| a.society.cmp(&b.society));
        Ok(statuses)
    }

    fn peer_status(&self, view: &View<'_>, society: Society, row: &PeerRow) -> Result<v1::PeerStatus, Refusal> {
        let LinkSnapshot {
            state,
            last_contact,
            round_trip_ms,
            skew_ms,
            certificate_until,
            last_error,
            next_dial,
            bytes_sent,
            bytes_received,
            alarms,
        } = self.links.status(society);
        let lanes: Result<Vec<_>, Refusal> = Lane::ALL.iter().map(|lane| lane_status(view, society, *lane)).collect();
        let now = self.clock.now();
        Ok(v1::PeerStatus {
            society: society.to_string(),
            name: name_of(society),
            link: state.to_owned(),
            lanes: lanes?,
            last_contact_at: stamp(last_contact),
            round_trip_ms: round_trip_ms.unwrap_or_default(),
            clock_skew_ms: skew_ms.unwrap_or_default(),
            certificate_days_left: certificate_until.map(|until| days_until(until, now)),
            bundle_version: row.version,
            segments: row.segments.iter().flatten().map(|segment| segment.as_str().to_owned()).collect(),
            subscribed: row.segments.is_some(),
            last_error: last_error.unwrap_or_default().to_owned(),
            next_dial_at: stamp(next_dial),
            bytes_sent,
            bytes_received,
            alarms: alarms.into_iter().map(str::to_owned).collect(),
            suspended: self.is_suspended(society)?,
            hold_at_origin: self.holds_for(society),
        })
    }
}

pub(super) fn name_of(society: Society) -> String {
    society.member().map(|member| member.name.to_owned()).unwrap_or_default()
}

fn lane_status(view: &View<'_>, peer: Society, lane: Lane) -> Result<v1::LaneStatus, Refusal> {
    let out = view.lane_out(peer, lane)?;
    let received = view.lane_in(peer, lane)?.received;
    let oldest = match view.lane_item(peer, lane, out.receipted.next())? {
        Some(item) => view.entry(item.entry)?.map(|entry| timestamp(entry.time)),
        None => None,
    };
    Ok(v1::LaneStatus {
        lane: lane.to_string(),
        queued: out.queued.0,
        receipted: out.receipted.0,
        received: received.0,
        backlog: out.queued.0.saturating_sub(out.receipted.0),
        oldest_undelivered_at: oldest,
    })
}
