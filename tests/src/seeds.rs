//! Makes the first inputs of every reader with the product's own code: two nodes live through a story, and what they
//! wrote, sent and stored is taken apart. Writes the folder that it is given.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::Context as _;
use flate2::{Compress, Compression, FlushCompress};
use passerelle_domain::{
    alert::{Alert, AlertAck, AlertDraft},
    cap::{
        atom::{self, FeedEntry},
        write::{self, Issued},
    },
    catalogue::AckKind,
    decide::Command,
    digest::Digest,
    entry::{Body, Entry},
    envelope::{Envelope, Kind, Lane, SignedEnvelope},
    facts::Facts as _,
    fold::{Residue, of_envelope},
    handover::{Package, Question},
    ids::{AlertId, EntryIndex, EnvelopeId, Epoch, HandoverId, Position},
    link::{Answer, Frame, Hello, LanePositions, PROTOCOL_MAX, Part, Piece},
    merkle::{Checkpoint, Frontier},
    parcel,
    receipt::{Receipt, Rejection},
    refusal::Code,
    rights::{CardSecret, RightsEntry},
};
use passerelle_hostile::base;
use passerelle_node::{
    engine::export::{self, Span},
    run::Node,
    store::{Direction, keys, view::encode},
    trust::{TrustFolder, bundle_to_json},
};
use passerelle_proto::{
    convert,
    v1::{self, consent_service_client::ConsentServiceClient, subject_service_client::SubjectServiceClient},
};
use prost::Message as _;

use crate::world::{self, Handovers, World, channel, entropy, journal, operator, raise, update_of};

/// Inputs by target.
type Inputs = BTreeMap<&'static str, Vec<Vec<u8>>>;

/// A recording of a person who says yes.
const VOICE: &[u8] = b"OggS a voice that says yes";
const PACKAGE: &str = include_str!("../../config/demo/package.toml");
const CONSENT: &str = include_str!("../../config/demo/consent.toml");
const HANDOVER: &str = include_str!("../../config/demo/handover.toml");
const ALERTS: [&str; 2] =
    [include_str!("../../config/demo/alert-convoy.toml"), include_str!("../../config/demo/alert-shipwreck.toml")];
const CAPS: [&[u8]; 3] = [
    include_bytes!("../../config/demo/alert.cap.xml"),
    include_bytes!("../../node/domain/src/cap/fixtures/update.xml"),
    include_bytes!("../../node/domain/src/cap/fixtures/cancel.xml"),
];
const CONFIGS: [&str; 2] =
    [include_str!("../../config/node.minimal.toml"), include_str!("../../config/node.reference.toml")];

/// Writes the inputs of every target below `folder`, each named by its digest.
///
/// # Errors
/// When the story does not come to its end, or a file cannot be written.
pub async fn make(folder: &Path) -> anyhow::Result<()> {
    let mut inputs = Inputs::new();
    let (mid, sent) = story(&mut inputs).await?;
    inputs.insert("deliveries", deliveries(&sent));
    inputs.insert("frames", frames(&sent)?);
    inputs.insert("pieces", pieces());
    inputs.insert("words", words());
    forms(&mut inputs)?;
    warnings(&mut inputs)?;
    few(&mut inputs, "rows", 2, |row| format!("{:?}", row.first()));
    few(&mut inputs, "fold", 1, history_sort);
    for (target, inputs) in inputs {
        let folder = folder.join(target);
        fs::create_dir_all(&folder)?;
        for input in inputs {
            let name: String = Digest::of(&input).to_string().chars().take(16).collect();
            fs::write(folder.join(name), input)?;
        }
    }
    Ok(fs::write(folder.join("import/base.journal"), mid)?)
}

/// Keeps the first inputs of each sort, at most so many.
fn few(inputs: &mut Inputs, target: &'static str, most: usize, sort: impl Fn(&[u8]) -> String) {
    let mut seen = BTreeMap::<String, usize>::new();
    inputs.entry(target).or_default().retain(|input| {
        let times = seen.entry(sort(input)).or_default();
        *times += 1;
        *times <= most
    });
}

