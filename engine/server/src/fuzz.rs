//! What strangers send to the server, taken in as the server takes it in, for `fuzz/`. Each gives a short word for what came of it: the fuzzer
//! keeps inputs with which something new came.

use std::sync::Arc;
use std::time::Instant;

use tokio::runtime::{Builder, Runtime};

use crate::speak;
use crate::transport::{self, Options, OpusPacket, PeerEvents, Role, Transport};

/// Offers, answered by the whole WebRTC stack on a port of its own.
pub struct Offers {
    runtime: Runtime,
    transport: Transport,
}

struct Nobody;

impl PeerEvents for Nobody {
    fn microphone(&self, _: &OpusPacket<'_>) {}
    fn camera(&self, _: &[u8]) -> bool {
        true
    }
    fn key_frame_wanted(&self) {}
    fn bitrate(&self, _: u32) {}
    fn connected(&self) {}
    fn closed(&self, _: &str) {}
    fn sent(&self, _: Instant) {}
}

impl Offers {
    /// Opens the port, on loopback.
    ///
    /// # Panics
    /// Where the system has no thread or port.
    pub fn open() -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let transport = runtime.block_on(Transport::bind(Options::default())).expect("a UDP port on loopback");
        Self { runtime, transport }
    }

    /// Reads an offer for every role, and has it answered for the first that it fits.
    pub fn answer(&self, offer: &str) -> String {
        let mut outcome = String::new();
        for role in [Role::Call, Role::Watch, Role::Publish] {
            match Transport::check(role, offer) {
                Err(error) => outcome = error.to_string(),
                Ok(_) => {
                    let accepted = self.transport.accept(role, offer, Arc::new(Nobody));
                    return self.runtime.block_on(async {
                        match accepted.await {
                            Ok((peer, answer)) => {
                                peer.close().await;
                                format!("{role:?}: {} m-lines", answer.matches("m=").count())
                            }
                            Err(error) => format!("{role:?}: {error}"),
                        }
                    });
                }
            }
        }
        outcome
    }
}

/// A datagram before it is known whose it is.
pub fn datagram(bytes: &[u8]) -> String {
    format!("{:?}", transport::first_look(bytes))
}

/// A conversation on `/v1/speak`; see `speak/fuzz.rs` for how it is written.
pub fn conversation(bytes: &[u8]) -> String {
    speak::fuzz::conversation(bytes)
}

/// A text message on `/v1/speak`.
pub fn message(text: &str) -> String {
    speak::fuzz::message(text)
}
