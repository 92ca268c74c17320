//! A browser's part, played by the same crate, and a recorder of what happens to the peer.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rtc::interceptor::Registry;
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::interceptor_registry::register_default_interceptors;
use rtc::peer_connection::configuration::media_engine::MediaEngine;
use rtc::peer_connection::configuration::setting_engine::SettingEngineBuilder;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtp::Packet;
use rtc::rtp_transceiver::rtp_sender::{RTCRtpCodec, RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind};
use rtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};
use tokio::sync::{mpsc, watch};
use webrtc::media_stream::track_local::{TrackLocal, static_rtp::TrackLocalStaticRTP};
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceGatheringState, RTCPeerConnectionState,
    RTCSessionDescription,
};

use super::super::{OpusPacket, PeerEvents, Role, VideoUnit, VoiceUnit};
use super::wire::Wire;

/// Waits for a condition that must come; the time is a guard against waiting for ever, not a figure.
pub(super) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..6000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("this never came: {what}");
}

/// Writes down what happens to a peer.
#[derive(Default)]
pub(super) struct Log {
    pub(super) microphone: Mutex<Vec<(Vec<u8>, u16, u32)>>,
    pub(super) camera: Mutex<Vec<Vec<u8>>>,
    pub(super) key_frames: AtomicUsize,
    pub(super) connected: AtomicUsize,
    pub(super) sent: AtomicUsize,
    pub(super) closed: Mutex<Vec<String>>,
}

impl Log {
    pub(super) fn count(counter: &AtomicUsize) -> usize {
        counter.load(SeqCst)
    }

    pub(super) fn ends(&self) -> Vec<String> {
        self.closed.lock().unwrap().clone()
    }
}

impl PeerEvents for Log {
    fn microphone(&self, packet: &OpusPacket<'_>) {
        self.microphone.lock().unwrap().push((packet.data.to_vec(), packet.sequence, packet.timestamp));
    }

    fn camera(&self, picture: &[u8]) -> bool {
        self.camera.lock().unwrap().push(picture.to_vec());
        true
    }

    fn key_frame_wanted(&self) {
        self.key_frames.fetch_add(1, SeqCst);
    }

    fn bitrate(&self, _: u32) {}

    fn connected(&self) {
        self.connected.fetch_add(1, SeqCst);
    }

    fn closed(&self, why: &str) {
        self.closed.lock().unwrap().push(why.to_owned());
    }

    fn sent(&self, _: Instant) {
        self.sent.fetch_add(1, SeqCst);
    }
}

/// The picture track with its SSRC, once it sends.
type Remote = Arc<Mutex<Option<(Arc<dyn TrackRemote>, u32)>>>;

/// A connection that plays a browser.
pub(super) struct Client {
    connected: watch::Receiver<bool>,
    pub(super) connection: Arc<dyn PeerConnection>,
    /// Its socket.
    pub(super) wire: Wire,
    pub(super) video: mpsc::UnboundedReceiver<Packet>,
    pub(super) voice: mpsc::UnboundedReceiver<Packet>,
    remote_video: Remote,
    microphone: Option<Arc<TrackLocalStaticRTP>>,
    camera: Option<Arc<TrackLocalStaticRTP>>,
    pub(super) offer: String,
}

struct Handler {
    gathered: watch::Sender<bool>,
    connected: watch::Sender<bool>,
    video: mpsc::UnboundedSender<Packet>,
    voice: mpsc::UnboundedSender<Packet>,
    remote_video: Remote,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        self.gathered.send_replace(state == RTCIceGatheringState::Complete);
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        self.connected.send_replace(state == RTCPeerConnectionState::Connected);
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        let video = track.kind().await == RtpCodecKind::Video;
        let packets = if video { self.video.clone() } else { self.voice.clone() };
        let remote = self.remote_video.clone();
        tokio::spawn(async move {
            while let Some(event) = track.poll().await {
                if let TrackRemoteEvent::OnRtpPacket(packet) = event {
                    if video {
                        *remote.lock().unwrap() = Some((track.clone(), packet.header.ssrc));
                    }
                    let _ = packets.send(packet);
                }
            }
            remote.lock().unwrap().take();
        });
    }
}

