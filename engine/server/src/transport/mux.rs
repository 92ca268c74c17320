//! One UDP port for every peer: whose datagram is it?
//!
//! A peer is known by its ICE user name fragment. A datagram reaches a peer when it is a binding request signed with that peer's ICE
//! password, which also binds the address it came from to the peer, or when it comes from an address that was bound so before and passes the
//! peer's [`Gate`]. Everything else is dropped, so nobody can take over or disturb a session without its password, and strangers cost one
//! look-up.
//!
//! A thread of its own reads the port, so that datagrams of a flood are thrown away as they come, whatever the machine is busy with.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use socket2::SockRef;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::gate::Gate;
use super::stun::{self, Key};
use super::weather::Weather;

/// Media packets waiting for one peer (seconds of a microphone with its feedback); what comes when it is full is dropped, as UDP may.
const MEDIA: usize = 512;
/// Binding requests and handshake records waiting for one peer: more than its gate lets through at once. Media cannot hold them up.
const URGENT: usize = 192;
/// Addresses one peer may hold; a browser has one at a time, a few while it moves between networks. The oldest gives way.
const ADDRESSES: usize = 8;
/// Datagrams on their way through a simulated delay; what comes when it is full is dropped.
const DELAYED: usize = 4096;
/// The largest datagram that is taken. Media packets keep below 1200 bytes, DTLS flights below 1500.
const DATAGRAM: usize = 2048;
/// What the system is asked to keep while the reader is not running, bytes. Small datagrams take three quarters of a KiB each: the usual default of
/// 208 KiB is full after 14 ms of a flood.
const KEPT_BY_THE_SYSTEM: usize = 4 << 20;
/// Datagrams that are read between two looks at whether to end.
const ROUND: usize = 256;

pub(super) type Datagram = (SocketAddr, Box<[u8]>);

/// The port, and who is behind which name and address.
pub(super) struct Mux {
    /// Sending goes around tokio, whose socket keeps one waker for writing while every peer writes.
    out: std::net::UdpSocket,
    local: SocketAddr,
    weather: Weather,
    delayed: Option<mpsc::Sender<(tokio::time::Instant, Datagram)>>,
    tables: Mutex<Tables>,
    pub(super) dropped: AtomicU64,
}

#[derive(Default)]
struct Tables {
    peers: HashMap<String, Entry>,
    addresses: HashMap<SocketAddr, String>,
}

struct Entry {
    key: Key,
    gate: Gate,
    urgent: mpsc::Sender<Datagram>,
    media: mpsc::Sender<Datagram>,
    addresses: Vec<SocketAddr>,
}

/// What arrives for one peer.
pub(super) struct Inbox {
    urgent: mpsc::Receiver<Datagram>,
    media: mpsc::Receiver<Datagram>,
}

impl Inbox {
    /// The next datagram; media after everything else. `None` when the peer was removed.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Datagram>> {
        match self.urgent.poll_recv(cx) {
            Poll::Ready(Some(datagram)) => Poll::Ready(Some(datagram)),
            Poll::Ready(None) | Poll::Pending => self.media.poll_recv(cx),
        }
    }
}

/// What reads the port, and what delays it; both end when this is dropped.
pub(super) struct Running {
    _reader: oneshot::Sender<()>,
    sender: Option<JoinHandle<()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.sender.iter().for_each(JoinHandle::abort);
    }
}

