use super::super::dtls::tests::{fragment, record};
use super::*;

const PASSWORD: &str = "a password of twenty four";
const MEDIA_PACKET: &[u8] = b"\x80\x6f a packet of media";

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

struct Port {
    mux: Arc<Mux>,
    now: Instant,
    _running: Running,
}

impl Port {
    /// Outside of a runtime, whose tasks may take only so much from a queue at a time.
    fn open() -> (Port, Inbox) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let bound = runtime.block_on(Mux::bind("127.0.0.1:0".parse().unwrap(), Weather::default()));
        let (mux, running) = bound.unwrap();
        let inbox = mux.add("ours", Key::new(PASSWORD).unwrap());
        (Port { mux, now: Instant::now(), _running: running }, inbox)
    }

    fn route(&self, from: SocketAddr, datagram: &[u8]) {
        self.mux.route(self.now, from, datagram);
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }
}

/// What has arrived.
fn next(inbox: &mut Inbox) -> Option<Datagram> {
    match inbox.poll(&mut Context::from_waker(std::task::Waker::noop())) {
        Poll::Ready(datagram) => datagram,
        Poll::Pending => None,
    }
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

#[test]
fn only_a_signed_request_binds_an_address() {
    let (port, mut inbox) = Port::open();
    let (browser, stranger) = (address(1001), address(1002));
    assert!(port.mux.depart("ours", browser, &record(22, 1, &[7; 40])));
    port.route(stranger, &check("ours:theirs", "another password of theirs"));
    port.route(stranger, &check("nobody:theirs", PASSWORD));
    port.route(stranger, MEDIA_PACKET);
    let mut late_name = check("ours:theirs", PASSWORD);
    late_name[20..22].copy_from_slice(&[0x80, 0x22]);
    port.route(stranger, &late_name);
    assert_eq!(port.mux.sizes(), (1, 0));
    assert!(next(&mut inbox).is_none());

    port.route(browser, &check("ours:theirs", PASSWORD));
    port.route(browser, MEDIA_PACKET);
    port.route(stranger, MEDIA_PACKET);
    assert_eq!(port.mux.sizes(), (1, 1));
    assert_eq!(next(&mut inbox).unwrap().0, browser);
    assert_eq!(&*next(&mut inbox).unwrap().1, MEDIA_PACKET);
    assert!(next(&mut inbox).is_none());
    assert_eq!(port.mux.dropped.load(Relaxed), 5);

    port.mux.remove("ours");
    assert_eq!(port.mux.sizes(), (0, 0));
    port.route(browser, MEDIA_PACKET);
    assert!(next(&mut inbox).is_none());
}

#[test]
fn from_a_bound_address_nothing_unsigned_goes_on() {
    let (port, mut inbox) = Port::open();
    let browser = address(1001);
    port.route(browser, &check("ours:theirs", PASSWORD));
    next(&mut inbox).unwrap();
    let hello = record(22, 0, &fragment(1, 100, 0, 100, 100));
    port.route(browser, &hello);
    assert_eq!(&*next(&mut inbox).unwrap().1, &hello);
    assert!(port.mux.depart("ours", browser, &record(22, 1, &[7; 40])));
    // An error response, an indication, another method, and requests with a wrong password and without any.
    let whole = check("ours:theirs", PASSWORD);
    for kind in [[1, 0x11], [0, 0x11], [0, 3]] {
        port.route(browser, &[&kind[..], &whole[2..]].concat());
    }
    port.route(browser, &check("ours:theirs", "another password of theirs"));
    port.route(browser, &[&[0, 1, 0, 12], &whole[4..20], &[0x80, 0x29, 0, 8], &[9; 8]].concat());
    for unsigned in [hello, record(20, 0, &[1]), record(21, 0, &[2, 0]), record(20, 0, &[]), record(23, 0, &[1; 40])] {
        port.route(browser, &unsigned);
    }
    assert!(next(&mut inbox).is_none());
    let goodbye = record(21, 1, &[7; 26]);
    port.route(browser, &goodbye);
    assert_eq!(&*next(&mut inbox).unwrap().1, &goodbye);
}

#[test]
fn tables_and_queues_are_bounded() {
    let (mut port, mut inbox) = Port::open();
    assert!(port.mux.depart("ours", address(1), &record(22, 1, &[7; 40])));
    for port_number in 1..1000 {
        port.route(address(port_number), &check("ours:theirs", PASSWORD));
        port.pass(Duration::from_secs(10));
    }
    assert_eq!(port.mux.sizes(), (1, ADDRESSES));
    for _ in 0..1000 {
        port.route(address(999), &check("ours:theirs", PASSWORD));
        port.route(address(999), MEDIA_PACKET);
        port.pass(Duration::from_millis(20));
    }
    let arrived: Vec<Datagram> = std::iter::from_fn(|| next(&mut inbox)).collect();
    assert_eq!(arrived.len(), URGENT + MEDIA);
    assert!(arrived[..URGENT].iter().all(|(_, datagram)| datagram[0] == 0), "media holds up no check");
}

#[test]
fn a_peer_that_floods_is_heard_at_a_measure() {
    let (mut port, mut inbox) = Port::open();
    let (mut checks, mut addresses) = (0, std::collections::BTreeSet::new());
    for n in 0..40_000u16 {
        port.route(address(n), &check("ours:theirs", PASSWORD));
        if let Some((from, _)) = next(&mut inbox) {
            checks += 1;
            addresses.insert(from);
        }
        port.pass(Duration::from_micros(50));
    }
    assert!(checks > 10 && checks < 250, "{checks} in two seconds");
    assert!(addresses.len() < 20, "{addresses:?}");
}

#[test]
fn one_peer_cannot_take_the_address_of_another() {
    let (port, mut inbox) = Port::open();
    let mut other = port.mux.add("other", Key::new("another password of theirs").unwrap());
    assert!(port.mux.depart("ours", address(1001), &record(22, 1, &[7; 40])));
    port.route(address(1001), &check("ours:theirs", PASSWORD));
    port.route(address(1001), &check("other:theirs", "another password of theirs"));
    port.route(address(1001), MEDIA_PACKET);
    assert!(next(&mut other).is_none());
    assert!(next(&mut inbox).is_some() && next(&mut inbox).is_some() && next(&mut inbox).is_none());
    port.mux.remove("ours");
    port.route(address(1001), &check("other:theirs", "another password of theirs"));
    assert_eq!(port.mux.sizes(), (1, 1));
    assert!(next(&mut other).is_some() && next(&mut inbox).is_none());
}

#[test]
fn noise_is_dropped() {
    let (port, mut inbox) = Port::open();
    let whole = check("ours:theirs", PASSWORD);
    for length in 0..whole.len() {
        port.route(address(1001), &whole[..length]);
    }
    for at in 0..whole.len() {
        let mut bent = whole.clone();
        bent[at] ^= 0x41;
        port.route(address(1001), &bent);
    }
    assert!(next(&mut inbox).is_none());
    assert_eq!(port.mux.sizes(), (1, 0));
}

#[test]
fn the_port_is_free_when_it_is_dropped() {
    let (port, _inbox) = Port::open();
    let address = port.mux.local();
    drop(port);
    for _ in 0..2000 {
        match std::net::UdpSocket::bind(address) {
            Ok(_) => return,
            Err(_) => thread::sleep(Duration::from_millis(5)),
        }
    }
    panic!("its thread still reads");
}

proptest::proptest! {
    #[test]
    fn whatever_a_stranger_sends_the_parser_holds(datagram in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..120), at in 0..60usize, byte: u8) {
        let _ = stun::request(&datagram);
        let mut bent = check("ours:theirs", PASSWORD);
        if let Some(old) = bent.get_mut(at) {
            *old = byte;
        }
        if let Some(request) = stun::request(&bent) {
            let whole = bent == check("ours:theirs", PASSWORD);
            proptest::prop_assert!(whole || !request.signed(&mut Key::new(PASSWORD).unwrap()) || request.ufrag == "ours");
        }
    }
}
