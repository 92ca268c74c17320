//! WebRTC behind a narrow seam: one UDP port, offers in, answers out, encoded units to the browser, Opus packets from its microphone.
//!
//! ```text
//! offer ─► sdp ─► peer (one a browser: the `webrtc` stack, its tracks and send loops, feedback)
//!                  │ lane (the peer's share of the port)
//!                 mux ── the UDP port
//! ```
//!
//! Nothing here knows HTTP, sessions or codecs' insides; nothing outside knows ICE, DTLS or RTP.

mod arrivals;
mod dtls;
mod feedback;
mod gate;
mod lane;
mod mux;
mod peer;
mod queue;
mod rate;
mod repair;
mod reports;
mod sdp;
mod send;
mod stun;
#[cfg(test)]
mod tests;
mod weather;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::mux::{Mux, Running};
pub(crate) use self::peer::Peer;
pub(crate) use self::rate::Bucket;
pub(crate) use self::weather::Weather;
pub(crate) use vultus::media::OpusPacket;
pub(crate) use vultus::stream::live::{VideoUnit, VoiceUnit};

/// A peer that nothing authentic comes from for so long is gone. It is the time after which a client would stop sending as well (RFC 7675
/// section 5.1): it checks every four to six seconds, and five checks may get lost.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What a peer comes for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Picture and voice to the browser (WHEP).
    Watch,
    /// The browser's microphone to us (WHIP).
    Microphone,
    /// Both over one connection.
    Call,
}

/// What happens to a peer. Called from the transport's tasks, which serve the network: nothing here may block.
///
/// A peer holds its events until it is dropped, so events that hold their peer must let go of it when they are `closed`.
pub(crate) trait PeerEvents: Send + Sync + 'static {
    /// One Opus packet of the microphone, in the order of arrival, which may not be the order of its sequence numbers. Empty packets, which
    /// browsers send to probe the path, are not passed on, but have their sequence numbers.
    fn microphone(&self, packet: &OpusPacket<'_>);
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

/// Why an offer gets no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SignalError {
    /// It is no offer (HTTP 400).
    #[error("{0}")]
    Malformed(String),
    /// It has no codec that we have (406).
    #[error("{0}")]
    NoCodec(String),
    /// It does not fit the role (422).
    #[error("{0}")]
    Unsupported(String),
    /// Our own failure (500).
    #[error("{0}")]
    Internal(String),
}

/// What is read of a datagram before the stack sees it: whether it is a check that names a session, whether it ends one, and how many of its
/// records are let through while a handshake is open and when it is done.
pub(in crate::serve) fn first_look(datagram: &[u8]) -> (bool, bool, [Option<usize>; 2]) {
    let records = |stage| dtls::admissible(datagram, stage, |_| true).map(|(_, count)| count);
    let stages = [dtls::Stage::Open { asked: false }, dtls::Stage::Done];
    (stun::request(datagram).is_some(), dtls::ends(datagram), stages.map(records))
}

/// Where the transport lives.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The address to bind; port 0 takes any free one.
    pub(crate) address: SocketAddr,
    /// The address that browsers reach this machine by, where it differs from all of its own (behind NAT).
    pub(crate) public_address: Option<IpAddr>,
    /// Simulated loss and delay.
    pub(crate) weather: Weather,
    /// How long a peer may be silent.
    pub(crate) patience: Duration,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            public_address: None,
            weather: Weather::default(),
            patience: PATIENCE,
        }
    }
}

/// The UDP port with all its peers. Dropping it closes the port; close the peers first.
pub(crate) struct Transport {
    mux: Arc<Mux>,
    /// Where browsers send to: what the answers say.
    candidates: Vec<SocketAddr>,
    patience: Duration,
    _running: Running,
}

impl Transport {
    /// Binds the port. Needs a tokio runtime, as everything here.
    pub(crate) async fn bind(options: Options) -> io::Result<Transport> {
        let (mux, running) = Mux::bind(options.address, options.weather).await?;
        let port = mux.local().port();
        let addresses = match options.public_address {
            Some(address) => vec![address],
            None if options.address.ip().is_unspecified() => interfaces(options.address.is_ipv6())?,
            None => vec![options.address.ip()],
        };
        let candidates = addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect();
        Ok(Transport { mux, candidates, patience: options.patience, _running: running })
    }

    /// Whether an offer fits the role: to be asked before anything is prepared for it.
    pub(crate) fn check(role: Role, offer: &str) -> Result<(), SignalError> {
        sdp::Offer::read(role, offer).map(drop)
    }

    /// Answers a complete offer (no trickle). The peer lives until it is closed, dropped, or gone.
    pub(crate) async fn accept(
        &self,
        role: Role,
        offer: &str,
        events: Arc<dyn PeerEvents>,
    ) -> Result<(Peer, String), SignalError> {
        let offer = sdp::Offer::read(role, offer)?;
        let (mux, candidates, patience) = (self.mux.clone(), self.candidates.clone(), self.patience);
        // In a task of its own, so that a caller who goes away half-way (an HTTP client that hangs up) leaves no half connection behind.
        let accepted = tokio::spawn(async move { peer::accept(&mux, &candidates, &offer, events, patience).await });
        accepted.await.map_err(|error| SignalError::Internal(format!("the connection could not be set up: {error}")))?
    }

    /// The UDP port, which a firewall must let through.
    pub(crate) fn port(&self) -> u16 {
        self.mux.local().port()
    }

    /// Peers and bound addresses known to the port: both are zero when every peer is gone.
    pub(crate) fn held(&self) -> (usize, usize) {
        self.mux.sizes()
    }
}

/// This machine's addresses, except those that only it can reach; loopback when there is nothing else.
fn interfaces(v6: bool) -> io::Result<Vec<IpAddr>> {
    let reachable = |address: &IpAddr| match address {
        IpAddr::V4(address) => !address.is_loopback() && !address.is_link_local(),
        IpAddr::V6(address) => v6 && !address.is_loopback() && !address.is_unicast_link_local(),
    };
    let mut found: Vec<IpAddr> = rtc::shared::ifaces::ifaces()?
        .into_iter()
        .filter_map(|interface| Some(interface.addr?.ip()))
        .filter(reachable)
        .collect();
    found.sort();
    found.dedup();
    if found.is_empty() {
        found.push(if v6 { std::net::Ipv6Addr::LOCALHOST.into() } else { Ipv4Addr::LOCALHOST.into() });
    }
    Ok(found)
}
