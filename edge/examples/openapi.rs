//! Writes the description of the API, as a document and as a page, where the platform serves them from: `make openapi`.

use std::path::Path;
use std::{fs, io};

use heapbeat_edge::web::openapi::{DOCUMENT, PAGE, document, page};

fn main() -> io::Result<()> {
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets");
    for (name, text) in [(DOCUMENT, document()), (PAGE, page())] {
        let file = assets.join(name);
        fs::create_dir_all(file.parent().unwrap_or(&assets))?;
        fs::write(file, text)?;
    }
    Ok(())
}
