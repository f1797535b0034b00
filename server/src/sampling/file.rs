//! A small kernel file that is read repeatedly.
//!
//! The kernel generates files under /proc and /sys/fs/cgroup at each read from their beginning. Keeping them open saves the path
//! lookup, and still works when the process has run out of descriptors.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Maximum length of a file; the longest real one (`memory.stat`) has less than 3 kB.
const MAX_LENGTH: usize = 8192;

/// An open file and the buffer for its text.
#[derive(Debug)]
pub(super) struct KernelFile {
    file: File,
    buffer: Box<[u8]>,
}

impl KernelFile {
    /// Opens the file; `None` if it cannot be read.
    pub(super) fn open(path: &Path) -> Option<Self> {
        let mut opened = KernelFile { file: File::open(path).ok()?, buffer: vec![0; 512].into() };
        opened.read()?;
        Some(opened)
    }

    /// Reads the whole text; `None` if it cannot be read, is not UTF-8, or is longer than expected of such a file.
    pub(super) fn read(&mut self) -> Option<&str> {
        let mut length = 0;
        loop {
            match self.file.read_at(&mut self.buffer[length..], length as u64).ok()? {
                0 => return std::str::from_utf8(&self.buffer[..length]).ok(),
                read => length += read,
            }
            if length == self.buffer.len() {
                if length >= MAX_LENGTH {
                    return None;
                }
                let mut longer = vec![0; length * 2];
                longer[..length].copy_from_slice(&self.buffer);
                self.buffer = longer.into();
            }
        }
    }
}

/// Returns the number behind `key` in text whose lines are `key number`.
pub(super) fn parse_value(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_read_again_from_its_beginning() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("figures");
        fs::write(&path, "1").unwrap();
        let mut file = KernelFile::open(&path).unwrap();
        assert_eq!(file.read(), Some("1"));
        let long = "x".repeat(3000);
        fs::write(&path, &long).unwrap();
        assert_eq!(file.read(), Some(long.as_str()));
        fs::write(&path, "2").unwrap();
        assert_eq!(file.read(), Some("2"));
        fs::write(&path, "x".repeat(MAX_LENGTH + 1)).unwrap();
        assert_eq!(file.read(), None);
        fs::write(&path, [0xff]).unwrap();
        assert_eq!(file.read(), None);
    }

    #[test]
    fn a_missing_file_is_none() {
        let directory = tempfile::tempdir().unwrap();
        assert!(KernelFile::open(&directory.path().join("absent")).is_none());
        assert!(KernelFile::open(directory.path()).is_none(), "a directory is no file");
    }

    #[test]
    fn values_are_found_by_their_whole_key() {
        let text = "file 1\ninactive_file 2\nanon 3\nodd x\n";
        let cases =
            [("file", Some(1)), ("inactive_file", Some(2)), ("anon", Some(3)), ("odd", None), ("ano", None)];
        for (key, expected) in cases {
            assert_eq!(parse_value(text, key), expected, "{key}");
        }
    }
}