const MICROPHONE_SSRC: u32 = 77;
const CAMERA_SSRC: u32 = 78;

/// A track of this client's own.
fn sending(name: &str, kind: RtpCodecKind, codec: RTCRtpCodec, ssrc: u32) -> Arc<TrackLocalStaticRTP> {
    let coding = RTCRtpCodingParameters { ssrc: Some(ssrc), ..Default::default() };
    let encoding =
        RTCRtpEncodingParameters { rtp_coding_parameters: coding, active: true, codec, ..Default::default() };
    let named = || name.to_owned();
    Arc::new(TrackLocalStaticRTP::new(MediaStreamTrack::new(named(), named(), named(), kind, vec![encoding])))
}

impl Client {
    pub(super) async fn new(role: Role) -> Client {
        Client::at("127.0.0.1:0", role).await
    }

    pub(super) async fn at(address: &'static str, role: Role) -> Client {
        Client::with(address, role, None).await
    }

    /// A client that makes no checks once it is connected.
    pub(super) async fn without_checks(role: Role) -> Client {
        Client::with("127.0.0.1:0", role, Some(Duration::from_secs(3600))).await
    }

    async fn with(address: &'static str, role: Role, check_every: Option<Duration>) -> Client {
        let mut media = MediaEngine::default();
        media.register_default_codecs().unwrap();
        let registry = register_default_interceptors(Registry::new(), &mut media).unwrap();
        let settings = SettingEngineBuilder::new()
            .with_include_loopback_candidate(true)
            .with_multicast_dns_mode(rtc::ice::mdns::MulticastDnsMode::Disabled)
            .with_ice_timeouts(None, None, check_every)
            .build();
        let (gathered, mut is_gathered) = watch::channel(false);
        let (is_connected, connected) = watch::channel(false);
        let (video_in, video) = mpsc::unbounded_channel();
        let (voice_in, voice) = mpsc::unbounded_channel();
        let remote_video = Arc::new(Mutex::new(None));
        let wire = Wire::default();
        let connection = PeerConnectionBuilder::new()
            .with_media_engine(media)
            .with_setting_engine(settings)
            .with_interceptor_registry(registry)
            .with_handler(Arc::new(Handler {
                gathered,
                connected: is_connected,
                video: video_in,
                voice: voice_in,
                remote_video: remote_video.clone(),
            }))
            .with_runtime(Arc::new(wire.clone()))
            .with_udp_addrs(vec![address])
            .build()
            .await
            .unwrap();
        let connection: Arc<dyn PeerConnection> = Arc::new(connection);
        let receive = |streams| RTCRtpTransceiverInit {
            direction: RTCRtpTransceiverDirection::Recvonly,
            streams,
            send_encodings: vec![],
        };
        if role != Role::Publish {
            connection.add_transceiver_from_kind(RtpCodecKind::Video, Some(receive(vec![]))).await.unwrap();
        }
        let (mut microphone, mut camera) = (None, None);
        if role == Role::Publish {
            let codec = RTCRtpCodec {
                mime_type: "video/h264".to_owned(),
                clock_rate: 90_000,
                channels: 0,
                sdp_fmtp_line: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f".to_owned(),
                rtcp_feedback: vec![],
            };
            let track = sending("camera", RtpCodecKind::Video, codec, CAMERA_SSRC);
            connection.add_track(track.clone()).await.unwrap();
            camera = Some(track);
        }
        if role == Role::Watch {
            connection.add_transceiver_from_kind(RtpCodecKind::Audio, Some(receive(vec![]))).await.unwrap();
        } else {
            let codec = RTCRtpCodec {
                mime_type: "audio/opus".to_owned(),
                clock_rate: 48_000,
                channels: 2,
                sdp_fmtp_line: "minptime=10;useinbandfec=1".to_owned(),
                rtcp_feedback: vec![],
            };
            let track = sending("microphone", RtpCodecKind::Audio, codec, MICROPHONE_SSRC);
            connection.add_track(track.clone()).await.unwrap();
            microphone = Some(track);
        }
        let offer = connection.create_offer(None).await.unwrap();
        connection.set_local_description(offer).await.unwrap();
        is_gathered.wait_for(|gathered| *gathered).await.unwrap();
        let offer = connection.local_description().await.unwrap().sdp;
        Client { connection, wire, connected, video, voice, remote_video, microphone, camera, offer }
    }

