//! One UDP port for every peer: whose datagram is it?
//!
//! A peer is known by its ICE user name fragment. A datagram reaches a peer when it is a binding request signed with that peer's ICE
//! password, which also binds the address it came from to the peer, or when it comes from an address that was bound so before. Everything
//! else is dropped, so nobody can take over or disturb a session without its password, and strangers cost one look-up.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::dtls;
use super::stun::{self, Key};
use super::weather::Weather;

/// Datagrams waiting for one peer (about a second of a microphone with its feedback); what comes when it is full is dropped, as UDP may.
const INBOX: usize = 256;
/// Addresses one peer may hold; a browser has one at a time, a few while it moves between networks. The oldest gives way.
const ADDRESSES: usize = 8;
/// Datagrams on their way through a simulated delay; what comes when it is full is dropped.
const DELAYED: usize = 4096;
/// The largest datagram that is taken. Media packets keep below 1200 bytes, DTLS flights below 1500.
const DATAGRAM: usize = 2048;

pub(super) type Datagram = (SocketAddr, Box<[u8]>);

/// The port, and who is behind which name and address.
pub(super) struct Mux {
    /// Sending goes around tokio, whose socket keeps one waker for writing while every peer writes.
    out: std::net::UdpSocket,
    local: SocketAddr,
    weather: Weather,
    delayed: Option<mpsc::Sender<(Instant, Datagram)>>,
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
    inbox: mpsc::Sender<Datagram>,
    addresses: Vec<SocketAddr>,
}

