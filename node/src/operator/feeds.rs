//! How the public feed and the polled sources of warnings are, for operators.

use passerelle_domain::{alert::life::Shown, facts::Facts as _, refusal::Refusal};
use passerelle_proto::{convert::timestamp, v1};

use super::{Operator, ports::PolledSource, stamp, thread};

/// Polls in a row that failed, after which a person looks at the source.
const FAILURES_ALARM: u32 = 5;

impl Operator {
    /// All feeds.
    pub(super) fn feed_statuses(&self) -> Result<v1::GetFeedsResponse, Refusal> {
        let public = self.feeds.public().map(|public| v1::PublicFeed {
            url: public.url,
            messages: u64::try_from(public.messages).unwrap_or(u64::MAX),
            changed_at: stamp(public.changed),
        });
        let sources = self.feeds.sources().into_iter().map(|source| self.source(source)).collect::<Result<_, _>>()?;
        Ok(v1::GetFeedsResponse { public, sources })
    }

    /// What of the sources a person must look at.
    pub(super) fn feed_alarms(&self) -> Result<Vec<String>, Refusal> {
        let mut alarms = Vec::new();
        for source in self.feed_statuses()?.sources {
            if source.enabled && source.failures >= FAILURES_ALARM {
                alarms.push(format!("feed {}: failing ({})", source.name, source.error_code));
            }
            for id in &source.cancelled {
                alarms.push(format!("feed {}: cancelled what alert {id} was made of", source.name));
            }
        }
        Ok(alarms)
    }

    fn source(&self, source: PolledSource) -> Result<v1::CapSource, Refusal> {
        let (view, now) = (self.view(), self.clock.now());
        let mut cancelled = Vec::new();
        for id in source.cancelled {
            // Until somebody has done what there is to do.
            if view.alert(id)?.is_some_and(|row| thread::shown_as(&row, now) == Shown::Active) {
                cancelled.push(id.to_string());
            }
        }
        let (error_code, error) = source.error.unwrap_or_default();
        Ok(v1::CapSource {
            name: source.name,
            url: source.url,
            enabled: source.enabled,
            polled_at: stamp(source.polled_at),
            answered_at: stamp(source.answered_at),
            next_at: source.next.map(timestamp),
            failures: source.failures,
            error_code,
            error,
            drafted: source.drafted,
            refused: source.refused,
            cancelled,
        })
    }
}
