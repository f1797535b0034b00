//! Files that are replaced as a whole: a disk that is full, or a process that is killed, leaves the old file.

use std::fs::{self, Metadata, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// The new text of a file, complete and on the disk under another name. It is removed unless it takes the file's place.
#[derive(Debug)]
pub(crate) struct Replacement {
    path: PathBuf,
    new: PathBuf,
}

impl Replacement {
    /// Writes a text beside `path`, with the permissions of `old` where that is given. No link of a stranger is followed, as the file must be
    /// new.
    pub(crate) fn write(path: &Path, text: &[u8], old: Option<&Metadata>) -> io::Result<Self> {
        let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
        name.push(format!(".{}.new", std::process::id()));
        let new = path.with_file_name(name);
        let mut file = OpenOptions::new().write(true).create_new(true).open(&new)?;
        let replacement = Replacement { path: path.to_owned(), new };
        if let Some(old) = old {
            keep_owner(&replacement.new, old);
            file.set_permissions(old.permissions())?;
        }
        file.write_all(text)?;
        file.sync_all()?;
        Ok(replacement)
    }

    /// Puts the text in the place of the file. A link of that name is replaced, and not followed.
    pub(crate) fn place(self) -> io::Result<()> {
        fs::rename(&self.new, &self.path)
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        // After `place` there is no file of this name.
        let _ = fs::remove_file(&self.new);
    }
}

/// Gives a file the owner of another one. Only root can change the owner.
#[cfg(unix)]
fn keep_owner(path: &Path, old: &Metadata) {
    use std::os::unix::fs::{MetadataExt as _, chown};
    let _ = chown(path, Some(old.uid()), Some(old.gid()));
}

#[cfg(not(unix))]
fn keep_owner(_path: &Path, _old: &Metadata) {}