impl Mux {
    /// Binds the port and starts the tasks that read it; they end when the handles are aborted.
    pub(super) async fn bind(address: SocketAddr, weather: Weather) -> io::Result<(Arc<Mux>, Vec<JoinHandle<()>>)> {
        let socket = std::net::UdpSocket::bind(address)?;
        socket.set_nonblocking(true)?;
        let (later, mut due) = mpsc::channel::<(Instant, Datagram)>(DELAYED);
        let mux = Arc::new(Mux {
            out: socket.try_clone()?,
            local: socket.local_addr()?,
            weather,
            delayed: (!weather.delay.is_zero()).then_some(later),
            tables: Mutex::default(),
            dropped: AtomicU64::new(0),
        });
        let socket = tokio::net::UdpSocket::from_std(socket)?;
        let reader = mux.clone();
        let mut tasks = vec![tokio::spawn(async move { reader.read(socket).await })];
        if !weather.delay.is_zero() {
            let sender = mux.clone();
            tasks.push(tokio::spawn(async move {
                while let Some((at, (to, datagram))) = due.recv().await {
                    tokio::time::sleep_until(at).await;
                    sender.send_now(&datagram, to);
                }
            }));
        }
        Ok((mux, tasks))
    }

    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Makes room for a peer. Its datagrams arrive at the receiver until [`Mux::remove`].
    pub(super) fn add(&self, ufrag: &str, key: Key) -> mpsc::Receiver<Datagram> {
        let (inbox, receiver) = mpsc::channel(INBOX);
        self.tables().peers.insert(ufrag.to_owned(), Entry { key, inbox, addresses: Vec::new() });
        receiver
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
            Some(later) => later.try_send((Instant::now() + self.weather.delay, (to, datagram.into()))).is_ok(),
            None => self.send_now(datagram, to),
        }
    }

    fn send_now(&self, datagram: &[u8], to: SocketAddr) -> bool {
        // An error here is a full buffer or an earlier datagram that nobody took; both pass, and media is not worth waiting for.
        let sent = self.out.send_to(datagram, to).is_ok();
        self.dropped.fetch_add(u64::from(!sent), Relaxed);
        sent
    }

    async fn read(&self, socket: tokio::net::UdpSocket) {
        let mut buffer = vec![0; DATAGRAM];
        loop {
            match socket.recv_from(&mut buffer).await {
                Ok((length, from)) if !self.weather.loses() => self.route(from, &buffer[..length]),
                Ok(_) => {}
                // The refusal of one peer's closed port is reported here too and concerns nobody else. Any other error may last, so it must not spin.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }

    fn route(&self, from: SocketAddr, datagram: &[u8]) {
        let tables = &mut *self.tables();
        let known = match stun::request(datagram) {
            Some(request) => {
                let signed = tables.peers.get_mut(request.ufrag).is_some_and(|entry| request.signed(&mut entry.key));
                (signed && tables.bind(from, request.ufrag)).then(|| request.ufrag.to_owned())
            }
            None => tables.addresses.get(&from).filter(|_| !dtls::unsigned(datagram)).cloned(),
        };
        let delivered = known
            .and_then(|ufrag| tables.peers.get(&ufrag))
            .is_some_and(|entry| entry.inbox.try_send((from, datagram.into())).is_ok());
        self.dropped.fetch_add(u64::from(!delivered), Relaxed);
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        // No call panics while it holds the lock half-way through a change.
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    /// Gives an address to a peer, who proved to know its password. False when another peer has it: source addresses can be forged, so
    /// knowing one session's password must not suffice to take a second session's address. It is free again when its holder ends.
    fn bind(&mut self, address: SocketAddr, ufrag: &str) -> bool {
        if let Some(holder) = self.addresses.get(&address) {
            return holder == ufrag;
        }
        let Some(entry) = self.peers.get_mut(ufrag) else { return false };
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
mod tests {
    use super::*;

    const PASSWORD: &str = "a password of twenty four";

    /// A binding request from `user`, signed with `password`.
    fn check(user: &str, password: &str) -> Vec<u8> {
        let mut message = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
        message.extend([0, 6, 0, user.len() as u8]);
        message.extend(user.as_bytes());
        message.resize(message.len().next_multiple_of(4), 0);
        let length = (message.len() - 20 + 24) as u16;
        message[2..4].copy_from_slice(&length.to_be_bytes());
        let tag = Key::new(password).unwrap().sign(&[&message]);
        message.extend([0, 8, 0, 20]);
        message.extend(tag);
        message
    }

    async fn mux() -> (Arc<Mux>, mpsc::Receiver<Datagram>) {
        let (mux, _) = Mux::bind("127.0.0.1:0".parse().unwrap(), Weather::default()).await.unwrap();
        let inbox = mux.add("ours", Key::new(PASSWORD).unwrap());
        (mux, inbox)
    }

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[tokio::test]
    async fn only_a_signed_request_binds_an_address() {
        let (mux, mut inbox) = mux().await;
        let (browser, stranger) = (address(1001), address(1002));
        mux.route(stranger, &check("ours:theirs", "another password of theirs"));
        mux.route(stranger, &check("nobody:theirs", PASSWORD));
        mux.route(stranger, b"\x80media of a stranger");
        let mut late_name = check("ours:theirs", PASSWORD);
        late_name[20..22].copy_from_slice(&[0x80, 0x22]);
        mux.route(stranger, &late_name);
        assert_eq!(mux.sizes(), (1, 0));
        assert!(inbox.try_recv().is_err());

        mux.route(browser, &check("ours:theirs", PASSWORD));
        mux.route(browser, b"\x80media");
        mux.route(stranger, b"\x80media of a stranger");
        assert_eq!(mux.sizes(), (1, 1));
        assert_eq!(inbox.try_recv().unwrap().0, browser);
        assert_eq!(&*inbox.try_recv().unwrap().1, b"\x80media");
        assert!(inbox.try_recv().is_err());
        assert_eq!(mux.dropped.load(Relaxed), 5);

        mux.remove("ours");
        assert_eq!(mux.sizes(), (0, 0));
        mux.route(browser, b"\x80media");
        assert!(inbox.try_recv().is_err());
    }

    #[tokio::test]
    async fn tables_and_queues_are_bounded() {
        let (mux, inbox) = mux().await;
        for port in 1..1000 {
            mux.route(address(port), &check("ours:theirs", PASSWORD));
        }
        assert_eq!(mux.sizes(), (1, ADDRESSES));
        assert_eq!(inbox.len(), INBOX);
    }

    #[tokio::test]
    async fn one_peer_cannot_take_the_address_of_another() {
        let (mux, mut inbox) = mux().await;
        let mut other = mux.add("other", Key::new("another password of theirs").unwrap());
        mux.route(address(1001), &check("ours:theirs", PASSWORD));
        mux.route(address(1001), &check("other:theirs", "another password of theirs"));
        mux.route(address(1001), b"\x80media");
        assert!(other.try_recv().is_err());
        assert_eq!(inbox.len(), 2);
        mux.remove("ours");
        mux.route(address(1001), &check("other:theirs", "another password of theirs"));
        assert_eq!(mux.sizes(), (1, 1));
        assert!(other.try_recv().is_ok() && inbox.try_recv().is_ok());
    }

    #[tokio::test]
    async fn noise_is_dropped() {
        let (mux, mut inbox) = mux().await;
        let whole = check("ours:theirs", PASSWORD);
        for length in 0..whole.len() {
            mux.route(address(1001), &whole[..length]);
        }
        for at in 0..whole.len() {
            let mut bent = whole.clone();
            bent[at] ^= 0x41;
            mux.route(address(1001), &bent);
        }
        assert!(inbox.try_recv().is_err());
        assert_eq!(mux.sizes(), (1, 0));
    }
}
