//! What a peer brings: opened and verified outside the engine, judged here, and given its place in
//! the journal whether it is accepted or not, so that no envelope can block a lane.

use crate::{
    alert::life,
    catalogue::{Kind as AlertKind, Right},
    consent::ConsentRef,
    digest::Digest,
    entry::{Body, EnvelopeMeta, PackageRef, Verdict},
    envelope::{Envelope, Kind, Lane, SignedEnvelope},
    fold::{self, Content},
    handover::HandoverAnswer,
    ids::{AlertId, EnvelopeId, Position},
    limits::{CLOCK_AHEAD_SECONDS_MAX, RECEIPT_REJECTIONS_MAX},
    parcel::{self, Parcel},
    receipt::running_hash,
    refusal::{Code, Refusal},
    rights::{CorrectionEntry, News},
    signing::{PublicKey, Verifier},
    society::Society,
};

use super::{Context, Decision, NewEntry, Reply, handovers, redact, rights, withdrawals};

/// What a parcel turned out to be.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Digest of the envelope's signed bytes, which the lane's running hash takes whatever they are.
    pub digest: Digest,
    /// The envelope, its signature verified and its body read; or why not.
    pub outcome: Result<Letter, Refusal>,
}

/// A verified envelope.
#[derive(Clone, Debug)]
pub struct Letter {
    /// What was signed.
    pub envelope: Envelope,
    /// The exact bytes and the signature.
    pub signed: SignedEnvelope,
    /// What the body means.
    pub content: Content,
}

/// Opens a parcel: its parts, its signature, its body. `keys` gives the signing keys of a Society.
/// Returns the attachment beside it, which is for the vault and not for the engine.
///
/// # Errors
/// `bad_frame` when the bytes are no parcel: then the peer has broken the protocol.
pub fn open(
    bytes: &[u8],
    keys: &dyn Fn(Society) -> Vec<PublicKey>,
    verifier: &dyn Verifier,
) -> Result<(Opened, Vec<u8>), Refusal> {
    match parcel::read(bytes)? {
        Parcel::Expired(digest) => {
            let outcome = Err(Refusal::new(Code::Expired, "the envelope expired before it was delivered"));
            Ok((Opened { digest, outcome }, Vec::new()))
        }
        Parcel::Whole(signed, attachment) => {
            let digest = signed.digest();
            match open_whole(signed, &attachment, keys, verifier) {
                Ok(letter) => Ok((Opened { digest, outcome: Ok(letter) }, attachment)),
                Err(refusal) => Ok((Opened { digest, outcome: Err(refusal) }, Vec::new())),
            }
        }
    }
}

fn open_whole(
    signed: SignedEnvelope,
    attachment: &[u8],
    keys: &dyn Fn(Society) -> Vec<PublicKey>,
    verifier: &dyn Verifier,
) -> Result<Letter, Refusal> {
    let envelope = Envelope::parse(&signed.payload)?;
    if !signed.verify(&keys(envelope.origin), verifier) {
        let message = format!("the envelope is not signed by a key of {}", envelope.origin);
        return Err(Refusal::new(Code::BadSignature, message));
    }
    let whole = match envelope.attachment {
        None => attachment.is_empty(),
        Some(named) => attachment.len() as u64 == named.bytes && Digest::of(attachment) == named.digest,
    };
    if !whole {
        return Err(Refusal::new(Code::BadDigest, "the attachment is not the one that the envelope names"));
    }
    let content = fold::of_envelope(&envelope)?;
    Ok(Letter { envelope, signed, content })
}

/// The envelope in an object of our journal.
pub(super) fn envelope_of(object: &[u8]) -> Result<Envelope, Refusal> {
    Envelope::parse(&SignedEnvelope::from_object(object)?.payload)
}

