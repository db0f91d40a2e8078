//! `passerelle card`: the card that the person carries, made at the node and drawn here.

use std::fs;

use passerelle_proto::v1::MakeCardRequest;
use serde_json::json;

use super::{Session, subject::said};
use crate::{
    args::{CardArgs, CardCommand},
    console::id_entropy,
    draw::{
        self,
        card::{self, Card},
    },
    failure::{Exit, Failure},
};

/// Pixels of the picture for one of the sheet: about 300 to the inch.
const SCALE: f32 = 3.0;

pub(super) async fn run(command: CardCommand, session: &mut Session<'_, '_>) -> Result<Exit, Failure> {
    let CardCommand::Print(args) = command;
    let ending = args.out.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    let ending = ending.filter(|ending| ["pdf", "png", "svg"].contains(&ending.as_str()));
    let Some(ending) = ending else {
        return Err(Failure::usage("a card is a .pdf, .png or .svg", "Give --out card.pdf."));
    };
    let CardArgs { id, lang, hotline, answer_file, word_file, out } = args;
    let word = match &word_file {
        Some(_) => said(word_file.as_deref(), "", session.console)?,
        None => card::drawn_word(&lang, id_entropy()?),
    };
    let question = "What does only this person know? Type the answer to the check question:";
    let answer = said(answer_file.as_deref(), question, session.console)?;
    let client = session.client.clone();
    let request = MakeCardRequest { handover_id: id, answer, word: word.clone() };
    let made = client.call(client.subjects().make_card(request)).await?;
    let (society, code) = (made.society.as_str(), made.short_code.as_str());
    let hotline = hotline.unwrap_or_else(|| made.hotline.clone());
    if hotline.is_empty() {
        let next = "Give --hotline, or have [card] hotline written into the node's configuration; the card is made, print it again.";
        return Err(Failure::usage("a card shows a number that the person can call", next));
    }
    let svg = card::svg(&Card {
        language: &lang,
        society_name: &made.society_name,
        society,
        code,
        word: &word,
        hotline: &hotline,
    })?;
    let bytes = match ending.as_str() {
        "pdf" => draw::pdf(&svg, SCALE, card::WIDTH_MM, card::HEIGHT_MM)?,
        "png" => draw::png(&svg, SCALE)?,
        _ => svg.into_bytes(),
    };
    let name = out.display().to_string();
    fs::write(&out, &bytes)
        .map_err(|error| Failure::usage(format!("cannot write {name}: {error}"), "Check the path and its rights."))?;
    let entry = made.entry_index;
    let value =
        json!({"file": name, "bytes": bytes.len(), "society": society, "short_code": code, "entry_index": entry});
    let lines = |page: &mut crate::render::page::Page| {
        page.line(format!("Printed: {name}, the card {society} {code}; by entry {entry} of the journal."));
    };
    session.printer.own(&value, lines, session.console)?;
    Ok(Exit::Ok)
}
