//! What strangers and hostile peers send, against calls that have to go on.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use rtc::rtcp::goodbye::Goodbye;
use rtc::rtcp::receiver_report::ReceiverReport;
use rtc::rtcp::reception_report::ReceptionReport;
use rtc::rtcp::transport_feedbacks::transport_layer_nack::{NackPair, TransportLayerNack};

use super::super::dtls::tests::{fragment, record};
use super::super::stun::Key;
use super::super::{Peer, Role, Transport, Weather};
use super::client::{Client, Log, eventually, picture, voice};
use super::{connect, transport};

/// A call that sends pictures and voice all the time, and counts what arrives.
struct Call {
    client: Client,
    peer: Peer,
    log: Arc<Log>,
    number: u64,
}

impl Call {
    async fn new(transport: &Transport) -> Call {
        let (client, peer, log) = connect(transport, Role::Watch).await;
        Call { client, peer, log, number: 0 }
    }

    /// One picture and one packet of voice.
    fn send(&mut self) {
        self.peer.video(picture(self.number, self.number.is_multiple_of(25)));
        self.peer.voice(voice(self.number));
        self.number += 1;
    }

    /// Fails unless it goes on: what is sent now arrives, and nobody was told of an end.
    async fn goes_on(&mut self, after: &str) {
        let first = self.number * 960;
        for _ in 0..3000 {
            assert_eq!(self.log.ends(), [""; 0], "{after}");
            self.send();
            tokio::time::sleep(Duration::from_millis(10)).await;
            let arrived = std::iter::from_fn(|| self.client.voice.try_recv().ok());
            if arrived.last().is_some_and(|packet| u64::from(packet.header.timestamp) >= first) {
                return;
            }
        }
        panic!("nothing arrives any more after {after}");
    }
}

/// A DTLS record with this sequence number, because the stack leaves out doubles.
fn numbered(number: usize, mut record: Vec<u8>) -> Vec<u8> {
    record[7..11].copy_from_slice(&(1000 + number as u32).to_be_bytes());
    record
}

/// A STUN message of a kind with attributes; nobody signs it.
fn stun(kind: u16, attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut message = [&kind.to_be_bytes()[..], &[0, 0, 0x21, 0x12, 0xa4, 0x42], &[3; 12]].concat();
    for (name, value) in attributes {
        message.extend(name.to_be_bytes());
        message.extend((value.len() as u16).to_be_bytes());
        message.extend(*value);
        message.resize(message.len().next_multiple_of(4), 0);
    }
    let length = (message.len() - 20) as u16;
    message[2..4].copy_from_slice(&length.to_be_bytes());
    message
}

/// A binding request that is signed with `password`.
fn signed(user: &str, password: &str) -> Vec<u8> {
    let mut message = stun(1, &[(6, user.as_bytes()), (0x802a, &[9; 8]), (0x24, &[0, 0, 0, 1])]);
    let length = (message.len() - 20 + 24) as u16;
    message[2..4].copy_from_slice(&length.to_be_bytes());
    let tag = Key::new(password).unwrap().sign(&[&message]);
    message.extend([0, 8, 0, 20]);
    message.extend(tag);
    message
}

fn value<'a>(sdp: &'a str, name: &str) -> &'a str {
    sdp.lines().find_map(|line| line.strip_prefix(name)).unwrap()
}