/// What the one entry of an input records, or that it has several.
fn history_sort(input: &[u8]) -> String {
    let part = |bytes: &[u8]| -> Option<(Vec<u8>, Vec<u8>)> {
        let (length, after) = bytes.split_first_chunk::<2>()?;
        let (part, after) = after.split_at_checked(u16::from_be_bytes(*length).into())?;
        Some((part.to_vec(), after.to_vec()))
    };
    let first = part(input).and_then(|(entry, rest)| Some((Entry::from_bytes(&entry).ok()?, part(&rest)?)));
    match first {
        Some((Entry { body: Body::Issued(meta), .. }, (_, rest))) if rest.is_empty() => {
            format!("issued {:?}", meta.kind)
        }
        Some((Entry { body: Body::Received { envelope: Some(meta), .. }, .. }, (_, rest))) if rest.is_empty() => {
            format!("received {:?}", meta.kind)
        }
        Some((entry, (_, rest))) if rest.is_empty() => {
            let told = format!("{:?}", entry.body);
            told.split(|letter: char| !letter.is_alphanumeric()).take(2).collect::<Vec<_>>().join(" ")
        }
        _ => format!("{} bytes", input.len()),
    }
}

/// Two nodes live: alerts, a consent with its evidence, a handover to its end, a withdrawal, requests of a person, one of them
/// for a correction, which is applied. Everything that they wrote becomes an
/// input; the journal of The Gambia in the middle of it, and what Mali sent it after that, are returned.
async fn story(inputs: &mut Inputs) -> anyhow::Result<(Vec<u8>, Vec<SignedEnvelope>)> {
    let world = World::started(&["GM", "ML"]).await?;
    world.joined().await?;
    let (gm, ml) = (world.node("GM")?, world.node("ML")?);
    let first = world::alert("A boat is missing")?;
    let id = raise(&gm, first.clone()).await?;
    raise(&gm, update_of(gm.society, id, &first, "It was found")?).await?;
    let of_mali = raise(&ml, world::alert("The road is closed")?).await?;
    world::wait_until("both hold the alerts", || Ok(world::has_alert(&ml, id)? && world::has_alert(&gm, of_mali)?))
        .await?;
    let (gambia, mali) = (Handovers::of(&gm).await?, Handovers::of(&ml).await?);
    let change = |record: &mut serde_json::Value| {
        record["collection"] = "oral_recorded".into();
        record["evidence"] = Digest::of(VOICE).to_string().into();
    };
    let case = gambia.record_consent_with(change).await?;
    let mut consents = ConsentServiceClient::new(channel(&gm.config.operator.socket).await?);
    let evidence =
        v1::KeepEvidenceRequest { consent_id: case.1.clone(), kind: "recording".into(), content: VOICE.to_vec() };
    consents.keep_evidence(evidence).await?;
    let served = gambia.offer(&case, "ML").await?;
    mali.until(&served, "delivered").await?;
    let card = v1::MakeCardRequest { handover_id: served.clone(), answer: "Kayes".into(), word: "baobab lune".into() };
    let mid_size = journal(&gm)?.len();
    let mid = exported(&gm)?;

    let ack = AlertAck::new(id, AckKind::Ack, None)?;
    let seen = Command::AcknowledgeAlert { caller: operator(), entropy: entropy(), ack };
    ml.engine.submit(seen).await?;
    mali.accept(&served).await?;
    gambia.until(&served, "accepted").await?;
    gambia.release(&served).await?;
    mali.until(&served, "disclosed").await?;
    mali.read(&served).await?;
    let mut subjects = SubjectServiceClient::new(channel(&gm.config.operator.socket).await?);
    let made = subjects.make_card(card).await?.into_inner();
    let mut at_mali = SubjectServiceClient::new(channel(&ml.config.operator.socket).await?);
    let corrected = r#"{"contact": {"safe_phone": "+22300000099"}}"#;
    for (right, answer, correction) in
        [("access", "Kayes", ""), ("rectification", "Kayes", corrected), ("access", "Bamako", "")]
    {
        let request = v1::AskRightRequest {
            right: right.into(),
            society: "GM".into(),
            code: made.short_code.clone(),
            answer: answer.into(),
            correction_json: correction.into(),
            ..Default::default()
        };
        let taken = at_mali.ask_right(request).await?.into_inner();
        if !correction.is_empty() {
            for subjects in [&mut subjects, &mut at_mali] {
                let done = v1::AnswerSubjectRequestRequest {
                    id: taken.id.clone(),
                    outcome: "done".into(),
                    reason: String::new(),
                };
                // There is nothing to answer before it has come from the other one.
                let deadline = tokio::time::Instant::now() + world::PATIENCE;
                while let Err(refused) = subjects.answer_subject_request(done.clone()).await {
                    anyhow::ensure!(tokio::time::Instant::now() < deadline, "it is not corrected: {refused}");
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
            }
        }
    }
    mali.arrived(&served).await?;
    gambia.until(&served, "in_service").await?;
    mali.narrow(&served, &["rfl"]).await.or_else(|_| anyhow::Ok(()))?;
    mali.withdraw(&served).await?;
    gambia.until(&served, "erased").await?;
    world::cancel(&ml, of_mali).await?;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    for node in [&gm, &ml] {
        taken_apart(node, inputs)?;
    }
    let sent = letters_to(&gm, mid_size)?;
    drop((gambia, mali, gm, ml, subjects, at_mali, consents));
    world.end().await?;
    Ok((mid, sent))
}

/// The journal as an export whose checkpoint the common key signed.
fn exported(node: &Node) -> anyhow::Result<Vec<u8>> {
    let head = node.engine.view().head()?.context("a journal")?;
    let checkpoint = Checkpoint { society: node.society, size: head.frontier.size(), root: head.frontier.root() };
    let span = Span { from: EntryIndex(0), size: head.frontier.size() };
    let mut export = Vec::new();
    export::write(node.society, &**node.engine.store(), span, &checkpoint.sign(base::key()), |chunk| {
        export.extend_from_slice(&chunk);
        Ok(())
    })?;
    Ok(export)
}

/// Envelopes that the peer brought from an entry on.
fn letters_to(node: &Node, from: usize) -> anyhow::Result<Vec<SignedEnvelope>> {
    let view = node.engine.view();
    let mut letters = Vec::new();
    for entry in journal(node)?.into_iter().skip(from) {
        let Body::Received { .. } = entry.body else { continue };
        if let Some(object) = view.stored_object(entry.index)?.filter(|object| !Residue::is_stored(object)) {
            letters.push(SignedEnvelope::from_object(&object)?);
        }
    }
    Ok(letters)
}

/// The first byte of a row's input, by the beginning of its key.
const ROWS: [(&[u8], u8); 25] = [
    (b"m", 0),
    (b"a", 1),
    (b"k", 2),
    (b"d", 3),
    (b"t", 4),
    (b"v", 5),
    (b"c", 6),
    (b"y", 7),
    (b"x", 8),
    (b"h", 9),
    (b"j\x01", 10),
    (b"j\x02", 11),
    (b"g", 12),
    (b"D", 13),
    (b"R\x02", 14),
    (b"R\x01", 15),
    (b"uh", 16),
    (b"l", 17),
    (b"us", 18),
    (b"ur", 19),
    (b"p", 20),
    (b"q", 21),
    (b"r", 23),
    (b"O", 26),
    (b"Q", 27),
];

/// Every entry, object and row of a node.
fn taken_apart(node: &Node, inputs: &mut Inputs) -> anyhow::Result<()> {
    let view = node.engine.view();
    let mut history = Vec::new();
    for entry in journal(node)? {
        let bytes = entry.to_bytes();
        let object = view.stored_object(entry.index)?;
        if let Some(object) = &object {
            of_object(&entry, object, inputs)?;
        }
        let mut part = framed(&bytes)?;
        part.extend(framed(object.as_deref().unwrap_or_default())?);
        history.extend_from_slice(&part);
        inputs.entry("fold").or_default().push(part);
        inputs.entry("rows").or_default().push([&[24], bytes.as_slice()].concat());
    }
    inputs.entry("fold").or_default().push(history);
    let store = node.engine.store();
    for (prefix, kind) in ROWS {
        let (from, until) = keys::all(prefix[0]);
        for pair in store.scan(&from, &until, Direction::Forward) {
            let (key, value) = pair?;
            if key.starts_with(prefix) {
                inputs.entry("rows").or_default().push([&[kind], value.as_slice()].concat());
            }
        }
    }
    for (peer, _) in view.peers()? {
        for lane in Lane::ALL.iter().copied() {
            for position in 1..=view.lane_out(peer, lane)?.queued.0 {
                if let Some(item) = view.lane_item(peer, lane, Position(position))? {
                    inputs.entry("rows").or_default().push([&[22], encode(&item).as_slice()].concat());
                }
            }
        }
    }
    if let Some(note) = store.get(keys::CHECKPOINT)? {
        inputs.entry("checkpoint").or_default().push(note);
    }
    let empty = Checkpoint { society: base::own(), size: 0, root: Frontier::default().root() };
    let text = empty.sign(base::key());
    let unsigned = text.split_once("\n\n").map(|(text, _)| format!("{text}\n")).unwrap_or_default();
    inputs.entry("checkpoint").or_default().extend([text.into_bytes(), unsigned.into_bytes()]);
    let (_, trust) = TrustFolder::open(&node.config.data_dir)?;
    let bundle = trust.bundle;
    inputs.entry("bundle").or_default().push(bundle.payload().to_vec());
    inputs.entry("invitation").or_default().push(bundle_to_json(&bundle).into_bytes());
    if node.society == base::own() {
        inputs.entry("import").or_default().push(exported(node)?);
    }
    Ok(())
}

fn framed(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let length = u16::try_from(bytes.len())?;
    Ok([&length.to_be_bytes(), bytes].concat())
}

/// What an object of the journal gives: letters and parcels, receipts, what is about a person.
fn of_object(entry: &Entry, object: &[u8], inputs: &mut Inputs) -> anyhow::Result<()> {
    if Residue::is_stored(object) {
        inputs.entry("rows").or_default().push([&[25], object].concat());
        return Ok(());
    }
    let mut of_person = |kind: u8, bytes: &[u8]| inputs.entry("person").or_default().push([&[kind], bytes].concat());
    match &entry.body {
        Body::Issued(_) | Body::Received { .. } => {
            let signed = SignedEnvelope::from_object(object)?;
            let envelope = Envelope::parse(&signed.payload)?;
            match envelope.kind {
                Kind::SubjectRequest | Kind::SubjectAnswer => of_person(5, &envelope.body),
                Kind::WithdrawalNotice | Kind::WithdrawalAnswer | Kind::ErasureReceipt => of_person(6, &envelope.body),
                Kind::HandoverOffer => of_person(7, &envelope.body),
                _ => {}
            }
            if let Ok(content) = of_envelope(&envelope)
                && let Some(residue) = Residue::of(&content)
            {
                inputs.entry("rows").or_default().push([&[25], residue.to_stored().as_slice()].concat());
            }
            inputs.entry("letters").or_default().push([&head(&envelope), envelope.body.as_slice()].concat());
            let stream = parcel::write(&signed, &[]);
            if let Ok(Some((_, read))) = parcel::take_varint(&stream) {
                inputs.entry("parcel").or_default().push(stream[read..].to_vec());
            }
        }
        Body::Receipted { .. } => {
            let signed: passerelle_domain::receipt::SignedReceipt =
                minicbor::decode(object).map_err(|error| anyhow::anyhow!("{error}"))?;
            inputs.entry("receipt").or_default().push(signed.content.to_vec());
        }
        Body::Consent { .. } => of_person(1, object),
        Body::ConsentEvent { .. } => of_person(2, object),
        Body::Rights(RightsEntry::Taken { .. }) => of_person(3, object),
        Body::Rights(RightsEntry::CardMade { .. }) => of_person(4, &CardSecret::from_cbor(object)?.to_cbor()),
        _ => {}
    }
    Ok(())
}

/// The two bytes that make an envelope of this kind in this lane.
fn head(envelope: &Envelope) -> [u8; 2] {
    let kind = Kind::ALL.iter().position(|kind| *kind == envelope.kind).unwrap_or_default();
    let lane = Lane::ALL.iter().position(|lane| *lane == envelope.lane).unwrap_or_default();
    let attachment = u8::from(envelope.attachment.is_some());
    [u8::try_from(kind).unwrap_or_default(), u8::try_from(lane).unwrap_or_default() << 1 | attachment]
}

/// What the peer sent, one by one and in a row, and what its Hello and its receipts may say.
fn deliveries(sent: &[SignedEnvelope]) -> Vec<Vec<u8>> {
    let item = |head: [u8; 2], body: &[u8]| {
        let length = u16::try_from(body.len()).unwrap_or(u16::MAX);
        [&head, &length.to_be_bytes()[..], body].concat()
    };
    let mut inputs: Vec<Vec<u8>> = sent
        .iter()
        .filter_map(|signed| Envelope::parse(&signed.payload).ok())
        .map(|envelope| item(head(&envelope), &envelope.body))
        .collect();
    inputs.push(inputs.concat());
    let receipt = minicbor::to_vec(receipt()).unwrap_or_default();
    inputs.push(item([200, 0], &receipt));
    inputs.push(item([220, 0], &Epoch::new(base::NOW, [9; 10]).bytes()));
    inputs.push(item([230, 2], &[[0; 7].as_slice(), &[9], &[4; 32]].concat()));
    inputs.push(item([230, 2], &[0xff; 40]));
    inputs
}

fn receipt() -> Receipt {
    Receipt {
        by: base::peer(),
        to: base::own(),
        lane: Lane::Urgent,
        position: Position(3),
        hash: Digest([5; 32]),
        entry: passerelle_domain::ids::EntryIndex(9),
        rejected: vec![Rejection { position: Position(2), code: "not_origin".into() }],
    }
}

/// A stream of each kind of frame after a Hello, and all of them in one.
fn frames(sent: &[SignedEnvelope]) -> anyhow::Result<Vec<Vec<u8>>> {
    let at = |queued, received| LanePositions {
        queued: Position(queued),
        received: Position(received),
        received_hash: Digest([5; 32]),
        partial_bytes: 0,
    };
    let hello = |lanes| {
        Frame::Hello(Hello {
            protocol: (PROTOCOL_MAX, PROTOCOL_MAX),
            society: base::peer(),
            epoch: Epoch::new(base::NOW, [6; 10]),
            lanes,
            clock: base::NOW,
            bundle_version: 1,
            deflate: true,
            brief_receipts: true,
            readings: true,
        })
    };
    let stream: Vec<u8> = sent.iter().flat_map(|signed| parcel::write(signed, &[])).collect();
    let piece = |lane, position, content: &[u8]| {
        let content = content.to_vec();
        Frame::Parcels(Piece { lane, position: Position(position), offset: 0, content, deflated: false })
    };
    let (half, rest) = stream.split_at(stream.len() / 2);
    let begun = u64::try_from(half.len())?;
    let signed = receipt().sign(base::key());
    let brief = Receipt { rejected: Vec::new(), ..receipt() };
    let brief = brief.brief(&brief.sign(base::key())).context("it names no rejection")?;
    let question = Question {
        id: EnvelopeId::new(base::NOW, [1; 10]),
        handover: HandoverId::new(base::NOW, [2; 10]),
        sections: vec!["contact".parse()?, "travel".parse()?],
        purpose: "svc.transport".parse()?,
        roles: vec!["caseworker".parse()?],
    };
    let answer = |part| Frame::Answer(Answer { id: question.id, part });
    let deflated = Piece {
        lane: Lane::Routine,
        position: Position(1),
        offset: 0,
        content: deflate(&[&stream]).remove(0),
        deflated: true,
    };
    let frames: Vec<Vec<Frame>> = vec![
        vec![piece(Lane::Urgent, 4, &stream)],
        vec![piece(Lane::Bulk, 1, half), Frame::Ping(1), Frame::Progress(begun)],
        vec![piece(Lane::Routine, 1, &stream[..200]), piece(Lane::Routine, 1, half), piece(Lane::Urgent, 4, rest)],
        vec![Frame::Parcels(deflated)],
        vec![Frame::Receipt(signed), Frame::BriefReceipt(brief)],
        vec![
            Frame::Question(question.clone()),
            answer(Part::Piece { total: 4, offset: 0, content: vec![1, 2, 3] }),
            answer(Part::Piece { total: 4, offset: 3, content: vec![4] }),
        ],
        vec![answer(Part::Refused(Code::Withdrawn)), Frame::Pong(1, base::NOW)],
        vec![Frame::Goodbye(None)],
        vec![Frame::Goodbye(Some(Code::WrongSociety))],
    ];
    let written = |frames: &[Frame]| -> Vec<u8> {
        frames.iter().cloned().flat_map(|frame| v1::Frame::from(frame).encode_length_delimited_to_vec()).collect()
    };
    let good = hello([at(8, 2), at(4, 4), at(1, 0)]);
    let mut inputs: Vec<Vec<u8>> =
        frames.iter().map(|frames| [written(std::slice::from_ref(&good)), written(frames)].concat()).collect();
    inputs.push([written(std::slice::from_ref(&good)), written(&frames[..7].concat())].concat());
    for lanes in [[at(0, 0); 3], [at(9, 9); 3], [at(u64::MAX, u64::MAX); 3]] {
        inputs.push([written(&[hello(lanes)]), written(&frames[0]), written(&frames[4])].concat());
    }
    Ok(inputs)
}

/// Parts of one DEFLATE stream, each without the end of its flush.
fn deflate(parts: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut stream = Compress::new(Compression::new(6), false);
    let deflated = parts.iter().map(|part| {
        let mut out = Vec::with_capacity(part.len() + 1_024);
        // There is room for whatever becomes of it.
        let _ = stream.compress_vec(part, &mut out, FlushCompress::Sync);
        out.truncate(out.len().saturating_sub(4));
        out
    });
    deflated.collect()
}

fn pieces() -> Vec<Vec<u8>> {
    let text = CAPS[0];
    let zeros = vec![0; 200_000];
    let sets: [&[&[u8]]; 5] = [&[text], &[text, text, text], &[&zeros[..16_384]], &[&zeros[..16_385]], &[&zeros, text]];
    let framed =
        |parts: Vec<Vec<u8>>| -> Vec<u8> { parts.iter().filter_map(|part| framed(part).ok()).flatten().collect() };
    sets.into_iter().map(|parts| framed(deflate(parts))).collect()
}

fn words() -> Vec<Vec<u8>> {
    let words = [
        "2026-11-24T06:30:00+00:00",
        "2026-11-24T06:30:00.123Z",
        "GM",
        "land.sn-mr.rosso",
        "node.gm.example:7443",
        "[2001:db8::1]:7443",
        "019ab0f2-1c00-7000-8000-000000000001",
        "return.convoy_land",
        "pt-BR",
        "duty@redcross.gm",
        "+220 990 12 34",
        "K7QF2MX",
        "1990-05-12",
        "Elle attend à la gare de Kayes, un enfant malade.",
        "Appelez le 77 123 45 67",
        "Kanarie",
        "svc.transport",
        "شاحنة عند المعبر",
        "€uro {[~]} ^\\|",
    ];
    let hex = "ab".repeat(64);
    words.into_iter().chain([&hex[..64], &hex]).map(|word| word.as_bytes().to_vec()).collect()
}

/// Drafts as people and programs write them, and configurations.
fn forms(inputs: &mut Inputs) -> anyhow::Result<()> {
    let forms = inputs.entry("forms").or_default();
    let json = |text: &str| anyhow::Ok(toml::from_str::<serde_json::Value>(text)?.to_string());
    for alert in ALERTS {
        forms.push([&[0], alert.as_bytes()].concat());
        let draft: AlertDraft = toml::from_str(alert)?;
        forms.push([&[1], json(alert)?.as_bytes()].concat());
        forms.push([&[5], convert::alert_message(draft, base::NOW).encode_to_vec().as_slice()].concat());
    }
    for (kind, text) in [(2, CONSENT), (3, PACKAGE), (4, HANDOVER)] {
        forms.push([&[kind], json(text)?.as_bytes()].concat());
    }
    let package: Package = toml::from_str(PACKAGE)?;
    inputs.entry("person").or_default().push([&[0], package.to_cbor()?.as_slice()].concat());
    let mut config: Vec<Vec<u8>> = CONFIGS.iter().map(|text| text.as_bytes().to_vec()).collect();
    // The reference says every key, most of them behind a sign of comment.
    config.push(CONFIGS[1].replace("\n# ", "\n").into_bytes());
    config.push(
        CONFIGS[1].lines().map(|line| format!("{}\n", line.trim_start_matches("#"))).collect::<String>().into_bytes(),
    );
    config.push(format!("{}\0PASSERELLE_LOG_FORMAT=json\nPASSERELLE_LINK__LISTEN=off", CONFIGS[0]).into_bytes());
    inputs.insert("config", config);
    Ok(())
}

/// CAP documents, and feeds of them.
fn warnings(inputs: &mut Inputs) -> anyhow::Result<()> {
    let caps = inputs.entry("cap").or_default();
    caps.extend(CAPS.iter().map(|document| document.to_vec()));
    let mut entries = Vec::new();
    for (n, alert) in ALERTS.iter().enumerate() {
        let alert =
            Alert::from_draft(toml::from_str(alert)?, base::NOW).map_err(|faults| anyhow::anyhow!("{faults:?}"))?;
        let id = AlertId::new(base::NOW, [n as u8; 10]);
        caps.push(write::alert(&Issued { id, origin: base::own(), alert: &alert }, &[], n == 1));
        entries.push(FeedEntry::of(&alert, id.into(), "Alert", base::NOW));
    }
    let title = "Alerts".to_owned();
    let feed = atom::Feed { society: base::own(), title, base_url: "https://a.gm".into(), begun: base::NOW };
    let feeds = inputs.entry("feed").or_default();
    feeds.push(atom::write(&feed, &entries));
    let document = String::from_utf8_lossy(CAPS[0]).into_owned();
    let bare = document.split_once("?>").map_or(document.as_str(), |(_, bare)| bare);
    feeds.push(document.clone().into_bytes());
    feeds.push(format!("<feed xmlns=\"http://www.w3.org/2005/Atom\"><entry><id>1</id><updated>2026-11-24T06:30:00Z</updated><content type=\"application/cap+xml\">{bare}</content></entry></feed>").into_bytes());
    feeds.push(b"<rss version=\"2.0\"><channel><link>home</link><item><guid>a</guid><link>http://x.example/1</link><pubDate>Tue, 24 Nov 2026 06:30:00 GMT</pubDate></item><item><title>none</title></item></channel></rss>".to_vec());
    feeds.push(b"<rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\" xmlns=\"http://purl.org/rss/1.0/\"><item rdf:about=\"1\"><link>1</link></item></rdf:RDF>".to_vec());
    Ok(())
}
