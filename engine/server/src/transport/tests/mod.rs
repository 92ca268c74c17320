//! The transport against a client of the same crate, over loopback.

mod attacks;
mod client;
mod life;
mod offers;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use rtc::rtp::codec::h264::H264Packet;
use rtc::rtp::packetizer::Depacketizer;

use self::client::{Client, Log, eventually, picture, voice};
use super::{Options, Peer, Role, SignalError, Transport, Weather};

async fn connect(transport: &Transport, role: Role) -> (Client, Peer, Arc<Log>) {
    let (client, log) = (Client::new(role).await, Arc::new(Log::default()));
    let (peer, answer) = transport.accept(role, &client.offer, log.clone()).await.unwrap();
    client.take(&answer).await;
    eventually("connected", || Log::count(&log.connected) == 1).await;
    client.ready().await;
    (client, peer, log)
}

/// Connects on a path that loses packets. Where its part of the handshake is lost, this client's stack may wait for ever: our answer that comes
/// again stops the timer by which it would repeat its own. A browser's does not, so this one may try again.
async fn connect_at_last(transport: &Transport, role: Role) -> (Client, Peer, Arc<Log>) {
    for _ in 0..10 {
        let (client, log) = (Client::new(role).await, Arc::new(Log::default()));
        let (peer, answer) = transport.accept(role, &client.offer, log.clone()).await.unwrap();
        client.take(&answer).await;
        let connected = async {
            while Log::count(&log.connected) == 0 && log.ends().is_empty() {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            client.ready().await;
        };
        let connected = tokio::time::timeout(std::time::Duration::from_secs(15), connected).await;
        if connected.is_ok() && log.ends().is_empty() {
            return (client, peer, log);
        }
        peer.close().await;
        client.close().await;
    }
    panic!("ten clients in a row lost their handshake");
}

async fn transport(weather: Weather) -> Transport {
    Transport::bind(Options { weather, ..Options::default() }).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures_and_voice_arrive_with_the_media_clock() {
    let transport = transport(Weather::default()).await;
    let (mut client, peer, log) = connect(&transport, Role::Watch).await;
    assert_eq!(Log::count(&log.key_frames), 1, "joining asks for a key frame");
    for number in 0..20 {
        peer.video(picture(number, number == 0));
        peer.voice(voice(number));
        tokio::task::yield_now().await;
        eventually("sent", || Log::count(&log.sent) == number as usize + 1).await;
    }
    let mut depacketizer = H264Packet::default();
    for number in 0..20 {
        let expected = picture(number, number == 0);
        let mut got = Vec::new();
        loop {
            let packet = client.video.recv().await.unwrap();
            assert_eq!(packet.header.timestamp, (expected.clock * 15 / 8) as u32);
            assert!(packet.payload.len() <= 1150);
            got.extend(depacketizer.depacketize(&packet.payload).unwrap());
            if packet.header.marker {
                break;
            }
        }
        assert!(got == expected.data, "picture {number} arrives as it was sent");
        let expected = voice(number);
        let packet = client.voice.recv().await.unwrap();
        assert_eq!((packet.header.timestamp, packet.payload), (expected.clock as u32, expected.data));
    }
    client.lose_picture().await;
    eventually("PLI", || Log::count(&log.key_frames) == 2).await;
    peer.close().await;
    assert_eq!(log.ends(), ["it was closed here"]);
    assert_eq!(transport.held(), (0, 0));
    peer.close().await;
    assert_eq!(log.ends().len(), 1, "closed once");
    client.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_works_over_ipv6() {
    let address = std::net::SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, 0));
    let transport = Transport::bind(Options { address, ..Options::default() }).await.unwrap();
    let (mut client, log) = (Client::at("[::1]:0", Role::Watch).await, Arc::new(Log::default()));
    let (peer, answer) = transport.accept(Role::Watch, &client.offer, log.clone()).await.unwrap();
    client.take(&answer).await;
    eventually("connected", || Log::count(&log.connected) == 1).await;
    client.ready().await;
    peer.video(picture(0, true));
    assert!(client.video.recv().await.is_some());
    peer.close().await;
    client.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_camera_arrives_beside_the_microphone() {
    let transport = transport(Weather::default()).await;
    let (client, log) = (Client::new(Role::Publish).await, Arc::new(Log::default()));
    let brings = Transport::check(Role::Publish, &client.offer).unwrap();
    assert!(brings.camera && brings.microphone);
    let (peer, answer) = transport.accept(Role::Publish, &client.offer, log.clone()).await.unwrap();
    client.take(&answer).await;
    eventually("connected", || Log::count(&log.connected) == 1).await;
    client.ready().await;
    for number in 0..20u16 {
        let (slice, at) = (if number == 0 { 0x65 } else { 0x41 }, u32::from(number) * 3600);
        client.film(&answer, &[slice, 1, number as u8], 2 * number, at, false).await;
        client.film(&answer, &[slice, 2, number as u8], 2 * number + 1, at, true).await;
        client.speak(&[1, 2, 3], number, u32::from(number) * 960).await;
    }
    eventually("twenty pictures", || log.camera.lock().unwrap().len() == 20).await;
    for (number, picture) in log.camera.lock().unwrap().iter().enumerate() {
        assert_eq!((picture.len(), picture[6], picture[13]), (14, number as u8, number as u8));
    }
    eventually("the microphone", || log.microphone.lock().unwrap().len() == 20).await;
    assert!(!answer.contains("rtx/"), "what is lost is not sent again: {answer}");
    peer.close().await;
    client.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_microphone_arrives() {
    let transport = transport(Weather::default()).await;
    for role in [Role::Publish, Role::Call] {
        let (client, peer, log) = connect(&transport, role).await;
        for number in 0..50u16 {
            client.speak(&[1, number as u8], 65_500u16.wrapping_add(number), u32::from(number) * 480).await;
        }
        eventually("fifty packets", || log.microphone.lock().unwrap().len() == 50).await;
        for (at, (payload, sequence, timestamp)) in log.microphone.lock().unwrap().iter().enumerate() {
            assert_eq!(
                (payload.as_slice(), *sequence, *timestamp),
                (&[1, at as u8][..], 65_500u16.wrapping_add(at as u16), at as u32 * 480)
            );
        }
        drop(peer);
        eventually("closed by dropping", || log.ends() == ["it was closed here"]).await;
        client.close().await;
    }
    assert_eq!(transport.held(), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_that_hangs_up_is_noticed() {
    let transport = transport(Weather::default()).await;
    let (client, _peer, log) = connect(&transport, Role::Call).await;
    let (_silent, silent_peer, silent_log) = connect(&transport, Role::Watch).await;
    client.close().await;
    eventually("hung up", || !log.ends().is_empty()).await;
    assert_eq!(log.ends(), ["the browser hung up"]);
    assert_eq!(Log::count(&silent_log.connected) - silent_log.ends().len(), 1, "others do not notice");
    silent_peer.close().await;
    assert_eq!(transport.held(), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_that_vanishes_is_noticed() {
    let options = Options { patience: Duration::from_secs(2), ..Options::default() };
    let (transport, log) = (Transport::bind(options).await.unwrap(), Arc::new(Log::default()));
    // The browser has a runtime of its own, which stops with it in the middle of everything.
    let browser = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let client = browser.spawn(Client::new(Role::Call)).await.unwrap();
    let (peer, answer) = transport.accept(Role::Call, &client.offer, log.clone()).await.unwrap();
    let client = browser.spawn(async move {
        client.take(&answer).await;
        client
    });
    let client = client.await.unwrap();
    eventually("connected", || Log::count(&log.connected) == 1).await;
    browser.shutdown_background();
    eventually("gone", || !log.ends().is_empty()).await;
    assert_eq!(log.ends(), ["the browser fell silent"]);
    assert_eq!(transport.held(), (0, 0));
    peer.video(picture(0, true));
    drop(client);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_packets_are_sent_again() {
    let transport = transport(Weather { loss_percent: 5.0, ..Weather::default() }).await;
    let (mut client, peer, log) = connect_at_last(&transport, Role::Watch).await;
    // About fifteen of three hundred packets are lost, so an unbroken run of these is there by repair alone. Sending goes on until it is
    // complete, because a lost packet shows only by the ones after it.
    let (mut first, mut seen) = (None, std::collections::BTreeSet::new());
    let unbroken = |seen: &std::collections::BTreeSet<u16>| {
        seen.iter().enumerate().take_while(|(at, offset)| *at == usize::from(**offset)).count()
    };
    for number in 0..6000 {
        // Where this machine stands still, a picture finds no room, and those after it wait for a key frame.
        peer.video(picture(number, number % 25 == 0));
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        while let Ok(packet) = client.video.try_recv() {
            let first = *first.get_or_insert(packet.header.sequence_number);
            // A packet that comes late may have been sent before the first that came.
            seen.insert(packet.header.sequence_number.wrapping_sub(first));
        }
        if unbroken(&seen) >= 300 {
            break;
        }
    }
    assert!(unbroken(&seen) >= 300, "{seen:?}");
    assert!(Log::count(&log.sent) >= 90);
    peer.close().await;
    client.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offers_that_do_not_fit_are_refused() {
    let transport = transport(Weather::default()).await;
    let (watch, speak) = (Client::new(Role::Watch).await, Client::new(Role::Publish).await);
    let refuse = async |role, offer: &str| match transport.accept(role, offer, Arc::new(Log::default())).await {
        Ok(_) => panic!("accepted: {offer}"),
        Err(error) => error,
    };
    let huge = format!("{}{}", watch.offer, "a=x\r\n".repeat(20_000));
    let many = format!("{}{}", watch.offer, "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n".repeat(100));
    let unsigned = watch.offer.replace("a=fingerprint", "a=fingertip");
    let unnamed = watch.offer.replace("a=ice-ufrag", "a=ice-frag");
    for garbage in [
        "",
        "v=0",
        "\0\0\0",
        "hello",
        "v=0\r\nm=video\r\n",
        "<html>",
        &huge,
        &many,
        &watch.offer[20..],
        &unsigned,
        &unnamed,
    ] {
        let error = refuse(Role::Watch, garbage).await;
        assert!(matches!(error, SignalError::Malformed(_)), "{error:?} for {:.40}", garbage);
    }
    for line in watch.offer.lines().filter(|line| !line.is_empty()) {
        // Any answer will do as long as it is one.
        let _ = transport
            .accept(Role::Watch, &watch.offer.replace(line, &line[..line.len() / 2]), Arc::new(Log::default()))
            .await;
    }
    let error = refuse(Role::Watch, &watch.offer.replace("H264", "H299")).await;
    assert!(matches!(error, SignalError::NoCodec(_)), "{error:?}");
    let error = refuse(Role::Watch, &watch.offer.replace("packetization-mode=", "packetization-mode=2;was=")).await;
    assert!(matches!(error, SignalError::NoCodec(_)), "{error:?}");
    let error = refuse(Role::Publish, &speak.offer.replace("opus", "sopu")).await;
    assert!(matches!(error, SignalError::NoCodec(_)), "{error:?}");
    let only_speaks = speak.offer.replace("a=sendrecv", "a=sendonly");
    for (role, offer) in [
        (Role::Watch, &only_speaks),
        (Role::Publish, &watch.offer),
        (Role::Call, &watch.offer),
        (Role::Call, &only_speaks),
    ] {
        let error = refuse(role, offer).await;
        assert!(matches!(error, SignalError::Unsupported(_)), "{error:?}");
    }
    eventually("nothing is left", || transport.held() == (0, 0)).await;
    watch.close().await;
    speak.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_role_does_not_need_is_rejected() {
    let transport = transport(Weather::default()).await;
    let client = Client::new(Role::Call).await;
    let more = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:data\r\na=sctp-port:5000\r\n\
                m=video 9 UDP/TLS/RTP/SAVPF 102\r\nc=IN IP4 0.0.0.0\r\na=mid:second\r\na=recvonly\r\na=rtpmap:102 H264/90000\r\n";
    let offer = format!("{}{more}", client.offer.replace("a=group:BUNDLE", "a=group:BUNDLE data second"));
    let kinds = |sdp: &str| -> Vec<String> {
        sdp.lines()
            .filter(|l| l.starts_with("m="))
            .map(|l| l.split(' ').take(2).collect::<Vec<_>>().join(" "))
            .collect()
    };
    let (peer, answer) = transport.accept(Role::Call, &offer, Arc::new(Log::default())).await.unwrap();
    assert_eq!(kinds(&answer)[2..], ["m=application 0", "m=video 0"], "{answer}");
    assert!(kinds(&answer)[..2].iter().all(|line| !line.ends_with(" 0")));
    let bundle = answer.lines().find(|line| line.starts_with("a=group:BUNDLE")).unwrap();
    assert!(!bundle.contains("data") && !bundle.contains("second"));
    assert!(
        answer.contains("a=ptime:10")
            && answer.contains("useinbandfec=1")
            && answer.contains("a=ice-lite")
            && answer.contains("a=setup:passive")
    );
    assert!(answer.contains(&format!("127.0.0.1 {} typ host", transport.port())));
    peer.close().await;
    let (peer, answer) = transport.accept(Role::Publish, &offer, Arc::new(Log::default())).await.unwrap();
    assert_eq!(kinds(&answer).iter().filter(|line| line.ends_with(" 0")).count(), 3, "{answer}");
    peer.close().await;
    client.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_m_line_that_only_lives_in_the_bundle_is_no_rejected_one() {
    let transport = transport(Weather::default()).await;
    let client = Client::new(Role::Call).await;
    let second = client.offer.rfind("m=").unwrap();
    let (first, second) = client.offer.split_at(second);
    assert!(second.contains(" 9 "));
    let offer = format!("{first}{}a=bundle-only\r\n", second.replacen(" 9 ", " 0 ", 1));
    let (peer, answer) = transport.accept(Role::Call, &offer, Arc::new(Log::default())).await.unwrap();
    let lines: Vec<&str> = answer.lines().filter(|line| line.starts_with("m=")).collect();
    assert!(lines.len() == 2 && lines.iter().all(|line| !line.contains(" 0 ")), "{lines:?}");
    peer.close().await;
    client.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_sessions_leave_nothing() {
    let transport = transport(Weather::default()).await;
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let (client, peer, _) = connect(&transport, Role::Call).await;
    peer.close().await;
    client.close().await;
    drop((client, peer));
    eventually("a first one is gone", || tasks() == 0).await;
    let before = open_files();
    for number in 0..100 {
        let (client, peer, log) = connect(&transport, [Role::Watch, Role::Publish, Role::Call][number % 3]).await;
        assert_eq!(transport.held().0, 1);
        if number % 2 == 0 {
            peer.close().await;
            client.close().await;
        } else {
            client.close().await;
            eventually("hung up", || !log.ends().is_empty()).await;
        }
        assert_eq!(log.ends().len(), 1);
    }
    eventually("all are gone", || tasks() == 0 && transport.held() == (0, 0)).await;
    // Other tests open sockets meanwhile, but none leave a hundred.
    assert!(open_files() < before + 50);
}

/// Open files and sockets of this process, where the system tells.
fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}