impl Mux {
    /// Binds the port and starts what reads it.
    pub(super) async fn bind(address: SocketAddr, weather: Weather) -> io::Result<(Arc<Mux>, Running)> {
        let socket = std::net::UdpSocket::bind(address)?;
        socket.set_nonblocking(true)?;
        // The system gives what its limit allows (net.core.rmem_max); less is no reason not to run.
        let _ = SockRef::from(&socket).set_recv_buffer_size(KEPT_BY_THE_SYSTEM);
        let (later, mut due) = mpsc::channel::<(tokio::time::Instant, Datagram)>(DELAYED);
        let mux = Arc::new(Mux {
            out: socket.try_clone()?,
            local: socket.local_addr()?,
            weather,
            delayed: (!weather.delay.is_zero()).then_some(later),
            tables: Mutex::default(),
            dropped: AtomicU64::new(0),
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (reader, ended) = oneshot::channel();
        let reading = mux.clone();
        thread::Builder::new().name("vultus-network".to_owned()).spawn(move || {
            runtime.block_on(async {
                // Only a port that cannot be watched at all ends this early.
                let Ok(socket) = tokio::net::UdpSocket::from_std(socket) else { return };
                tokio::select! {
                    biased;
                    _ = ended => {}
                    () = reading.read(&socket) => {}
                }
            });
        })?;
        let sender = (!weather.delay.is_zero()).then(|| {
            let sender = mux.clone();
            tokio::spawn(async move {
                while let Some((at, (to, datagram))) = due.recv().await {
                    tokio::time::sleep_until(at).await;
                    sender.send_now(&datagram, to);
                }
            })
        });
        Ok((mux, Running { _reader: reader, sender }))
    }

    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Makes room for a peer. Its datagrams arrive in the inbox until [`Mux::remove`].
    pub(super) fn add(&self, ufrag: &str, key: Key) -> Inbox {
        let ((urgent, urgent_inbox), (media, media_inbox)) = (mpsc::channel(URGENT), mpsc::channel(MEDIA));
        let entry = Entry { key, gate: Gate::new(), urgent, media, addresses: Vec::new() };
        self.tables().peers.insert(ufrag.to_owned(), entry);
        Inbox { urgent: urgent_inbox, media: media_inbox }
    }

    /// Sees a datagram that leaves for a peer, until the answer is true: then its handshake is done, and it is believed only what it signs.
    pub(super) fn depart(&self, ufrag: &str, to: SocketAddr, datagram: &[u8]) -> bool {
        self.tables().peers.get_mut(ufrag).is_none_or(|entry| entry.gate.depart(to, datagram))
    }

    /// Forgets a peer and its addresses.
    pub(super) fn remove(&self, ufrag: &str) {
        let tables = &mut *self.tables();
        for address in tables.peers.remove(ufrag).map(|entry| entry.addresses).unwrap_or_default() {
            tables.addresses.remove(&address);
        }
    }

    /// How many peers and how many addresses are known.
    pub(super) fn sizes(&self) -> (usize, usize) {
        let tables = self.tables();
        (tables.peers.len(), tables.addresses.len())
    }

    /// Sends a datagram, or drops it when the socket's buffer is full. True when it went on its way.
    pub(super) fn send(&self, datagram: &[u8], to: SocketAddr) -> bool {
        if self.weather.loses() {
            return true;
        }
        match &self.delayed {
            Some(later) => {
                later.try_send((tokio::time::Instant::now() + self.weather.delay, (to, datagram.into()))).is_ok()
            }
            None => self.send_now(datagram, to),
        }
    }

    fn send_now(&self, datagram: &[u8], to: SocketAddr) -> bool {
        // An error here is a full buffer or an earlier datagram that nobody took; both pass, and media is not worth waiting for.
        let sent = self.out.send_to(datagram, to).is_ok();
        self.dropped.fetch_add(u64::from(!sent), Relaxed);
        sent
    }

    async fn read(&self, socket: &tokio::net::UdpSocket) {
        let mut buffer = vec![0; DATAGRAM];
        loop {
            let mut failed = socket.readable().await.is_err();
            for _ in 0..ROUND {
                match socket.try_recv_from(&mut buffer) {
                    Ok((length, from)) if !self.weather.loses() => self.route(Instant::now(), from, &buffer[..length]),
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    // The refusal of one peer's closed port is reported here too and concerns nobody else.
                    Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                    Err(_) => {
                        failed = true;
                        break;
                    }
                }
            }
            match failed {
                // Such an error may last, so it must not spin.
                true => tokio::time::sleep(Duration::from_millis(10)).await,
                // Under a flood there is always more to read; whoever wants this to end has to be heard.
                false => tokio::task::yield_now().await,
            }
        }
    }

    fn route(&self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        let delivered = self.tables().route(now, from, datagram);
        self.dropped.fetch_add(u64::from(!delivered), Relaxed);
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        // No call panics while it holds the lock half-way through a change.
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    /// Gives a datagram to its peer, if it has one that may have it.
    fn route(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) -> bool {
        if let Some(request) = stun::request(datagram) {
            let Some(entry) = self.peers.get_mut(request.ufrag) else { return false };
            let taken = request.signed(&mut entry.key) && entry.gate.check(now);
            if !taken || !self.bind(now, from, request.ufrag) {
                return false;
            }
            return self.peers.get(request.ufrag).is_some_and(|e| e.urgent.try_send((from, datagram.into())).is_ok());
        }
        let Some(entry) = self.addresses.get(&from).and_then(|ufrag| self.peers.get_mut(ufrag)) else { return false };
        let Some((from, admitted)) = entry.gate.admit(now, from, datagram) else { return false };
        let queue = if datagram[0] < 128 { &entry.urgent } else { &entry.media };
        queue.try_send((from, admitted.into())).is_ok()
    }

    /// Gives an address to a peer, who proved to know its password. False when another peer has it: source addresses can be forged, so
    /// knowing one session's password must not suffice to take a second session's address. It is free again when its holder ends.
    fn bind(&mut self, now: Instant, address: SocketAddr, ufrag: &str) -> bool {
        if let Some(holder) = self.addresses.get(&address) {
            return holder == ufrag;
        }
        let Some(entry) = self.peers.get_mut(ufrag) else { return false };
        if !entry.gate.bind(now) {
            return false;
        }
        entry.addresses.push(address);
        if entry.addresses.len() > ADDRESSES {
            let oldest = entry.addresses.remove(0);
            self.addresses.remove(&oldest);
        }
        self.addresses.insert(address, ufrag.to_owned());
        true
    }
}

#[cfg(test)]
mod tests;
