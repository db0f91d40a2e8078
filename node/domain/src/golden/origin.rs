//! The canonical bytes of what stays at its origin, frozen like those above.

use super::{Frozen, NOW, consent, handover, handover_row, package, society};
use crate::{
    catalogue::{OnClose, Role, Section},
    consent::Obligations,
    digest::Digest,
    entry::Body,
    handover::HandoverRelease,
    ids::EntryIndex,
    rows::HandoverRow,
};

#[test]
fn the_bytes_of_what_stays_at_its_origin_are_frozen() {
    let mut frozen = Frozen::new("origin", include_str!("../../fixtures/origin.hex"));
    frozen.holds(&Body::ReadByPeer {
        handover: handover(),
        peer: society("ML"),
        roles: vec![Role::Caseworker, Role::Medical],
        sections: vec!["contact".into()],
        purpose: "svc.transport".into(),
    });
    frozen.holds(&HandoverRow { package: None, held_at_origin: Some(EntryIndex(21)), ..handover_row() });
    let obligations = Obligations {
        consent: consent(),
        retention_until: NOW,
        on_close: OnClose::Erase,
        no_onward: true,
        contact: None,
    };
    let release = HandoverRelease {
        package_digest: Digest::default(),
        sealed_bytes: 0,
        ..HandoverRelease::new(handover(), package().commitment, b"none", vec![Section::Contact], obligations)
    };
    assert!(release.is_held_at_origin() && HandoverRelease::from_cbor(&release.to_cbor()).as_ref() == Ok(&release));
    frozen.holds(&release);
    frozen.ends("origin");
}
