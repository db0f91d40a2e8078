//! `passerelle alert feed status`: the public feed, and the sources of warnings that the node polls.

use passerelle_domain::time::Time;
use passerelle_proto::v1::{CapSource, GetFeedsRequest, GetFeedsResponse};

use super::Session;
use crate::{
    args::FeedCommand,
    failure::{Exit, Failure},
    render::{Answer, page::Page, time},
};

pub(super) async fn run(command: FeedCommand, session: &mut Session<'_, '_>) -> Result<Exit, Failure> {
    let FeedCommand::Status = command;
    let client = session.client.clone();
    let answer = client.call(client.alerts().get_feeds(GetFeedsRequest {})).await?;
    session.print(&answer)
}

impl Answer for GetFeedsResponse {
    fn page(&self, page: &mut Page, now: Time) {
        match &self.public {
            None => page.line("This node shows nothing to the public."),
            Some(public) => page.pairs([
                ("public feed", public.url.clone()),
                ("messages", public.messages.to_string()),
                ("changed", time::utc_with_age(public.changed_at.as_ref(), now)),
            ]),
        }
        page.line("");
        let row = |source: &CapSource| {
            [
                source.name.clone(),
                state(source),
                time::age(source.polled_at.as_ref(), now),
                time::utc(source.next_at.as_ref()),
                source.drafted.to_string(),
                source.refused.to_string(),
            ]
        };
        let header = ["SOURCE", "STATE", "ASKED", "NEXT", "DRAFTS", "REFUSED"];
        page.table(header, self.sources.iter().map(row).collect(), "no source of warnings is polled");
        for source in &self.sources {
            if !source.error.is_empty() {
                page.line(format!("{}: {} [{}]", source.name, source.error, source.error_code));
            }
            for id in &source.cancelled {
                page.line(format!(
                    "{}: cancelled what alert {id} was made of; if that is right: passerelle alert cancel {id} --reason \
                     resolved",
                    source.name
                ));
            }
        }
    }
}

fn state(source: &CapSource) -> String {
    match (source.enabled, source.failures, source.polled_at) {
        (false, ..) => "disabled".to_owned(),
        (true, _, None) => "not asked yet".to_owned(),
        (true, 0, Some(_)) => "answers".to_owned(),
        (true, failures, Some(_)) => format!("failed {failures} times"),
    }
}
