//! `passerelle watch`: a stream of events that comes back by itself and misses nothing.

use std::{pin::pin, time::Duration};

use passerelle_domain::time::Time;
use passerelle_proto::v1::{WatchRequest, WatchResponse};
use tokio::signal::unix::{SignalKind, signal};
use tonic::Streaming;

use super::{Session, audit::next};
use crate::{
    args::{Output, WatchArgs},
    failure::{Exit, Failure},
    render::{Answer, Printer, json, page::Page, time},
};

/// Between the end of a stream and the next try; doubled after each failure, up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(30);

pub(super) async fn run(args: WatchArgs, session: &mut Session<'_, '_>) -> Result<Exit, Failure> {
    let mut from = args.from;
    let mut interrupted = pin!(tokio::signal::ctrl_c());
    let mut ended = signal(SignalKind::terminate())?;
    let outcome = tokio::select! {
        outcome = follow(&args, &mut from, session) => outcome,
        _ = &mut interrupted => Ok(()),
        _ = ended.recv() => Ok(()),
    };
    if let Some(from) = from {
        session.console.say(format!("Resume with --from {from}."));
    }
    outcome.map(|()| Exit::Ok)
}

/// Follows until the past is told (`--until-now`) or the node refuses. `from` is always the next position wanted.
async fn follow(args: &WatchArgs, from: &mut Option<u64>, session: &mut Session<'_, '_>) -> Result<(), Failure> {
    let mut pause = PAUSE_MIN;
    let mut connected_before = false;
    loop {
        let before = *from;
        let ended = one_stream(args, from, &mut connected_before, session).await;
        let failure = match ended {
            Ok(()) if args.until_now => return Ok(()),
            Ok(()) => None,
            // A first connection that fails is more likely a wrong command than an outage.
            Err(failure) if !connected_before || !is_outage(&failure) => return Err(failure),
            Err(failure) => Some(failure),
        };
        if *from != before {
            pause = PAUSE_MIN;
        }
        let why = failure.map_or_else(|| "the node ended the stream".to_owned(), |failure| failure.message);
        let place = from.map_or_else(|| "from now on".to_owned(), |from| format!("from {from}"));
        session.console.say(format!("{why}; resuming {place} in {} s", pause.as_secs_f64()));
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

fn is_outage(failure: &Failure) -> bool {
    failure.retryable || matches!(failure.exit, Exit::Unreachable | Exit::CannotServe)
}

async fn one_stream(
    args: &WatchArgs,
    from: &mut Option<u64>,
    connected: &mut bool,
    session: &mut Session<'_, '_>,
) -> Result<(), Failure> {
    let client = session.client.clone();
    let request = WatchRequest {
        from_position: *from,
        topics: args.topics.iter().map(|topic| topic.as_str().to_owned()).collect(),
        until_now: args.until_now,
    };
    let mut stream: Streaming<WatchResponse> = client.call(client.watch().watch(request)).await?;
    *connected = true;
    while let Some(event) = next(&mut stream).await? {
        // A sign of life carries a position and nothing to tell.
        if !event.topic.is_empty() {
            print(session.printer, &event, session)?;
        }
        *from = Some(event.position.saturating_add(1));
    }
    Ok(())
}

/// One event a line, in every form.
fn print(printer: Printer, event: &WatchResponse, session: &mut Session<'_, '_>) -> Result<(), Failure> {
    match printer.output {
        Output::Table => printer.one(event, session.console)?,
        Output::Json | Output::Jsonl => {
            writeln!(session.console.stdout, "{}", json::value(event)?)?;
            session.console.stdout.flush()?;
        }
    }
    Ok(())
}

impl Answer for WatchResponse {
    fn page(&self, page: &mut Page, _: Time) {
        page.line(format!(
            "{}  #{}  {} {}  {}  {}  {}",
            time::utc(self.time.as_ref()),
            self.position,
            self.topic,
            self.event,
            self.society,
            self.id,
            self.summary.replace('\n', " ")
        ));
    }
}
