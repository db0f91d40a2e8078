//! Frames of the link.

use passerelle_domain::{
    catalogue::{Role, Section},
    digest::Digest,
    envelope::Lane,
    handover::Question,
    ids::{EntryIndex, EnvelopeId, Epoch, HandoverId, Position},
    link::{Answer, Frame, Hello, LanePositions, Part, Piece},
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
            Frame::Question(question) => Wire::ReadRequest(question.into()),
            Frame::Answer(answer) => Wire::ReadAnswer(answer.into()),
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
            readings: hello.readings,
        }
    }
}

impl From<Question> for v1::ReadRequest {
    fn from(question: Question) -> Self {
        Self {
            id: question.id.bytes().to_vec(),
            handover: question.handover.bytes().to_vec(),
            sections: question.sections.iter().map(ToString::to_string).collect(),
            purpose: question.purpose.to_string(),
            roles: question.roles.iter().map(ToString::to_string).collect(),
        }
    }
}

impl From<Answer> for v1::ReadAnswer {
    fn from(Answer { id, part }: Answer) -> Self {
        let id = id.bytes().to_vec();
        match part {
            Part::Piece { total, offset, content } => Self { id, total, offset, content, code: String::new() },
            Part::Refused(code) => Self { id, code: code.to_string(), ..Self::default() },
        }
    }
}

/// Codes of a list, at most as many as the vocabulary has.
fn codes<T: std::str::FromStr<Err = Refusal>>(texts: &[String], max: usize) -> Result<Vec<T>, Refusal> {
    if texts.len() > max {
        return Err(Refusal::new(Code::BadFrame, format!("a list of more than {max} codes")));
    }
    texts.iter().map(|text| text.parse()).collect()
}

impl TryFrom<v1::ReadRequest> for Question {
    type Error = Refusal;

    fn try_from(request: v1::ReadRequest) -> Result<Self, Refusal> {
        Ok(Self {
            id: EnvelopeId::parse_bytes(&request.id)?,
            handover: HandoverId::parse_bytes(&request.handover)?,
            sections: codes(&request.sections, Section::ALL.len())?,
            purpose: request.purpose.parse()?,
            roles: codes(&request.roles, Role::ALL.len())?,
        })
    }
}

impl TryFrom<v1::ReadAnswer> for Answer {
    type Error = Refusal;

    fn try_from(answer: v1::ReadAnswer) -> Result<Self, Refusal> {
        let v1::ReadAnswer { id, code, total, offset, content } = answer;
        let part = if code.is_empty() {
            Part::Piece { total, offset, content }
        } else {
            // A newer node may have a reason that this one has no word for; it still is a refusal.
            Part::Refused(Code::parse(&code).unwrap_or(Code::BadFrame))
        };
        Ok(Self { id: EnvelopeId::parse_bytes(&id)?, part })
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
            Wire::ReadRequest(request) => Self::Question(request.try_into()?),
            Wire::ReadAnswer(answer) => Self::Answer(answer.try_into()?),
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
            readings: hello.readings,
        })
    }
}

#[cfg(test)]
mod tests {
    use passerelle_domain::catalogue::Purpose;

    use super::*;

    fn question() -> Question {
        Question {
            id: EnvelopeId::new(Time::from_millis(1), [1; 10]),
            handover: HandoverId::new(Time::from_millis(1), [2; 10]),
            sections: vec![Section::Contact, Section::Travel],
            purpose: Purpose::Transport,
            roles: vec![Role::Caseworker],
        }
    }

    #[test]
    fn a_reading_comes_back_as_it_was_asked_and_answered() {
        let piece = Part::Piece { total: 9, offset: 4, content: vec![1, 2, 3] };
        let answers =
            [piece, Part::Refused(Code::Withdrawn)].map(|part| Frame::Answer(Answer { id: question().id, part }));
        for frame in answers.into_iter().chain([Frame::Question(question())]) {
            assert_eq!(Frame::try_from(v1::Frame::from(frame.clone())), Ok(frame));
        }
        let newer =
            v1::ReadAnswer { id: question().id.bytes().to_vec(), code: "of_tomorrow".into(), ..Default::default() };
        assert_eq!(Answer::try_from(newer).map(|answer| answer.part), Ok(Part::Refused(Code::BadFrame)));
    }

    #[test]
    fn what_is_no_reading_is_refused() {
        let good = v1::ReadRequest::from(question());
        for (story, code, request) in [
            ("no id", Code::MalformedId, v1::ReadRequest { id: Vec::new(), ..good.clone() }),
            ("no handover", Code::MalformedId, v1::ReadRequest { handover: vec![7; 16], ..good.clone() }),
            ("an unknown section", Code::UnknownCode, v1::ReadRequest { sections: vec!["all".into()], ..good.clone() }),
            ("an unknown purpose", Code::UnknownCode, v1::ReadRequest { purpose: "fun".into(), ..good.clone() }),
            ("too many roles", Code::BadFrame, v1::ReadRequest { roles: vec!["medical".into(); 99], ..good.clone() }),
        ] {
            assert_eq!(Question::try_from(request).map_err(|refusal| refusal.code), Err(code), "{story}");
        }
        let nameless = v1::ReadAnswer { code: "withdrawn".into(), ..Default::default() };
        assert_eq!(Answer::try_from(nameless).map_err(|refusal| refusal.code), Err(Code::MalformedId));
    }
}
