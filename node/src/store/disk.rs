//! How full the disk is, and what the node makes of it. Asks the operating system; writes nothing.

use std::path::Path;

use nix::sys::statvfs::statvfs;

use super::StoreError;

/// The room on the file system of a folder, in bytes, as an unprivileged process may use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskUse {
    /// What is used and what is free for us together; blocks reserved for root are in neither.
    pub total: u64,
    /// What is free for us.
    pub free: u64,
    /// What is used of the total, in percent, rounded up as `df` does; a disk of no bytes is full.
    pub used_percent: u8,
}

impl DiskUse {
    /// The use of a file system with so many bytes used and so many free for us.
    #[must_use]
    pub fn new(used: u64, free: u64) -> Self {
        let total = used.saturating_add(free);
        let percent = match total {
            0 => 100,
            _ => (u128::from(used) * 100).div_ceil(u128::from(total)),
        };
        Self { total, free, used_percent: u8::try_from(percent).unwrap_or(100) }
    }
}

/// The room on the file system that holds `folder`.
///
/// # Errors
/// [`StoreError::Io`] when the operating system cannot tell.
pub fn free_space(folder: &Path) -> Result<DiskUse, StoreError> {
    let stat = statvfs(folder).map_err(|error| StoreError::io("ask for the free space of", folder)(error.into()))?;
    let block = u128::from(stat.fragment_size());
    let bytes = |blocks: u128| u64::try_from(blocks * block).unwrap_or(u64::MAX);
    let used = u128::from(stat.blocks()).saturating_sub(u128::from(stat.blocks_free()));
    Ok(DiskUse::new(bytes(used), bytes(u128::from(stat.blocks_available()))))
}

/// How much a full disk presses on the node, from its use in percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DiskPressure {
    /// Below 80 %: nothing to say.
    None,
    /// From 80 %: a warning to the node's administrator.
    Warning,
    /// From 90 %: an alarm; bulk work is to be put off.
    Alarm,
    /// From 95 %: new work is refused; the rest is the reserve of receipts, withdrawals and urgent alerts.
    Reserve,
}

impl DiskPressure {
    /// The pressure at so many percent used.
    #[must_use]
    pub fn at(used_percent: u8) -> Self {
        match used_percent {
            0..80 => Self::None,
            80..90 => Self::Warning,
            90..95 => Self::Alarm,
            95.. => Self::Reserve,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pressure_rises_at_80_90_and_95_percent() {
        let cases = [
            (0, DiskPressure::None),
            (79, DiskPressure::None),
            (80, DiskPressure::Warning),
            (89, DiskPressure::Warning),
            (90, DiskPressure::Alarm),
            (94, DiskPressure::Alarm),
            (95, DiskPressure::Reserve),
            (100, DiskPressure::Reserve),
        ];
        for (percent, pressure) in cases {
            assert_eq!(DiskPressure::at(percent), pressure, "{percent} %");
        }
        assert!(DiskPressure::Alarm > DiskPressure::Warning);
    }

    #[test]
    fn percent_is_rounded_up_and_never_leaves_its_range() {
        let cases = [(0, 100, 0), (1, 999, 1), (80, 20, 80), (801, 199, 81), (5, 0, 100), (0, 0, 100)];
        for (used, free, percent) in cases {
            assert_eq!(DiskUse::new(used, free).used_percent, percent, "{used} used, {free} free");
        }
        assert_eq!(DiskUse::new(u64::MAX, u64::MAX).used_percent, 100);
    }

    #[test]
    fn the_disk_of_a_real_folder_has_room_and_that_of_a_missing_one_is_an_error() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let space = free_space(root.path()).expect("the file system answers");
        assert!(space.total >= space.free && space.total > 0, "{space:?}");
        let refused = free_space(&root.path().join("missing")).expect_err("no such folder");
        assert!(refused.to_string().contains("free space"), "{refused}");
    }
}
