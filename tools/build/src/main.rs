//! Turns the compiled edge into the JavaScript and WebAssembly that Cloudflare runs.
//!
//! `heapbeat-build MODULE.wasm DIRECTORY` writes the same files as `worker-build`: `index_bg.wasm` and `index.js`, which wasm-bindgen
//! generates from the compiled module, and `entry.js`, the module that the runtime loads. `tools/prepare.mjs` runs cargo before it, and
//! `tools/bundle.mjs` runs esbuild and wasm-opt after it.

mod entry;

use anyhow::{Context, Result, bail};
use std::{
    env, fs,
    path::{Path, PathBuf},
};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<()> {
    let arguments: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let [module, directory] = arguments.as_slice() else {
        bail!("usage: heapbeat-build MODULE.wasm DIRECTORY");
    };
    generate_bindings(module, directory)?;
    write_entry(directory)
}

/// Writes `index.js` and `index_bg.wasm` with the options that `worker-build` gives wasm-bindgen.
///
/// The entry module uses the reset function and the abort handler to recover from a panic.
fn generate_bindings(module: &Path, directory: &Path) -> Result<()> {
    Bindgen::new()
        .module(true)?
        .input_path(module)
        .out_name("index")
        .typescript(false)
        .omit_default_module_path(false)
        .reset_state_function(true)
        .force_enable_abort_handler(true)
        .generate(directory)
        .with_context(|| format!("wasm-bindgen cannot process {}", module.display()))
}

/// Writes `entry.js`, which wraps the exports of `index.js`.
fn write_entry(directory: &Path) -> Result<()> {
    let index = directory.join("index.js");
    let bindings = fs::read_to_string(&index).with_context(|| format!("cannot read {}", index.display()))?;
    let entry = directory.join("entry.js");
    fs::write(&entry, entry::render(&bindings)).with_context(|| format!("cannot write {}", entry.display()))
}
