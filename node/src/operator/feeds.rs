//! How the public feed and the polled sources of warnings are, for operators.

use passerelle_domain::{alert::life::Shown, facts::Facts as _, ids::AlertId, refusal::Refusal};
use passerelle_proto::v1;

use super::{Operator, thread};

/// Polls in a row that failed, after which a person looks at the source.
const FAILURES_ALARM: u32 = 5;

impl Operator {
    /// All feeds.
    pub(super) fn feed_statuses(&self) -> Result<v1::GetFeedsResponse, Refusal> {
        let mut sources = self.feeds.sources();
        for source in &mut sources {
            let told = std::mem::take(&mut source.cancelled);
            for id in told {
                if self.is_active(&id)? {
                    source.cancelled.push(id);
                }
            }
        }
        Ok(v1::GetFeedsResponse { public: self.feeds.public(), sources })
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

    /// Whether an alert is still one that somebody could cancel.
    fn is_active(&self, id: &str) -> Result<bool, Refusal> {
        let Ok(id) = id.parse::<AlertId>() else { return Ok(false) };
        let row = self.view().alert(id)?;
        Ok(row.is_some_and(|row| thread::shown_as(&row, self.clock.now()) == Shown::Active))
    }
}
