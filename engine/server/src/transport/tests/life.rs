//! What keeps a call alive, and what does not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::{Options, Peer, Role, Transport};
use super::client::{Client, Log, eventually};

/// Long enough for a machine that is busy with something else, short enough to wait for.
const PATIENCE: Duration = Duration::from_secs(5);

async fn transport() -> Transport {
    Transport::bind(Options { patience: PATIENCE, ..Options::default() }).await.unwrap()
}

async fn connect(transport: &Transport, client: &Client, role: Role) -> (Peer, Arc<Log>) {
    let log = Arc::new(Log::default());
    let (peer, answer) = transport.accept(role, &client.offer, log.clone()).await.unwrap();
    client.take(&answer).await;
    eventually("connected", || Log::count(&log.connected) == 1).await;
    client.ready().await;
    (peer, log)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn media_and_reports_are_life_without_checks() {
    let transport = transport().await;
    let speaker = Client::without_checks(Role::Publish).await;
    let watcher = Client::without_checks(Role::Watch).await;
    let (speaking, speaker_log) = connect(&transport, &speaker, Role::Publish).await;
    // Nothing comes from this one but what it reports about the streams, once a second.
    let (watching, watcher_log) = connect(&transport, &watcher, Role::Watch).await;
    let begun = Instant::now();
    for number in 0.. {
        if begun.elapsed() > PATIENCE * 2 {
            break;
        }
        speaker.speak(&[1], number, u32::from(number) * 960).await;
        watching.voice(super::client::voice(u64::from(number)));
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(speaker_log.ends().is_empty(), "the speaker was hung up after {:?}", begun.elapsed());
        assert!(watcher_log.ends().is_empty(), "the watcher was hung up after {:?}", begun.elapsed());
    }
    speaking.close().await;
    watching.close().await;
    speaker.close().await;
    watcher.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_stranger_sends_from_a_dead_clients_address_is_no_life() {
    let (transport, log) = (transport().await, Arc::new(Log::default()));
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
    // Media and reports that cannot be decrypted, a check that nobody signed, a record of DTLS.
    let junk = [
        &[0x80, 111, 0, 1, 0, 0, 0, 1, 0, 0, 0, 77][..],
        &[0x80, 201, 0, 1, 0, 0, 0, 1],
        &[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
        &[22, 254, 253, 0, 1, 0, 0, 0, 0, 0, 9, 0, 20],
    ];
    eventually("hung up", || {
        for datagram in junk {
            client.wire.forge(&[datagram, &[0; 20]].concat(), ([127, 0, 0, 1], transport.port()).into());
        }
        !log.ends().is_empty()
    })
    .await;
    assert_eq!(log.ends(), ["the browser fell silent"]);
    drop((peer, client));
}

/// Offers may leave the number of a stream open (RFC 9143 section 9.2 tells streams apart by payload type as well).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_microphone_whose_number_was_not_said_is_heard() {
    let transport = transport().await;
    for role in [Role::Publish, Role::Call] {
        let mut client = Client::new(role).await;
        client.offer =
            client.offer.lines().filter(|line| !line.starts_with("a=ssrc")).map(|l| format!("{l}\r\n")).collect();
        let (peer, log) = connect(&transport, &client, role).await;
        for number in 0..30u16 {
            client.speak(&[1, number as u8], number, u32::from(number) * 960).await;
        }
        eventually("thirty packets", || log.microphone.lock().unwrap().len() == 30).await;
        peer.close().await;
        client.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_may_leave_opening_dtls_to_us() {
    let transport = transport().await;
    let mut client = Client::new(Role::Call).await;
    client.offer = client.offer.replace("a=setup:actpass", "a=setup:passive");
    let (peer, log) = connect(&transport, &client, Role::Call).await;
    client.speak(&[1, 2], 1, 960).await;
    eventually("the microphone", || log.microphone.lock().unwrap().len() == 1).await;
    peer.close().await;
    client.close().await;
}
