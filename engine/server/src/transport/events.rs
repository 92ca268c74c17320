//! What happens to a peer.

use std::time::Instant;

use vultus_native::media::OpusPacket;

/// See the module's text. Called from the transport's tasks, which serve the network: nothing here may block.
///
/// A peer holds its events until it is dropped, so events that hold their peer must let go of it when they are `closed`.
pub trait PeerEvents: Send + Sync + 'static {
    /// One Opus packet of the microphone, in the order of arrival, which may not be the order of its sequence numbers. Empty packets, which
    /// browsers send to probe the path, are not passed on, but have their sequence numbers.
    fn microphone(&self, packet: &OpusPacket<'_>);
    /// One picture of the camera: an H.264 access unit with start codes, every one since a key frame. Whether it could be taken; if not, the next one is a key
    /// frame, which is asked for.
    fn camera(&self, picture: &[u8]) -> bool;
    /// The peer cannot go on without a key frame: it joined, asked for one (PLI, FIR), or a unit had to be dropped.
    fn key_frame_wanted(&self);
    /// What the path to this peer carries, whenever the estimate moves by more than a twentieth.
    fn bitrate(&self, bits_per_second: u32);
    /// Media flows from now on.
    fn connected(&self);
    /// The peer is gone and everything it held is free. Called exactly once, and last.
    fn closed(&self, why: &str);
    /// The last packet of a video unit left the socket.
    fn sent(&self, heard: Instant);
}
