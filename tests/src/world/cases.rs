//! A case and its handover, driven through the operators' interface as a caseworker would.

use anyhow::Context as _;
use passerelle_node::run::Node;
use passerelle_proto::v1::{
    self, consent_service_client::ConsentServiceClient, handover_service_client::HandoverServiceClient,
    safeguard_service_client::SafeguardServiceClient,
};
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint, Uri};

const CONSENT: &str = include_str!("../../../config/demo/consent-mali-only.toml");
const HANDOVER: &str = include_str!("../../../config/demo/handover.toml");
const PACKAGE: &str = include_str!("../../../config/demo/package.toml");

/// A connection to the operators' socket of a node.
///
/// # Errors
/// When nobody answers there.
pub async fn channel(socket: &std::path::Path) -> anyhow::Result<Channel> {
    let socket = socket.to_owned();
    let connect = tower::service_fn(move |_: Uri| {
        let socket = socket.clone();
        async move { UnixStream::connect(socket).await.map(hyper_util::rt::TokioIo::new) }
    });
    Ok(Endpoint::from_static("http://node").connect_with_connector(connect).await?)
}

/// Handovers of one node, as its operators see them.
pub struct Handovers {
    channel: Channel,
}

impl Handovers {
    /// Those of a running node.
    ///
    /// # Errors
    /// When its socket does not answer.
    pub async fn of(node: &Node) -> anyhow::Result<Self> {
        Ok(Self { channel: channel(&node.config.operator.socket).await? })
    }