/// Judges what stands at `position` of the peer's lane.
pub(super) fn deliver(
    context: &Context<'_>,
    peer: Society,
    lane: Lane,
    position: Position,
    opened: Opened,
    package: Option<Result<PackageRef, Refusal>>,
) -> Result<Decision, Refusal> {
    let before = context.facts.lane_in(peer, lane)?;
    if position <= before.received {
        let reply = Reply::Received {
            position: before.received,
            hash: before.hash,
            entry: crate::defect!(NewReceipt => context.next, else before.entry),
            rejected: before.rejected,
            accepted: false,
        };
        return Ok(Decision { entries: Vec::new(), reply });
    }
    if position != before.received.next() {
        let message = format!("the {lane} lane goes on at {}, not at {position}", before.received.next());
        return Err(Refusal::new(Code::BadPosition, message));
    }
    let Opened { digest, outcome } = opened;
    let judged = outcome.and_then(|letter| {
        let verdict = judge(context, peer, lane, &letter, package.as_ref())?;
        Ok((letter, verdict))
    });
    let (verdict, meta, letter) = match judged {
        // What a failing store prevented from being judged is not rejected: it is judged again later.
        Err(refusal) if refusal.code == Code::StoreFailed => return Err(refusal),
        Err(refusal) => (Verdict::Rejected(refusal.code.as_str().to_owned()), None, None),
        Ok((letter, verdict)) => {
            let meta = meta_of(&letter);
            (verdict, Some(meta), Some(letter))
        }
    };
    let hash = running_hash(&before.hash, position, &digest);
    let mut rejected = before.rejected;
    if let Verdict::Rejected(code) = &verdict {
        rejected.push((position, code.clone()));
        // As the fold keeps them: a receipt with more would be no receipt.
        let excess = rejected.len().saturating_sub(RECEIPT_REJECTIONS_MAX);
        rejected.drain(..excess);
    }
    let accepted = verdict == Verdict::Accepted;
    let handover = meta.as_ref().and_then(|meta| meta.subject);
    let follows = match &letter {
        Some(letter) if accepted => withdrawals::follow(context, &letter.content, letter.envelope.origin)?,
        _ => Vec::new(),
    };
    let asked = match &letter {
        Some(letter) if accepted && letter.envelope.origin != context.own => {
            let corrects = letter.envelope.attachment.is_some();
            rights::follow(context, &letter.content, letter.envelope.origin, corrects)?
        }
        _ => Vec::new(),
    };
    let body = Body::Received { peer, lane, position, digest, envelope: meta, verdict };
    let redaction = match &letter {
        Some(letter) if accepted => redact::obeyed(context, letter)?,
        _ => Vec::new(),
    };
    let request = match &letter {
        Some(Letter { content: Content::Rights(message), .. }) => Some(message.request.id),
        _ => None,
    };
    let mut entries = vec![match letter {
        Some(letter) if accepted => NewEntry::with_object(body, letter.signed.to_object(), Some(letter.content)),
        _ => NewEntry::bare(body),
    }];
    entries.extend(redaction);
    if let (true, Some(Ok(package)), Some(handover)) = (accepted, package, handover) {
        entries.push(NewEntry::bare(match request {
            Some(request) => Body::Correction(CorrectionEntry::Kept { request, place: package }),
            None => Body::PackageKept { handover: handover.into(), package },
        }));
    }
    entries.extend(follows);
    entries.extend(asked);
    let reply = Reply::Received { position, hash, entry: context.next, rejected, accepted };
    Ok(Decision { entries, reply })
}

fn judge(
    context: &Context<'_>,
    peer: Society,
    lane: Lane,
    letter: &Letter,
    package: Option<&Result<PackageRef, Refusal>>,
) -> Result<Verdict, Refusal> {
    let envelope = &letter.envelope;
    let returned = envelope.origin == context.own;
    let strange = envelope.origin != peer && !returned;
    if crate::defect!(TakePeersWord => false, else strange) {
        return Err(Refusal::new(Code::WrongSociety, format!("{peer} brought an envelope of {}", envelope.origin)));
    }
    if !envelope.recipients.contains(if returned { &peer } else { &context.own }) {
        return Err(Refusal::new(Code::WrongRecipient, "the envelope is for others"));
    }
    if envelope.lane != lane && !returned {
        return Err(Refusal::new(Code::BadFrame, format!("a {} envelope came in the {lane} lane", envelope.lane)));
    }
    let ahead = std::time::Duration::from_secs(CLOCK_AHEAD_SECONDS_MAX);
    // A withdrawal and a redaction are heard whatever the clocks say: wrongly stopping is safer than wrongly sharing.
    let stops = matches!(letter.content, Content::Withdrawal(_) | Content::Redact(_) | Content::Erased(_));
    if envelope.created_at > context.now.plus(ahead) && !stops {
        return Err(Refusal::new(Code::NotIssuedYet, "the envelope is from the future"));
    }
    if let Some(known) = known_digest(context, envelope)? {
        crate::defect!(DedupeById => return Ok(Verdict::Duplicate));
        return if known == letter.signed.digest() {
            Ok(Verdict::Duplicate)
        } else {
            Err(Refusal::new(Code::DuplicateId, "an envelope with this id and other content is known"))
        };
    }
    judge_content(context, letter, if returned { context.own } else { peer }, package)?;
    Ok(Verdict::Accepted)
}

fn known_digest(context: &Context<'_>, envelope: &Envelope) -> Result<Option<Digest>, Refusal> {
    crate::defect!(SecondEffect => return Ok(None));
    if envelope.kind == Kind::Alert {
        return Ok(context.facts.alert(AlertId::from(envelope.id))?.map(|row| row.digest));
    }
    Ok(context.facts.envelope(envelope.origin, envelope.id)?.map(|row| row.digest))
}