fn port(transport: &Transport) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], transport.port()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_is_forged_from_its_address_ends_a_call() {
    let transport = transport(Weather::default()).await;
    let to = port(&transport);
    let mut call = Call::new(&transport).await;
    call.goes_on("nothing").await;
    let mut attacks: Vec<(String, Vec<Vec<u8>>)> = Vec::new();
    for kind in 20..=26 {
        for epoch in 0..=2 {
            let bodies = [&[][..], &[1], &[2], &[0; 12], &[1, 0], &[2, 40], &[0x5a; 40], &[7; 300]];
            let records: Vec<_> = bodies.iter().map(|body| record(kind, epoch, body)).collect();
            attacks.push((
                format!("records of type {kind}, epoch {epoch}"),
                [records.clone(), vec![records.concat()]].concat(),
            ));
        }
    }
    let hello = record(22, 0, &fragment(1, 100, 0, 100, 100));
    attacks.push(("handshakes that begin anew".to_owned(), vec![hello.clone(); 50]));
    attacks.push(("lengths beyond the end".to_owned(), (1..hello.len()).map(|end| hello[..end].to_vec()).collect()));
    attacks.push(("a later DTLS".to_owned(), vec![[&[0x2f, 0, 1, 0, 40][..], &[9; 40]].concat(); 20]));
    let controlled: (u16, &[u8]) = (0x8029, &[0xff; 8]);
    let controlling: (u16, &[u8]) = (0x802a, &[0xff; 8]);
    for kind in [0x0001, 0x0011, 0x0101, 0x0111, 0x0003, 0x0103] {
        let messages = vec![
            stun(kind, &[]),
            stun(kind, &[controlled]),
            stun(kind, &[controlling, (0x25, &[])]),
            stun(kind, &[(9, &[0, 0, 4, 87]), (6, &[b'a'; 600]), (0x8022, &[b'b'; 700])]),
            stun(kind, &[(6, b"a:b"), (8, &[0; 20])]),
        ];
        attacks.push((format!("STUN {kind:#06x}"), messages));
    }
    let goodbye = |source: u32| [&[0x81, 203, 0, 1][..], &source.to_be_bytes(), &[0x80, 0, 0, 1], &[9; 10]].concat();
    attacks.push(("forged goodbyes".to_owned(), (0..200).map(goodbye).collect()));
    let media = |source: u32| [&[0x80, 102, 0, 1, 0, 0, 0, 1][..], &source.to_be_bytes(), &[5; 100]].concat();
    attacks.push(("forged media".to_owned(), (0..3000).map(|n| media(n * 7919)).collect()));
    attacks.push(("other protocols".to_owned(), (0..=255).map(|first| vec![first; 60]).collect()));
    for (name, datagrams) in attacks {
        for datagram in datagrams {
            call.client.wire.forge(&datagram, to);
        }
        call.goes_on(&name).await;
    }
    assert_eq!(transport.held(), (1, 1));
    // It is still the browser who says when it is over.
    call.client.close().await;
    eventually("hung up", || !call.log.ends().is_empty()).await;
    assert_eq!(call.log.ends(), ["the browser hung up"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handshakes_of_hostile_peers_harm_nobody() {
    let transport = transport(Weather::default()).await;
    let to = port(&transport);
    let mut call = Call::new(&transport).await;
    // Whoever may make an offer has a password of an address of their own.
    let hostile = Client::new(Role::Watch).await;
    let log = Arc::new(Log::default());
    let (peer, answer) = transport.accept(Role::Watch, &hostile.offer, log.clone()).await.unwrap();
    let user = format!("{}:{}", value(&answer, "a=ice-ufrag:"), value(&hostile.offer, "a=ice-ufrag:"));
    let bind = signed(&user, value(&answer, "a=ice-pwd:"));
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..3 {
        socket.send_to(&bind, to).unwrap();
    }
    eventually("bound", || transport.held() == (2, 2)).await;
    let sixteen_megabytes = (0..3000u32).map(|at| record(22, 0, &fragment(1, 0xff_ffff, at * 1000, 1000, 1000)));
    let unreadable = (0..20_000u32).map(|n| record(22, 1, &vec![n as u8; 1200]));
    for (number, datagram) in sixteen_megabytes.chain(unreadable).enumerate() {
        let _ = socket.send_to(&numbered(number, datagram), to);
        if number % 200 == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    call.goes_on("a hostile handshake").await;
    peer.close().await;
    hostile.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_of_empty_fragments_keeps_nobody_busy() {
    let transport = transport(Weather::default()).await;
    let (mut call, mut hostile) = (Call::new(&transport).await, Call::new(&transport).await);
    hostile.goes_on("nothing").await;
    // The numbers of messages that may come next, and for each a chain, from its end to its beginning: nothing of a message without length,
    // ever further on.
    for number in 3..9 {
        let parts: Vec<Vec<u8>> = (0..20_000).rev().map(|at| fragment(1, 0, at, 1, 0)).collect();
        for (count, parts) in parts.chunks(110).enumerate() {
            let mut content = parts.concat();
            content.chunks_mut(12).for_each(|part| part[5] = number);
            let sequence = usize::from(number) * 1000 + count;
            hostile.client.wire.forge(&numbered(sequence, record(22, 0, &content)), port(&transport));
            if count % 10 == 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
    hostile.goes_on("a chain").await;
    call.goes_on("another's chain").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asking_for_everything_again_and_again_brings_a_share_more() {
    let transport = transport(Weather::default()).await;
    let (mut client, peer, log) = connect(&transport, Role::Watch).await;
    let mut newest = 0;
    for number in 0..60 {
        peer.video(picture(number, number == 0));
        eventually("sent", || Log::count(&log.sent) == number as usize + 1).await;
    }
    let mut packets = 0;
    while let Ok(Some(packet)) = tokio::time::timeout(Duration::from_millis(500), client.video.recv()).await {
        newest = packet.header.sequence_number;
        packets += 1;
    }
    let (track, media_ssrc) = client.remote().unwrap();
    let everything: Vec<NackPair> = (0..250)
        .map(|back| NackPair { packet_id: newest.wrapping_sub(16 + back % 10 * 17), lost_packets: 0xffff })
        .collect();
    for _ in 0..50 {
        let nack = TransportLayerNack { sender_ssrc: 0, media_ssrc, nacks: everything.clone() };
        track.write_rtcp(vec![Box::new(nack)]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut again = 0;
    while let Ok(Some(_)) = tokio::time::timeout(Duration::from_millis(500), client.video.recv()).await {
        again += 1;
    }
    assert!(again > 0, "what is asked for once is sent again");
    assert!(again < 200, "{again} packets for fifty requests, after {packets}");
    assert_eq!(log.ends(), [""; 0]);
    peer.close().await;
    client.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_of_hostile_peers_harm_nobody() {
    let transport = transport(Weather::default()).await;
    let mut call = Call::new(&transport).await;
    let mut hostile = Call::new(&transport).await;
    hostile.goes_on("nothing").await;
    eventually("a picture", || hostile.client.remote().is_some()).await;
    let (track, media_ssrc) = hostile.client.remote().unwrap();
    let absurd = ReceptionReport {
        ssrc: media_ssrc,
        fraction_lost: 255,
        total_lost: 0xff_ffff,
        last_sequence_number: u32::MAX,
        jitter: u32::MAX,
        last_sender_report: u32::MAX,
        delay: u32::MAX,
    };
    for _ in 0..300 {
        let reports = vec![absurd.clone(); 31];
        let report = ReceiverReport { ssrc: 1, reports, ..ReceiverReport::default() };
        track.write_rtcp(vec![Box::new(report)]).await.unwrap();
        let goodbye = Goodbye { sources: vec![media_ssrc, 1, 2, 3], reason: vec![b'x'; 200].into() };
        track.write_rtcp(vec![Box::new(goodbye)]).await.unwrap();
        hostile.client.lose_picture().await;
    }
    hostile.goes_on("a flood of reports").await;
    call.goes_on("a flood of another's reports").await;
    assert!(Log::count(&hostile.log.key_frames) < 100, "key frames are given out at a measure");
}

/// Sends datagrams to the port, about 20,000 a second, from many addresses, until it is dropped.
struct Flood {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Flood {
    fn start(to: SocketAddr, make: impl Fn(u64) -> Vec<u8> + Send + 'static) -> Flood {
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, count) = (stop.clone(), sent.clone());
        let thread = thread::spawn(move || {
            let sockets: Vec<_> = (0..16).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
            let (start, mut number) = (Instant::now(), 0);
            while !stopped.load(Relaxed) {
                // A machine that cannot keep up sends what it can, and still looks whether to end.
                if number >= (start.elapsed().as_secs_f64() * 20_000.0) as u64 {
                    thread::sleep(Duration::from_millis(1));
                    continue;
                }
                let _ = sockets[number as usize % sockets.len()].send_to(&make(number), to);
                number += 1;
                count.store(number, Relaxed);
            }
        });
        Flood { stop, sent, thread: Some(thread) }
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_of_strangers_end_no_call_and_leave_nothing() {
    let transport = transport(Weather::default()).await;
    let to = port(&transport);
    let mut call = Call::new(&transport).await;
    let waiting = Client::new(Role::Watch).await;
    let (waiting_peer, answer) = transport.accept(Role::Watch, &waiting.offer, Arc::new(Log::default())).await.unwrap();
    let user = format!("{}:x", value(&answer, "a=ice-ufrag:"));
    let guess = signed(&user, "the wrong password of this one");
    let stranger = signed("somebody:x", "a password that nobody has");
    let hello = record(22, 0, &fragment(1, 200, 0, 200, 200));
    let media = [&[0x80, 111, 0, 1, 0, 0, 0, 1, 0, 0, 0, 9][..], &[5; 160]].concat();
    type Make = Box<dyn Fn(u64) -> Vec<u8> + Send>;
    let kinds: [(&str, Make); 5] = [
        // First, because the one whose password is guessed is not waited for for ever.
        ("guesses of a password", Box::new(move |_| guess.clone())),
        ("noise", Box::new(|n| (0..60).map(|at| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (at % 56)) as u8).collect())),
        ("handshakes of strangers", Box::new(move |_| hello.clone())),
        ("checks of nobody", Box::new(move |_| stranger.clone())),
        ("media of strangers", Box::new(move |_| media.clone())),
    ];
    for (name, make) in kinds {
        let flood = Flood::start(to, make);
        let first = call.number;
        while flood.sent.load(Relaxed) < 30_000 || call.number < first + 25 {
            call.send();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        call.goes_on(name).await;
        assert_eq!(transport.held().1, 1, "{name}");
    }
    waiting_peer.close().await;
    waiting.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_begins_in_a_flood() {
    let transport = transport(Weather::default()).await;
    let _flood = Flood::start(port(&transport), signed_by_nobody);
    let mut call = Call::new(&transport).await;
    call.goes_on("beginning in a flood").await;
}

fn signed_by_nobody(number: u64) -> Vec<u8> {
    stun(1, &[(6, format!("{number:016x}:x").as_bytes()), (8, &[7; 20])])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_behind_a_nat_that_forgets_goes_on_and_replays_do_nothing() {
    let transport = transport(Weather::default()).await;
    let (client, log) = (Client::new(Role::Watch).await, Arc::new(Log::default()));
    let (peer, answer) = transport.accept(Role::Watch, &client.offer, log.clone()).await.unwrap();
    let nat = Nat::start(client.wire.address(), port(&transport), false);
    let through = answer.replace(&format!(" {} typ host", transport.port()), &format!(" {} typ host", nat.port()));
    assert_ne!(through, answer);
    client.take(&through).await;
    eventually("connected", || Log::count(&log.connected) == 1).await;
    client.ready().await;
    let mut call = Call { client, peer, log, number: 0 };
    call.goes_on("nothing").await;
    nat.rebind();
    // The client's next check tells the new address.
    call.goes_on("a new address").await;
    eventually("both addresses are known", || transport.held() == (1, 2)).await;
    call.goes_on("a new address").await;
    for datagram in nat.heard() {
        nat.send(&datagram);
    }
    call.goes_on("everything once more").await;
    call.client.close().await;
    eventually("hung up", || !call.log.ends().is_empty()).await;
    assert_eq!(call.log.ends(), ["the browser hung up"], "its goodbye came from the new address");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_lost_is_sent_again_to_a_browser_that_asks_soon() {
    let transport = transport(Weather::default()).await;
    let (client, log) = (Client::new(Role::Watch).await, Arc::new(Log::default()));
    let (peer, answer) = transport.accept(Role::Watch, &client.offer, log.clone()).await.unwrap();
    let nat = Nat::start(client.wire.address(), port(&transport), true);
    let through = answer.replace(&format!(" {} typ host", transport.port()), &format!(" {} typ host", nat.port()));
    client.take(&through).await;
    eventually("connected", || Log::count(&log.connected) == 1).await;
    assert!(!nat.loses.load(Relaxed), "the answer was lost");
    client.ready().await;
    let mut call = Call { client, peer, log, number: 0 };
    call.goes_on("a lost answer").await;
    call.peer.close().await;
    call.client.close().await;
}

/// A NAT between a client and the port; it gives the client another address when it is told to.
struct Nat {
    inside: Arc<UdpSocket>,
    outside: Arc<std::sync::Mutex<Arc<UdpSocket>>>,
    heard: Arc<std::sync::Mutex<Vec<Vec<u8>>>>,
    stop: Arc<AtomicBool>,
    client: SocketAddr,
    server: SocketAddr,
    /// Loses the first datagram with a ServerHello.
    loses: Arc<AtomicBool>,
}

impl Nat {
    fn start(client: SocketAddr, server: SocketAddr, loses: bool) -> Nat {
        let inside = Arc::new(socket());
        let nat = Nat {
            inside: inside.clone(),
            outside: Arc::new(std::sync::Mutex::new(Arc::new(socket()))),
            heard: Arc::default(),
            stop: Arc::default(),
            client,
            server,
            loses: Arc::new(AtomicBool::new(loses)),
        };
        let (outside, heard, stop) = (nat.outside.clone(), nat.heard.clone(), nat.stop.clone());
        thread::spawn(move || {
            let mut buffer = [0; 2048];
            while !stop.load(Relaxed) {
                if let Ok((length, _)) = inside.recv_from(&mut buffer) {
                    heard.lock().unwrap().push(buffer[..length].to_vec());
                    let outside = outside.lock().unwrap();
                    let _ = outside.send_to(&buffer[..length], server);
                    // A browser that waits for an answer repeats its second hello long before the stack would repeat the answer. The record's
                    // number is a new one, within the window of those that may still come.
                    if loses && buffer[0] == 22 && buffer[13] == 1 && buffer[18] == 1 {
                        thread::sleep(Duration::from_millis(50));
                        buffer[10] = 50;
                        let _ = outside.send_to(&buffer[..length], server);
                    }
                }
            }
        });
        nat.answer();
        nat
    }

    /// Carries answers from the present outer address.
    fn answer(&self) {
        let (inside, stop, client, loses) = (self.inside.clone(), self.stop.clone(), self.client, self.loses.clone());
        let outside = self.outside.lock().unwrap().clone();
        thread::spawn(move || {
            let mut buffer = [0; 2048];
            while !stop.load(Relaxed) {
                if let Ok((length, _)) = outside.recv_from(&mut buffer) {
                    if buffer[0] == 22 && buffer[13] == 2 && loses.swap(false, Relaxed) {
                        continue;
                    }
                    let _ = inside.send_to(&buffer[..length], client);
                }
            }
        });
    }

    fn rebind(&self) {
        *self.outside.lock().unwrap() = Arc::new(socket());
        self.answer();
    }

    fn port(&self) -> u16 {
        self.inside.local_addr().unwrap().port()
    }

    fn heard(&self) -> Vec<Vec<u8>> {
        self.heard.lock().unwrap().clone()
    }

    fn send(&self, datagram: &[u8]) {
        let _ = self.outside.lock().unwrap().send_to(datagram, self.server);
    }
}

impl Drop for Nat {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
    }
}

/// Whose reader looks up now and then whether to end.
fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    socket
}
