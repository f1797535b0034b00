//! Programs of this machine that tests run under guard.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::privileged::report_skipped;
use crate::{Server, heapbeat_command};

/// Where programs are looked for.
pub const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Whether a program is installed in [`PATH`]. Reports the test as skipped if it is not.
pub fn is_installed(program: &str) -> bool {
    let found = PATH.split(':').any(|directory| Path::new(directory).join(program).exists());
    if !found {
        report_skipped(&format!("{program} is not installed"));
    }
    found
}

/// Starts `heapbeat` with these arguments in a temporary directory with these files. The environment is `variables`
/// and `PATH`, the directory as `HOME` and `TMPDIR`, and the path of a file in it as `LOG`.
pub fn start_in_directory(
    files: &[(&str, &str)],
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> (TempDir, Server) {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::write(directory.path().join(name), content).unwrap();
    }
    let home = directory.path().to_str().unwrap();
    let log = directory.path().join("log");
    let given = [("PATH", PATH), ("HOME", home), ("TMPDIR", home), ("LOG", log.to_str().unwrap())];
    let mut command = heapbeat_command(arguments, &[&given, variables].concat());
    command.current_dir(directory.path());
    (directory, Server::spawn(command))
}