fn judge_content(
    context: &Context<'_>,
    letter: &Letter,
    by: Society,
    package: Option<&Result<PackageRef, Refusal>>,
) -> Result<(), Refusal> {
    match &letter.content {
        Content::Alert(alert) => {
            let tombstone = context.facts.tombstone(letter.envelope.id.into())?;
            if tombstone.is_some_and(|row| row.of(by).is_some_and(|claim| claim.redacted.is_some())) {
                return Err(Refusal::new(Code::Redacted, "its origin has redacted the alert"));
            }
            let foreign = alert.kind == AlertKind::Update && alert.supersedes.iter().any(|parent| parent.origin != by);
            if crate::defect!(ForeignUpdate => false, else foreign) {
                return Err(Refusal::new(Code::NotOrigin, "an update refers to an alert of another Society"));
            }
            Ok(())
        }
        Content::Cancel(cancel) => match context.facts.alert(cancel.alert)? {
            Some(row) if crate::defect!(ForeignUpdate => false, else row.origin != by) => {
                Err(Refusal::new(Code::NotOrigin, "a cancel of another Society's alert"))
            }
            Some(row) => life::transition(row.state, life::Event::Cancel).map(|_| ()),
            None => Ok(()),
        },
        Content::Ack(ack) => match context.facts.alert(ack.answer().alert)? {
            Some(row) if row.origin == context.own || by == context.own => Ok(()),
            _ => Err(Refusal::new(Code::BadReference, "an answer to an alert that is not ours")),
        },
        Content::Redact(redact) => match context.facts.alert(redact.alert)? {
            Some(row) if row.origin != by => {
                Err(Refusal::new(Code::NotOrigin, "a redaction of another Society's alert"))
            }
            _ => Ok(()),
        },
        Content::Erased(erased) => match context.facts.alert(erased.alert)? {
            Some(row) if row.origin == context.own && row.redacted.is_some() || by == context.own => Ok(()),
            _ => Err(Refusal::new(Code::BadReference, "the alert is not ours, or not redacted")),
        },
        Content::Subscription(_) => Ok(()),
        Content::Rights(message) if by != context.own => {
            rights::judge(context, message, by)?;
            let may_carry =
                message.request.right == Right::Rectification && !matches!(message.news, News::Answered { .. });
            if letter.envelope.attachment.is_some() && !may_carry {
                let message = "only a request for rectification brings a correction";
                return Err(Refusal::new(Code::Malformed, message).at("attachment"));
            }
            match (letter.envelope.attachment, package) {
                (None, _) | (Some(_), Some(Ok(_))) => Ok(()),
                (Some(_), Some(Err(refusal))) => Err(refusal.clone()),
                (Some(_), None) => Err(Refusal::new(Code::Malformed, "this message brings nothing sealed")),
            }
        }
        Content::Rights(_) => Ok(()),
        Content::Offer(_)
        | Content::Answer(_)
        | Content::Release(_)
        | Content::Step(_)
        | Content::Split(_)
        | Content::Withdrawal(_) => handovers::judge(context, &letter.content, by, package),
        Content::Receipt(_)
        | Content::Bundle(_)
        | Content::Consent(_)
        | Content::Note(_)
        | Content::Event(_)
        | Content::Request(_)
        | Content::Card(_)
        | Content::Residue(_)
        | Content::Draft(_) => Err(Refusal::new(Code::Malformed, "this does not travel in an envelope")),
    }
}

fn meta_of(letter: &Letter) -> EnvelopeMeta {
    let (subject, basis) = about(&letter.envelope, &letter.content);
    EnvelopeMeta::of(&letter.envelope, &letter.signed, subject, basis)
}

/// What an envelope is about, and on what consent it rests.
pub(super) fn about(envelope: &Envelope, content: &Content) -> (Option<EnvelopeId>, Option<ConsentRef>) {
    match content {
        Content::Alert(_) => (Some(envelope.id), None),
        Content::Cancel(cancel) => (Some(cancel.alert.into()), None),
        Content::Ack(ack) => (Some(ack.answer().alert.into()), None),
        Content::Redact(redact) => (Some(redact.alert.into()), None),
        Content::Erased(erased) => (Some(erased.alert.into()), None),
        Content::Offer(offer) => (Some(offer.id.into()), Some(offer.consent)),
        Content::Answer(HandoverAnswer { id, .. }) => (Some((*id).into()), None),
        Content::Release(release) => (Some(release.id.into()), Some(release.obligations.consent)),
        Content::Step(step) => (Some(step.id.into()), None),
        Content::Split(split) => (Some(split.handover.into()), None),
        Content::Withdrawal(message) => (Some(message.handover.into()), None),
        Content::Rights(message) => (Some(message.request.id.into()), None),
        Content::Subscription(_)
        | Content::Receipt(_)
        | Content::Bundle(_)
        | Content::Consent(_)
        | Content::Note(_)
        | Content::Draft(_)
        | Content::Event(_)
        | Content::Request(_)
        | Content::Card(_)
        | Content::Residue(_) => (None, None),
    }
}
