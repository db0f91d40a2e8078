//! Two nodes at the ends of a line. Starts processes, and writes to a temporary folder.

use std::{net::SocketAddr, process::Stdio, sync::atomic::AtomicU32, sync::atomic::Ordering, time::Duration};

use anyhow::Context as _;
use passerelle_proto::v1;

use super::{APPROVER, namespace::Ends, namespace::LISTEN, profile::Profile};
use crate::{
    bench::nodes::{BenchNode, Pair, Wiring},
    world::Handovers,
};

/// Tells the lines of this process apart.
static NUMBER: AtomicU32 = AtomicU32::new(0);
/// User of the supervisor of A, who is somebody else than its caseworker; `nobody` on every Linux.
const SUPERVISOR: u32 = 65_534;
/// How long a handover may take for each of its steps on a slow line.
const STEP_PATIENCE: Duration = Duration::from_secs(60);

/// Two nodes and the line between them. The nodes go first.
pub(super) struct Joined {
    pub(super) pair: Pair,
    pub(super) ends: Ends,
}

impl Joined {
    /// A line of this profile, and two nodes that do not run yet. Lines of other `seed`s lose other packets.
    pub(super) fn prepare(profile: Profile, seed: u64, introduced: bool) -> anyhow::Result<Self> {
        let ends = Ends::join(NUMBER.fetch_add(1, Ordering::Relaxed), profile.line(), seed)?;
        let pair = pair(&ends, introduced)?;
        Ok(Self { pair, ends })
    }

    /// The same, running and joined.
    pub(super) async fn start(profile: Profile, seed: u64) -> anyhow::Result<Self> {
        let mut joined = Self::prepare(profile, seed, true)?;
        joined.start_nodes().await?;
        joined.pair.linked().await?;
        Ok(joined)
    }

    /// Starts both nodes.
    pub(super) async fn start_nodes(&mut self) -> anyhow::Result<()> {
        self.pair.b.start().await?;
        self.pair.a.start().await?;
        Ok(())
    }

    /// Puts nodes at the ends that have never met, in the place of those that were there.
    pub(super) async fn renew(&mut self) -> anyhow::Result<()> {
        self.pair.a.kill().await?;
        self.pair.b.kill().await?;
        self.pair = pair(&self.ends, false)?;
        self.start_nodes().await
    }
}

fn pair(ends: &Ends, introduced: bool) -> anyhow::Result<Pair> {
    let wiring = Wiring { address: SocketAddr::from(LISTEN), netns: Some(ends.names()), besides: cases(), introduced };
    Pair::wired(None, false, wiring)
}

/// What the nodes need besides to hand cases over: a supervisor, and an agreement of both Societies.
fn cases() -> String {
    let basis = |from, to| {
        format!(
            "\n[[transfer_basis]]\nfrom = \"{from}\"\nto = \"{to}\"\nbasis = \"agreement\"\nvalid_from = \"2020-01-01\"\n"
        )
    };
    format!(
        "\n[[operators]]\nuser = {SUPERVISOR}\nroles = [\"supervisor\"]\n{}{}",
        basis("SN", "ML"),
        basis("ML", "SN")
    )
}

/// Has A release a package of nearly `bytes` to B. Returns once it waits in the lane.
pub(super) async fn release_package(joined: &Joined, bytes: usize) -> anyhow::Result<String> {
    let (a, b) = (&joined.pair.a, &joined.pair.b);
    let (from, to) = (Handovers::at(&socket(a)).await?, Handovers::at(&socket(b)).await?);
    let case = from
        .record_consent_with(|record| {
            let categories = serde_json::json!(["contact", "language", "health_min", "health_full"]);
            let grant = serde_json::json!({ "purpose": "svc.medical_referral", "categories": categories });
            if let Some(purposes) = record["purposes"].as_array_mut() {
                purposes.push(grant);
            }
        })
        .await?;
    let mut request =
        from.request(&case, |draft, _| draft["services"] = serde_json::json!([{ "service": "medical_referral" }]))?;
    let mut content = vec![0; bytes];
    passerelle_node::entropy::Entropy::fill(&passerelle_node::entropy::SystemEntropy::new(), &mut content);
    content.splice(..8, *b"%PDF-1.7");
    request.letters =
        vec![v1::Letter { kind: "clinical_letter".into(), media_type: "application/pdf".into(), content }];
    let (id, state) = from.offer_request(request).await?;
    anyhow::ensure!(state == "draft", "a sealed section waits for a supervisor, and the handover is {state}");
    approve(a, &id).await?;
    from.safeguards().send_handover(v1::SendHandoverRequest { id: id.clone() }).await?;
    tokio::time::timeout(STEP_PATIENCE, to.until(&id, "delivered")).await.context("the offer")??;
    to.accept(&id).await?;
    tokio::time::timeout(STEP_PATIENCE, from.until(&id, "accepted")).await.context("the acceptance")??;
    let sections = from.release(&id).await?;
    anyhow::ensure!(sections.iter().any(|section| section == "health_full"), "the letter stays: {sections:?}");
    Ok(id)
}

/// Waits until B holds the package.
pub(super) async fn until_released(joined: &Joined, id: &str) -> anyhow::Result<()> {
    Handovers::at(&socket(&joined.pair.b)).await?.until(id, "disclosed").await.map(|_| ())
}

fn socket(node: &BenchNode) -> std::path::PathBuf {
    node.folder().join("operator.sock")
}

/// Another user approves, in a process of its own: who calls is what the kernel says.
async fn approve(node: &BenchNode, id: &str) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let socket = socket(node);
    // The folder of the nodes is the tester's alone; for this it is passed through.
    for folder in socket.ancestors().skip(1).take(2) {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o711))?;
    }
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o666))?;
    let mut helper = tokio::process::Command::new(std::env::current_exe()?);
    helper.arg(APPROVER).arg(&socket).arg(id).uid(SUPERVISOR).gid(SUPERVISOR).stdin(Stdio::null()).kill_on_drop(true);
    let output = helper.output().await.context("the supervisor")?;
    anyhow::ensure!(output.status.success(), "the supervisor: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}

/// What the process of the supervisor does.
pub(super) async fn approve_as_this_user(socket: &std::path::Path, id: String) -> anyhow::Result<()> {
    let request = v1::ApproveHandoverRequest { id, role: String::new() };
    let answer = Handovers::at(socket).await?.safeguards().approve_handover(request).await?.into_inner();
    anyhow::ensure!(answer.missing.is_empty(), "approvals are missing: {:?}", answer.missing);
    Ok(())
}
