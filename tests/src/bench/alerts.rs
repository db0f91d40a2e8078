//! Alerts of a given size, every one different, of which nothing can be compressed away but their form.

use anyhow::Context as _;
use passerelle_domain::{
    alert::{Alert, AlertDraft, Original},
    catalogue::{Mode, Severity},
    time::Time,
};
use passerelle_node::entropy::{Entropy as _, SystemEntropy};
use passerelle_proto::{convert::alert_message, v1};

/// What fills an alert up to its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filling {
    /// Random bytes, as the original document of an import: no compressor gets anything out of them.
    Bytes,
    /// Random words of six letters, as the description: they compress to a little more than half.
    Words,
    /// Sentences of the kind that alerts are made of, with places, roads, times and counts that differ, as the
    /// description: what a CAP document says in words.
    CapText,
}

impl Filling {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bytes => "random bytes",
            Self::Words => "random words",
            Self::CapText => "CAP text",
        }
    }
}

/// The smallest alert that says something.
const DRAFT: &str = r#"
mode = "Exercise"
event = "return.convoy_land"
urgency = "Expected"
severity = "Moderate"
certainty = "Likely"
expires_at = "+2d"
source_type = "own_team"
places = [{ role = "border_crossing", name = "Rosso", country = "SN" }]
texts = [{ lang = "fr", headline = "Convoi vers Rosso", reviewed = true }]
"#;
const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyzaeioun";
const WORD: usize = 6;

/// Makes alerts of one size.
#[derive(Clone)]
pub(crate) struct Maker {
    draft: AlertDraft,
    filling: Filling,
    room: usize,
    entropy: SystemEntropy,
}

impl Maker {
    /// For alerts of which the canonical CBOR has `size` bytes.
    pub(crate) fn new(size: usize, filling: Filling, now: Time) -> anyhow::Result<Self> {
        let draft = toml::from_str(DRAFT).context("the bench's own draft")?;
        let mut maker = Self { draft, filling, room: 0, entropy: SystemEntropy::new() };
        // The length of a text is written in one to three bytes, so the room is found by trying.
        let fits = |room: &usize| {
            maker.room = *room;
            maker.size(now).is_ok_and(|made| made == size)
        };
        let room = (1..=size).rev().find(fits);
        maker.room = room.with_context(|| format!("no alert has {size} bytes; the smallest has some 130"))?;
        Ok(maker)
    }

    /// The same for alerts that go in the urgent lane: the event is a real one and severe.
    pub(crate) fn urgent(size: usize, now: Time) -> anyhow::Result<Self> {
        let mut maker = Self::new(size, Filling::Bytes, now)?;
        maker.draft.mode = Some(Mode::Actual);
        maker.draft.severity = Some(Severity::Severe);
        anyhow::ensure!(maker.size(now)? == size, "codes take one byte each");
        Ok(maker)
    }

    fn size(&self, now: Time) -> anyhow::Result<usize> {
        let alert = Alert::from_draft(self.fill(), now)
            .map_err(|faults| anyhow::anyhow!("the bench's own alert is refused: {faults:?}"))?;
        Ok(alert.to_cbor().len())
    }

    fn fill(&self) -> AlertDraft {
        let mut draft = self.draft.clone();
        let mut bytes = vec![0; self.room];
        self.entropy.fill(&mut bytes);
        match self.filling {
            Filling::Bytes => {
                draft.original = Some(Original { media_type: "application/octet-stream".to_owned(), bytes });
            }
            Filling::CapText => {
                let text = sentences(&bytes, self.room);
                draft.texts.iter_mut().for_each(|one| one.description = Some(text.clone()));
            }
            Filling::Words => {
                let letter = |(at, byte): (usize, &u8)| match at % (WORD + 1) {
                    WORD => ' ',
                    _ => char::from(LETTERS[usize::from(byte % 32)]),
                };
                let text: String = bytes.iter().enumerate().map(letter).collect();
                draft.texts.iter_mut().for_each(|one| one.description = Some(text.clone()));
            }
        }
        draft
    }

    /// The request that raises one more alert.
    pub(crate) fn request(&self, now: Time) -> v1::RaiseAlertRequest {
        v1::RaiseAlertRequest { id: String::new(), alert: Some(alert_message(self.fill(), now)) }
    }
}

const PLACES: [&str; 16] = [
    "Rosso",
    "Kayes",
    "Diboli",
    "Kidira",
    "Gogui",
    "Nioro",
    "Mopti",
    "Gao",
    "Ansongo",
    "Labbezanga",
    "Tera",
    "Dori",
    "Djibo",
    "Kaya",
    "Tillabery",
    "Sikasso",
];
const OPENINGS: [&str; 8] = [
    "La piste entre",
    "Le pont entre",
    "La route nationale entre",
    "Le bac entre",
    "Le poste de controle entre",
    "Le passage de la frontiere entre",
    "Le camp de transit entre",
    "Le trajet des convois entre",
];
const STATES: [&str; 16] = [
    "est impraticable pour les camions",
    "reste ouvert de jour seulement",
    "est coupe par la crue du fleuve",
    "est ferme jusqu'a nouvel ordre",
    "est sous controle des forces de securite",
    "manque d'eau potable et d'abris",
    "accueille des personnes de retour au pays",
    "connait une forte attente, prevoir deux jours",
    "est de nouveau praticable avec prudence",
    "est bloque par des vehicules en panne",
    "est evite par les transporteurs",
    "attend un convoi de retour demain matin",
    "recoit une distribution de vivres",
    "n'a plus de poste de sante en service",
    "est signale dangereux apres la tombee de la nuit",
    "voit arriver des familles a pied",
];

/// Sentences by the given bytes, cut at `room` characters. All of them are ASCII.
fn sentences(bytes: &[u8], room: usize) -> String {
    let mut text = String::with_capacity(room + 120);
    for four in bytes.chunks(4).cycle() {
        if text.len() >= room {
            break;
        }
        let pick = |at: usize| usize::from(four.get(at).copied().unwrap_or_default());
        let (from, to) = (PLACES[pick(0) % 16], PLACES[pick(0) / 16]);
        let (opening, state) = (OPENINGS[pick(1) % 8], STATES[pick(2) % 16]);
        let (hour, people) = (pick(1) / 8 % 24, pick(3) + 10);
        text.push_str(&format!("{opening} {from} et {to} {state}; {people} personnes, vu vers {hour} heures. "));
    }
    text.truncate(room);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_has_the_size_asked_for_and_keeps_every_rule() {
        let now: Time = "2026-11-24T06:30:00+00:00".parse().expect("a time");
        for (size, filling) in
            [(300, Filling::Bytes), (1_024, Filling::Bytes), (300, Filling::Words), (1_024, Filling::CapText)]
        {
            let maker = Maker::new(size, filling, now).expect("a size that can be had");
            for _ in 0..200 {
                assert_eq!(maker.size(now).expect("no rule is broken"), size, "{filling:?}");
            }
            assert_ne!(maker.fill(), maker.fill(), "every alert is another");
        }
        assert!(Maker::new(20, Filling::Bytes, now).is_err());
    }
}
