//! Pressure stall information: how long tasks waited for memory (<https://docs.kernel.org/accounting/psi.html>).
//!
//! `some` is the share of time in which at least one task waited, `full` that in which all of them did, averaged over
//! ten seconds. It rises before an OOM kill, as tasks that reclaim memory do no other work.

use std::path::Path;

use super::file::KernelFile;

/// Shares of the last ten seconds, in hundredths of a percent: 1234 is 12.34 %.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stall {
    /// Share of time in which at least one task waited for memory.
    pub some: u32,
    /// Share of time in which all tasks waited. Absent for the machine before Linux 5.13.
    pub full: Option<u32>,
}

impl Stall {
    /// Parses `some avg10=0.12 avg60=…` and the line of `full`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let avg10 = |kind: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(kind))?;
            let share = line.split_ascii_whitespace().find_map(|field| field.strip_prefix("avg10="))?;
            let (whole, hundredths) = share.split_once('.')?;
            let hundredths: u32 = (hundredths.len() == 2).then(|| hundredths.parse().ok())??;
            whole.parse::<u32>().ok()?.checked_mul(100)?.checked_add(hundredths)
        };
        Some(Stall { some: avg10("some ")?, full: avg10("full ") })
    }
}

/// A memory pressure file.
#[derive(Debug)]
pub struct StallFile(KernelFile);

impl StallFile {
    /// Opens the machine's file; `None` if the kernel does not provide it.
    pub fn of_the_machine() -> Option<Self> {
        Self::open(Path::new("/proc/pressure/memory"))
    }

    /// Opens a file and reads it once: with accounting switched off, the kernel opens the file but refuses reads.
    pub(super) fn open(path: &Path) -> Option<Self> {
        let mut file = StallFile(KernelFile::open(path)?);
        file.read()?;
        Some(file)
    }

    /// Reads the figures.
    pub fn read(&mut self) -> Option<Stall> {
        Stall::parse(self.0.read()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_of_the_last_ten_seconds_are_read() {
        let text = "some avg10=12.34 avg60=1.00 avg300=0.00 total=17434\nfull avg10=0.05 avg60=0.00 avg300=0.00 total=1\n";
        assert_eq!(Stall::parse(text), Some(Stall { some: 1234, full: Some(5) }));
        let (some, _) = text.split_once("full").unwrap();
        assert_eq!(Stall::parse(some), Some(Stall { some: 1234, full: None }));
        for bad in
            ["", "some avg60=1.00", "some avg10=1", "some avg10=1.5", "some avg10=-1.00", "full avg10=1.00"]
        {
            assert_eq!(Stall::parse(bad), None, "{bad:?}");
        }
    }
}
