//! What nodes are made of before a simulation begins, and what is the same in each: roots, keys, certificates, and the
//! bundles of the others. Made once a process, since keys are dear; touches a temporary folder, in memory where there is one.

use std::path::{Path, PathBuf};

use passerelle_domain::society::{MEMBERS, Society};
use passerelle_node::{
    entropy::{Entropy as _, SeededEntropy},
    trust::{PeerBundles, TrustFolder},
};

use super::{clock::BEGINS, network::address};

/// The nodes were set up twenty days before: nothing is due for renewal, and a clock may go back.
const SET_UP: std::time::Duration = std::time::Duration::from_secs(20 * 86_400);

/// The homes of the nodes.
pub struct Homes {
    folder: tempfile::TempDir,
    societies: Vec<Society>,
}

impl Homes {
    /// Homes of so many nodes, 2 to 10, each a peer of all others; and that of one more, which is nobody's peer.
    ///
    /// # Errors
    /// When the folders cannot be made.
    pub fn make(nodes: usize) -> anyhow::Result<Self> {
        anyhow::ensure!((2..=MEMBERS.len()).contains(&nodes), "a simulation has 2 to {} nodes", MEMBERS.len());
        let folder = match Path::new("/dev/shm") {
            memory if memory.is_dir() => tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir())?,
            _ => tempfile::tempdir()?,
        };
        // Those between whom most goes come first.
        let order = ["SN", "GM", "ML", "MR", "GN", "NE", "GW", "BF", "TD", "CV"];
        let societies = order[..nodes].iter().map(|code| code.parse()).collect::<Result<Vec<Society>, _>>()?;
        let homes = Self { folder, societies };
        for (node, society) in homes.societies.iter().enumerate() {
            homes.set_up(*society, node)?;
        }
        homes.set_up(homes.stranger(), nodes)?;
        for society in &homes.societies {
            let bundles = PeerBundles::open(&homes.home(*society))?;
            for other in homes.societies.iter().filter(|other| *other != society) {
                bundles.put(&TrustFolder::open(&homes.home(*other))?.1.bundle)?;
            }
        }
        Ok(homes)
    }

    fn set_up(&self, society: Society, node: usize) -> anyhow::Result<()> {
        // Signatures hang on these keys, so they are the same in every process.
        let entropy = SeededEntropy::new(node as u64);
        let fill = move |bytes: &mut [u8]| entropy.fill(bytes);
        let home = self.home(society);
        TrustFolder::init(&home, society, vec![address(node).to_string().parse()?], BEGINS.minus(SET_UP), &fill)?;
        TrustFolder::open(&home)?.0.pseudonym_secret(&fill)?;
        Ok(())
    }

    /// The Societies, in the order of their nodes.
    #[must_use]
    pub fn societies(&self) -> &[Society] {
        &self.societies
    }

    /// A Society that is nobody's peer.
    #[must_use]
    pub fn stranger(&self) -> Society {
        Society::parse_bytes(b"XX").unwrap_or(self.societies[0])
    }

    /// Where the trust folder and the bundles of a Society's peers lie.
    #[must_use]
    pub fn home(&self, society: Society) -> PathBuf {
        self.folder.path().join(society.code())
    }

    /// A folder for the data of one simulation.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn data(&self) -> anyhow::Result<tempfile::TempDir> {
        Ok(tempfile::tempdir_in(self.folder.path())?)
    }
}
