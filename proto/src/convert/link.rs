//! Frames of the link.

use passerelle_domain::{
    digest::Digest,
    envelope::Lane,
    ids::{EntryIndex, Epoch, Position},
    link::{Frame, Hello, LanePositions, Piece},
    receipt::{BriefReceipt, SignedReceipt},
    refusal::{Code, Refusal},
    signing::Signature,
    time::Time,
};

use crate::v1;

impl From<Frame> for v1::Frame {
    fn from(frame: Frame) -> Self {
        use v1::frame::Frame as Wire;
        let wire = match frame {
            Frame::Hello(hello) => Wire::Hello(hello.into()),
            Frame::Parcels(piece) => Wire::Parcels(v1::Parcels {
                lane: u32::from(piece.lane.number()),
                position: piece.position.0,
                offset: piece.offset,
                content: piece.content.into(),
                deflated: piece.deflated,
            }),
            Frame::Receipt(receipt) => Wire::Receipt(v1::Receipt {
                content: receipt.content.to_vec(),
                signature: receipt.signature.0.to_vec(),
            }),
            Frame::BriefReceipt(receipt) => Wire::BriefReceipt(v1::BriefReceipt {
                lane: u32::from(receipt.lane.number()),
                position: receipt.position.0,
                entry: receipt.entry.0,
                signature: receipt.signature.0.to_vec(),
            }),
            Frame::Progress(parcel_bytes) => Wire::Progress(v1::Progress { parcel_bytes }),
            Frame::Ping(token) => Wire::Ping(v1::Ping { token }),
            Frame::Pong(token, clock) => Wire::Pong(v1::Pong { token, clock_ms: clock.millis() }),
            Frame::Goodbye(code) => {
                Wire::Goodbye(v1::Goodbye { code: code.map(|code| code.as_str().to_owned()).unwrap_or_default() })
            }
        };
        Self { frame: Some(wire) }
    }
}

impl From<Hello> for v1::Hello {
    fn from(hello: Hello) -> Self {
        let lanes = Lane::ALL.iter().zip(hello.lanes).map(|(lane, at)| v1::LanePositions {
            lane: u32::from(lane.number()),
            queued: at.queued.0,
            received: at.received.0,
            received_hash: at.received_hash.0.to_vec(),
            partial_bytes: at.partial_bytes,
        });
        Self {
            protocol_min: hello.protocol.0,
            protocol_max: hello.protocol.1,
            society: hello.society.code().to_owned(),
            epoch: hello.epoch.bytes().to_vec(),
            lanes: lanes.collect(),
            clock_ms: hello.clock.millis(),
            bundle_version: hello.bundle_version,
            deflate: hello.deflate,
            brief_receipts: hello.brief_receipts,
        }
    }
}

fn lane(number: u32) -> Result<Lane, Refusal> {
    u16::try_from(number)
        .ok()
        .and_then(Lane::from_number)
        .ok_or_else(|| Refusal::new(Code::BadFrame, format!("there is no lane {number}")))
}

fn signature(bytes: &[u8]) -> Result<Signature, Refusal> {
    bytes.try_into().map(Signature).map_err(|_| Refusal::new(Code::BadFrame, "a signature has 64 bytes"))
}

impl TryFrom<v1::Frame> for Frame {
    type Error = Refusal;

    fn try_from(frame: v1::Frame) -> Result<Self, Refusal> {
        use v1::frame::Frame as Wire;
        let empty = || Refusal::new(Code::BadFrame, "a frame of no kind that this node knows");
        Ok(match frame.frame.ok_or_else(empty)? {
            Wire::Hello(hello) => Self::Hello(hello.try_into()?),
            Wire::Parcels(parcels) => Self::Parcels(Piece {
                lane: lane(parcels.lane)?,
                position: Position(parcels.position),
                offset: parcels.offset,
                content: parcels.content.to_vec(),
                deflated: parcels.deflated,
            }),
            Wire::Receipt(receipt) => {
                let signature = signature(&receipt.signature)?;
                Self::Receipt(SignedReceipt { content: receipt.content.into(), signature })
            }
            Wire::BriefReceipt(receipt) => Self::BriefReceipt(BriefReceipt {
                lane: lane(receipt.lane)?,
                position: Position(receipt.position),
                entry: EntryIndex(receipt.entry),
                signature: signature(&receipt.signature)?,
            }),
            Wire::Progress(progress) => Self::Progress(progress.parcel_bytes),
            Wire::Ping(ping) => Self::Ping(ping.token),
            Wire::Pong(pong) => Self::Pong(pong.token, Time::from_millis(pong.clock_ms)),
            // A newer node may give a reason that this one has no word for; it still is no orderly end.
            Wire::Goodbye(goodbye) if goodbye.code.is_empty() => Self::Goodbye(None),
            Wire::Goodbye(goodbye) => Self::Goodbye(Some(Code::parse(&goodbye.code).unwrap_or(Code::BadFrame))),
        })
    }
}

impl TryFrom<v1::Hello> for Hello {
    type Error = Refusal;

    fn try_from(hello: v1::Hello) -> Result<Self, Refusal> {
        let mut lanes = [LanePositions::default(); 3];
        for at in &hello.lanes {
            let place = usize::from(lane(at.lane)?.number()) - 1;
            if let Some(slot) = lanes.get_mut(place) {
                *slot = LanePositions {
                    queued: Position(at.queued),
                    received: Position(at.received),
                    received_hash: Digest::parse_bytes(&at.received_hash)?,
                    partial_bytes: at.partial_bytes,
                };
            }
        }
        Ok(Self {
            protocol: (hello.protocol_min, hello.protocol_max),
            society: hello.society.parse()?,
            epoch: Epoch::parse_bytes(&hello.epoch)?,
            lanes,
            clock: Time::from_millis(hello.clock_ms),
            bundle_version: hello.bundle_version,
            deflate: hello.deflate,
            brief_receipts: hello.brief_receipts,
        })
    }
}
