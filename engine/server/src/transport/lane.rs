//! What one peer's stack sees of the shared port: a socket of its own, and a runtime that hands it out.
//!
//! `webrtc` 0.21 binds its sockets itself and has no demultiplexer, but it asks its runtime to wrap them. Ours takes the socket, keeps only its
//! address, by which the stack calls this path, and answers with a lane of the [`Mux`].

use std::fmt;
use std::future::Future;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use webrtc::runtime::{
    AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, RecvMeta, Runtime, TokioRuntime,
    Transmit,
};

use super::arrivals::Life;
use super::mux::{Inbox, Mux};
use super::stun::{self, Key};

/// Sees every datagram that leaves for a peer.
pub(super) type Departures = Arc<dyn Fn(&[u8]) + Send + Sync>;

/// A socket that is one peer's share of the port.
struct Lane {
    mux: Arc<Mux>,
    ufrag: String,
    address: SocketAddr,
    inbox: Mutex<Inbox>,
    /// The handshake is done.
    connected: AtomicBool,
    departures: Departures,
    life: Arc<Life>,
    gone: Arc<Notify>,
}

impl AsyncUdpSocket for Lane {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }

    fn poll_send(&self, _: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        // Before it leaves, because the answer may come at once.
        if !self.connected.load(Relaxed) && self.mux.depart(&self.ufrag, transmit.destination, transmit.contents) {
            self.connected.store(true, Relaxed);
        }
        if self.mux.send(transmit.contents, transmit.destination) {
            (self.departures)(transmit.contents);
        }
        Poll::Ready(Ok(transmit.contents.len()))
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let received = self.inbox.lock().unwrap_or_else(PoisonError::into_inner).poll(cx);
        // A lane that was taken out of the mux stays silent: the stack learns of its end when it is closed.
        let Poll::Ready(Some((from, datagram))) = received else { return Poll::Pending };
        // Checks that nobody signed do not get here.
        if stun::request(&datagram).is_some() {
            self.life.sign(Instant::now());
        }
        let length = datagram.len().min(buffers[0].len());
        buffers[0][..length].copy_from_slice(&datagram[..length]);
        meta[0] = RecvMeta::default();
        meta[0].addr = from;
        meta[0].len = length;
        meta[0].stride = length.max(1);
        Poll::Ready(Ok(1))
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.mux.remove(&self.ufrag);
        // The stack lets go of its socket when its task ends, even by a panic, of which nobody else would hear.
        self.gone.notify_one();
    }
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lane({})", self.ufrag)
    }
}

/// Tokio's runtime, except that the UDP socket is a lane of the mux.
pub(super) struct LaneRuntime {
    pub(super) mux: Arc<Mux>,
    pub(super) ufrag: String,
    pub(super) password: String,
    pub(super) departures: Departures,
    pub(super) life: Arc<Life>,
    /// Told when the stack has let go of the socket.
    pub(super) gone: Arc<Notify>,
}

impl fmt::Debug for LaneRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LaneRuntime({})", self.ufrag)
    }
}

impl Runtime for LaneRuntime {
    fn wrap_udp_socket(&self, socket: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        let address = socket.local_addr()?;
        let inbox = Mutex::new(self.mux.add(&self.ufrag, Key::new(&self.password)?));
        Ok(Arc::new(Lane {
            mux: self.mux.clone(),
            ufrag: self.ufrag.clone(),
            address,
            inbox,
            connected: AtomicBool::new(false),
            departures: self.departures.clone(),
            life: self.life.clone(),
            gone: self.gone.clone(),
        }))
    }

    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) -> Box<dyn JoinHandle> {
        TokioRuntime.spawn(future)
    }

    fn wrap_tcp_listener(&self, listener: std::net::TcpListener) -> io::Result<Arc<dyn AsyncTcpListener>> {
        TokioRuntime.wrap_tcp_listener(listener)
    }

    fn connect_tcp<'a>(
        &'a self,
        address: SocketAddr,
    ) -> Pin<Box<dyn Future<Output = io::Result<Arc<dyn AsyncTcpStream>>> + Send + 'a>> {
        TokioRuntime.connect_tcp(address)
    }

    fn resolve_host<'a>(
        &'a self,
        _: &'a str,
    ) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>> {
        // No name that a peer writes into an offer is ever looked up.
        Box::pin(async { Err(io::Error::from(io::ErrorKind::Unsupported)) })
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        TokioRuntime.sleep(duration)
    }

    fn interval(&self, period: Duration) -> Box<dyn AsyncInterval> {
        TokioRuntime.interval(period)
    }

    fn block_on(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>) {
        TokioRuntime.block_on(future);
    }
}
