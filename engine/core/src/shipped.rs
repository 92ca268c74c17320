//! The shipped files, for unit tests. The program gets them from `vultus-native`'s assets, which this crate does not know.

use crate::avatar::AvatarFile;
use crate::weights::WeightReader;

pub(crate) fn bytes(path: &str) -> Vec<u8> {
    let file = format!("{}/../../weights/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&file).unwrap_or_else(|error| panic!("{file}: {error}"))
}

pub(crate) fn weights(path: &str) -> WeightReader {
    WeightReader::new(path, bytes(path)).expect("shipped weights are whole")
}

pub(crate) fn avatar(name: &str) -> AvatarFile {
    AvatarFile::parse(name, bytes(&format!("avatars/{name}.avatar"))).expect("shipped avatars are whole")
}