    /// Those of the node behind an operators' socket.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn at(socket: &std::path::Path) -> anyhow::Result<Self> {
        Ok(Self { channel: channel(socket).await? })
    }

    fn client(&self) -> HandoverServiceClient<Channel> {
        HandoverServiceClient::new(self.channel.clone())
    }

    /// Records the consent that names Mali alone; the case and the consent.
    ///
    /// # Errors
    /// The refusal.
    pub async fn record_consent(&self) -> anyhow::Result<(String, String)> {
        let consent = v1::Consent { case_id: String::new(), record_json: json(CONSENT)?.to_string() };
        let request = v1::RecordConsentRequest { id: String::new(), consent: Some(consent) };
        let answer = ConsentServiceClient::new(self.channel.clone()).record_consent(request).await?.into_inner();
        Ok((answer.case_id, answer.id))
    }

    /// Records the consent that names Mali alone, with other values in it; the case and the consent.
    ///
    /// # Errors
    /// The refusal.
    pub async fn record_consent_with(
        &self,
        change: impl FnOnce(&mut serde_json::Value),
    ) -> anyhow::Result<(String, String)> {
        let mut record = json(CONSENT)?;
        change(&mut record);
        let consent = v1::Consent { case_id: String::new(), record_json: record.to_string() };
        let request = v1::RecordConsentRequest { id: String::new(), consent: Some(consent) };
        let answer = ConsentServiceClient::new(self.channel.clone()).record_consent(request).await?.into_inner();
        Ok((answer.case_id, answer.id))
    }

    /// A request to offer transport to Mali, with other values in its draft and its package.
    ///
    /// # Errors
    /// When the demo's documents are none.
    pub fn request(
        &self,
        (case, consent): &(String, String),
        change: impl FnOnce(&mut serde_json::Value, &mut serde_json::Value),
    ) -> anyhow::Result<v1::OfferHandoverRequest> {
        let (mut draft, mut package) = (json(HANDOVER)?, json(PACKAGE)?);
        draft["consent"] = consent.as_str().into();
        draft["services"] = serde_json::json!([{ "service": "transport_family", "needs": ["transport_to_family"] }]);
        change(&mut draft, &mut package);
        Ok(v1::OfferHandoverRequest {
            case_id: case.clone(),
            draft_json: draft.to_string(),
            package_json: package.to_string(),
            ..Default::default()
        })
    }

    /// Makes an offer; the handover and its state.
    ///
    /// # Errors
    /// The refusal.
    pub async fn offer_request(&self, request: v1::OfferHandoverRequest) -> anyhow::Result<(String, String)> {
        let offered = self.client().offer_handover(request).await?.into_inner();
        Ok((offered.id, offered.state))
    }

    /// Approvals, overrides and groups of this node.
    #[must_use]
    pub fn safeguards(&self) -> SafeguardServiceClient<Channel> {
        SafeguardServiceClient::new(self.channel.clone())
    }

    /// Offers transport to a Society, with the package, which stays here until it is accepted; the handover.
    ///
    /// # Errors
    /// The refusal, as a [`tonic::Status`].
    pub async fn offer(&self, case: &(String, String), to: &str) -> anyhow::Result<String> {
        self.offer_as(case, to, false).await
    }

    /// The same, saying whether to release as soon as it is accepted.
    ///
    /// # Errors
    /// The refusal, as a `tonic::Status`.
    pub async fn offer_as(
        &self,
        (case, consent): &(String, String),
        to: &str,
        release_on_acceptance: bool,
    ) -> anyhow::Result<String> {
        let mut draft = json(HANDOVER)?;
        draft["consent"] = consent.as_str().into();
        draft["to"] = to.into();
        draft["services"] = serde_json::json!([{ "service": "transport_family", "needs": ["transport_to_family"] }]);
        let request = v1::OfferHandoverRequest {
            id: String::new(),
            case_id: case.clone(),
            draft_json: draft.to_string(),
            package_json: json(PACKAGE)?.to_string(),
            release_on_acceptance,
            letters: Vec::new(),
        };
        Ok(self.client().offer_handover(request).await?.into_inner().id)
    }

    /// Accepts an offer.
    ///
    /// # Errors
    /// The refusal.
    pub async fn accept(&self, id: &str) -> anyhow::Result<()> {
        let team = "intake.kayes".to_owned();
        let request = v1::AcceptHandoverRequest { id: id.to_owned(), team, services: Vec::new() };
        self.client().accept_handover(request).await?;
        Ok(())
    }

    /// Releases the package of a handover; the sections that travel.
    ///
    /// # Errors
    /// The refusal.
    pub async fn release(&self, id: &str) -> anyhow::Result<Vec<String>> {
        let request =
            v1::ReleaseHandoverRequest { id: id.to_owned(), package_json: String::new(), letters: Vec::new() };
        Ok(self.client().release_handover(request).await?.into_inner().sections)
    }

    /// Reports that the person has arrived.
    ///
    /// # Errors
    /// The refusal.
    pub async fn arrived(&self, id: &str) -> anyhow::Result<()> {
        let step = "in_service".to_owned();
        let request = v1::ReportHandoverRequest { id: id.to_owned(), step, ..Default::default() };
        self.client().report_handover(request).await?;
        Ok(())
    }

    /// Reports that what was accepted is done.
    ///
    /// # Errors
    /// The refusal.
    pub async fn completed(&self, id: &str) -> anyhow::Result<()> {
        let (step, reason) = ("completed".to_owned(), "completed".to_owned());
        let services_delivered = vec!["transport_family".to_owned()];
        let request =
            v1::ReportHandoverRequest { id: id.to_owned(), step, reason, services_delivered, ..Default::default() };
        self.client().report_handover(request).await?;
        Ok(())
    }

    /// Reads a package for transport, as JSON.
    ///
    /// # Errors
    /// The refusal.
    pub async fn read(&self, id: &str) -> anyhow::Result<serde_json::Value> {
        let purpose = "svc.transport".to_owned();
        let request = v1::ReadPackageRequest { id: id.to_owned(), purpose, sections: Vec::new() };
        let read = self.client().read_package(request).await?.into_inner();
        Ok(serde_json::from_str(&read.package_json)?)
    }

    /// Takes back the consent that a handover rests on, as the person asks at whichever node.
    ///
    /// # Errors
    /// The refusal.
    pub async fn withdraw(&self, id: &str) -> anyhow::Result<v1::WithdrawConsentResponse> {
        let request = v1::WithdrawConsentRequest { handover_id: id.to_owned(), ..Default::default() };
        Ok(ConsentServiceClient::new(self.channel.clone()).withdraw_consent(request).await?.into_inner())
    }

    /// Takes back these purposes of it alone.
    ///
    /// # Errors
    /// The refusal.
    pub async fn narrow(&self, id: &str, purposes: &[&str]) -> anyhow::Result<()> {
        let purposes = purposes.iter().map(|purpose| (*purpose).to_owned()).collect();
        let request = v1::WithdrawConsentRequest { handover_id: id.to_owned(), purposes, ..Default::default() };
        ConsentServiceClient::new(self.channel.clone()).withdraw_consent(request).await?;
        Ok(())
    }

    /// The alarms of the node.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn alarms(&self) -> anyhow::Result<Vec<String>> {
        let mut client = v1::status_service_client::StatusServiceClient::new(self.channel.clone());
        Ok(client.get_status(v1::GetStatusRequest {}).await?.into_inner().alarms)
    }

    /// How far the withdrawal is of the consent that a handover rests on.
    ///
    /// # Errors
    /// The refusal.
    pub async fn withdrawal(&self, id: &str) -> anyhow::Result<v1::WithdrawalView> {
        let request = v1::GetWithdrawalRequest { handover_id: id.to_owned(), ..Default::default() };
        let answer = ConsentServiceClient::new(self.channel.clone()).get_withdrawal(request).await?.into_inner();
        answer.withdrawals.into_iter().next().context("an answer without a withdrawal")
    }

    /// Waits until the other end has told us that it has erased.
    ///
    /// # Errors
    /// When that takes too long.
    pub async fn until_erased_by(&self, id: &str, society: &str) -> anyhow::Result<v1::HolderView> {
        let deadline = tokio::time::Instant::now() + super::PATIENCE;
        loop {
            let holders = self.withdrawal(id).await.map(|view| view.holders).unwrap_or_default();
            let last = format!("{holders:?}");
            if let Some(holder) = holders.into_iter().find(|one| one.society == society && one.state == "erased") {
                return Ok(holder);
            }
            anyhow::ensure!(tokio::time::Instant::now() < deadline, "{society} has not erased: {last}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// Waits until the handover is in a state.
    ///
    /// # Errors
    /// When that takes too long.
    pub async fn until(&self, id: &str, state: &str) -> anyhow::Result<v1::HandoverView> {
        let deadline = tokio::time::Instant::now() + super::PATIENCE;
        let mut last = String::new();
        loop {
            let request = v1::GetHandoverRequest { id: id.to_owned() };
            if let Ok(answer) = self.client().get_handover(request).await {
                let view = answer.into_inner().handover.context("an answer without a handover")?;
                if view.state == state {
                    return Ok(view);
                }
                last = view.state;
            }
            anyhow::ensure!(tokio::time::Instant::now() < deadline, "the handover is {last:?} and not {state}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}

fn json(text: &str) -> anyhow::Result<serde_json::Value> {
    Ok(toml::from_str(text)?)
}