    pub(super) async fn take(&self, answer: &str) {
        let answer = RTCSessionDescription::answer(answer.to_owned()).unwrap();
        self.connection.set_remote_description(answer).await.unwrap();
    }

    /// Waits until pictures and voice can come: that may be a moment after the server is ready to send them.
    pub(super) async fn ready(&self) {
        self.connected.clone().wait_for(|connected| *connected).await.unwrap();
    }

    /// One packet of the microphone.
    pub(super) async fn speak(&self, payload: &[u8], sequence: u16, timestamp: u32) {
        let mut packet = Packet { payload: Bytes::copy_from_slice(payload), ..Packet::default() };
        packet.header.version = 2;
        packet.header.ssrc = MICROPHONE_SSRC;
        packet.header.payload_type = 111;
        packet.header.sequence_number = sequence;
        packet.header.timestamp = timestamp;
        self.microphone.as_ref().unwrap().write_rtp(packet).await.unwrap();
    }

    /// One packet of the camera, as `answer` says its payload type.
    pub(super) async fn film(&self, answer: &str, payload: &[u8], sequence: u16, timestamp: u32, marker: bool) {
        let line = answer.lines().find(|line| line.starts_with("m=video")).unwrap();
        let mut packet = Packet { payload: Bytes::copy_from_slice(payload), ..Packet::default() };
        packet.header.version = 2;
        packet.header.ssrc = CAMERA_SSRC;
        packet.header.payload_type = line.split(' ').nth(3).unwrap().parse().unwrap();
        (packet.header.sequence_number, packet.header.timestamp, packet.header.marker) = (sequence, timestamp, marker);
        self.camera.as_ref().unwrap().write_rtp(packet).await.unwrap();
    }

    /// The picture track with its SSRC, once it sends.
    pub(super) fn remote(&self) -> Option<(Arc<dyn TrackRemote>, u32)> {
        self.remote_video.lock().unwrap().clone()
    }

    /// Asks for a key frame, as a browser does that cannot decode.
    pub(super) async fn lose_picture(&self) {
        let (track, media_ssrc) = self.remote().unwrap();
        track.write_rtcp(vec![Box::new(PictureLossIndication { sender_ssrc: 0, media_ssrc })]).await.unwrap();
    }

    pub(super) async fn close(&self) {
        self.connection.close().await.unwrap();
    }
}

/// A picture of several packets whose bytes follow from its number: parameter sets and an IDR slice, or one slice.
pub(super) fn picture(number: u64, key: bool) -> VideoUnit {
    let slice = |kind: u8, length: usize| {
        let mut nal = vec![0, 0, 0, 1, kind];
        nal.extend((0..length).map(|at| 1 + ((at as u64 * 7 + number * 13) % 251) as u8));
        nal
    };
    let mut data = Vec::new();
    if key {
        data.extend([0, 0, 0, 1, 0x67, 0x42, 0xe0, 0x1f, 0xda]);
        data.extend([0, 0, 0, 1, 0x68, 0xce, 0x3c, 0x80]);
        data.extend(slice(0x65, 5000));
    } else {
        data.extend(slice(0x61, 3000));
    }
    VideoUnit { data: data.into(), key, clock: number * 1920, heard: Instant::now(), encoded: Instant::now() }
}

/// A voice packet whose bytes follow from its number.
pub(super) fn voice(number: u64) -> VoiceUnit {
    VoiceUnit { data: vec![0xf8, number as u8, 1, 2, 3].into(), clock: number * 960, due: std::time::Instant::now() }
}
