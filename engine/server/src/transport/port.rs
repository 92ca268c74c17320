//! The UDP port with all its peers.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::events::PeerEvents;
use super::mux::{Mux, Running};
use super::peer::{self, Peer};
use super::role::{Brings, Role, SignalError};
use super::sdp;
use super::weather::Weather;

/// A peer that nothing authentic comes from for so long is gone. It is the time after which a client would stop sending as well (RFC 7675
/// section 5.1): it checks every four to six seconds, and five checks may get lost.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Where the transport lives.
#[derive(Clone, Debug)]
pub struct Options {
    /// The address to bind; port 0 takes any free one.
    pub address: SocketAddr,
    /// The address that browsers reach this machine by, where it differs from all of its own (behind NAT).
    pub public_address: Option<IpAddr>,
    /// Simulated loss and delay.
    pub weather: Weather,
    /// How long a peer may be silent.
    pub patience: Duration,
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
pub struct Transport {
    mux: Arc<Mux>,
    /// Where browsers send to: what the answers say.
    candidates: Vec<SocketAddr>,
    patience: Duration,
    _running: Running,
}

impl Transport {
    /// Binds the port. Needs a tokio runtime, as everything here.
    ///
    /// # Errors
    /// What the system says: the port is taken, as a rule.
    pub async fn bind(options: Options) -> io::Result<Transport> {
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

    /// Whether an offer fits the role, and what it brings: to be asked before anything is prepared for it.
    ///
    /// # Errors
    /// Why it does not fit.
    pub fn check(role: Role, offer: &str) -> Result<Brings, SignalError> {
        let offer = sdp::Offer::read(role, offer)?;
        Ok(Brings { microphone: offer.microphone, camera: offer.camera.is_some() })
    }

    /// Answers a complete offer (no trickle): the peer, and the answer's text. The peer lives until it is closed, dropped, or gone.
    ///
    /// # Errors
    /// The offer is no good, or the stack failed.
    pub async fn accept(
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
    pub fn port(&self) -> u16 {
        self.mux.local().port()
    }

    /// Peers and bound addresses known to the port: both are zero when every peer is gone.
    pub fn held(&self) -> (usize, usize) {
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
