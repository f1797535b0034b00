//! The files of a project that say what it is and how it starts.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The files that are read.
pub(super) const FILES: [&str; 14] = [
    "package.json",
    "pnpm-lock.yaml",
    "yarn.lock",
    "bun.lock",
    "requirements.txt",
    "pyproject.toml",
    "Gemfile",
    "Cargo.toml",
    "pom.xml",
    "build.gradle",
    "build.gradle.kts",
    "Procfile",
    "Dockerfile",
    "render.yaml",
];

/// The files of which only the name matters.
const LOCK_FILES: [&str; 3] = ["pnpm-lock.yaml", "yarn.lock", "bun.lock"];

/// Size limit of a file, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The texts of the files that exist, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Project {
    files: BTreeMap<&'static str, String>,
}

impl Project {
    /// Reads the files of a folder. A file that exists and cannot be read is an error, as a proposal without it may be wrong.
    pub(super) fn read(folder: &Path) -> Result<Self, (PathBuf, io::Error)> {
        if let Err(error) = fs::read_dir(folder) {
            return Err((folder.to_owned(), error));
        }
        let mut files = BTreeMap::new();
        for name in FILES {
            let path = folder.join(name);
            let text = if LOCK_FILES.contains(&name) {
                fs::metadata(&path).map(|_| String::new())
            } else {
                read_text(&path)
            };
            match text {
                Ok(text) => {
                    if let ("package.json", Err(error)) = (name, serde_json::from_str::<Value>(&text)) {
                        return Err((path, io::Error::other(format!("it is not JSON: {error}"))));
                    }
                    files.insert(name, text);
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err((path, error)),
            }
        }
        Ok(Project { files })
    }

    /// Returns the text of a file.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.files.get(name).map(String::as_str)
    }

    /// Returns whether a file exists.
    pub(super) fn has(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    /// Returns whether one of these files names a dependency: as a word, so that `next` is not found in `next-auth`, also one that a
    /// workspace of cargo defines (`axum.workspace = true`).
    pub(super) fn depends_on(&self, files: &[&str], dependency: &str) -> bool {
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '/' | '@' | '.');
        files
            .iter()
            .filter_map(|file| self.text(file))
            .flat_map(|text| text.split(|c: char| !is_part(c)))
            .any(|word| word.strip_suffix(".workspace").unwrap_or(word).eq_ignore_ascii_case(dependency))
    }

    /// A project of these files.
    #[cfg(test)]
    pub(super) fn of(files: &[(&'static str, &str)]) -> Self {
        Project { files: files.iter().map(|(name, text)| (*name, (*text).to_owned())).collect() }
    }
}

/// Reads a whole file. One that is read in part, or is no UTF-8, could not be written again without a loss.
fn read_text(path: &Path) -> io::Result<String> {
    // A pipe would wait for ever.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::other("it has more than 1 MiB"));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_could_not_be_written_again_without_a_loss_is_refused() {
        let large = vec![b'#'; 1 + (1 << 20)];
        for (content, expected) in [(b"web: caf\xe9".to_vec(), "UTF-8"), (large.clone(), "1 MiB")] {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("Procfile"), content).unwrap();
            let (path, error) = Project::read(folder.path()).unwrap_err();
            assert!(path.ends_with("Procfile") && error.to_string().contains(expected), "{error}");
        }
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("package.json"), "{ \"scripts\": ").unwrap();
        let (path, error) = Project::read(folder.path()).unwrap_err();
        assert!(path.ends_with("package.json") && error.to_string().contains("not JSON"), "{error}");
        let missing = folder.path().join("missing");
        assert_eq!(Project::read(&missing).unwrap_err().0, missing);
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("yarn.lock"), large).unwrap();
        assert!(Project::read(folder.path()).unwrap().has("yarn.lock"), "its content does not matter");
    }
}
