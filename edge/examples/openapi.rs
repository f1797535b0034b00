//! Writes the description of the API into `edge/assets`, from where the platform serves it: `make openapi`.

use std::path::Path;
use std::{fs, io};

use heapbeat_edge::web::openapi::{DOCUMENT, document};

fn main() -> io::Result<()> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets").join(DOCUMENT);
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(file, document())
}
