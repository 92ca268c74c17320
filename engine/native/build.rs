//! Lists the files of `weights/` so that `assets.rs` can embed them: the binary then runs from any folder.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// What is embedded: networks, avatars, the sample speech and the manifest that has their checksums. Not the model cards.
const EMBEDDED: [&str; 6] = ["safetensors", "avatar", "wav", "flac", "ogg", "toml"];

fn main() -> io::Result<()> {
    let crate_dir = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let weights = crate_dir.join("../../weights");
    println!("cargo::rerun-if-changed={}", weights.display());
    let mut files = Vec::new();
    if weights.is_dir() {
        walk(&weights, &mut files)?;
    }
    files.sort();
    let mut table = String::from("&[\n");
    for file in &files {
        let name =
            file.strip_prefix(&weights).expect("walk stays inside weights/").to_string_lossy().replace('\\', "/");
        writeln!(table, "    ({name:?}, include_bytes!({:?})),", file.display().to_string())
            .expect("a String takes all");
    }
    table.push(']');
    fs::write(out.join("embedded.rs"), table)
}

fn walk(dir: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, files)?;
        } else if path.extension().and_then(|e| e.to_str()).is_some_and(|e| EMBEDDED.contains(&e)) {
            files.push(path);
        }
    }
    Ok(())
}
