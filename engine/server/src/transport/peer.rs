//! One browser: negotiation, its tasks, its end.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::RngExt as _;
use rtc::interceptor::Registry;
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::interceptor_registry::{
    configure_nack, configure_rtcp_reports, configure_twcc_receiver_only,
};
use rtc::peer_connection::configuration::media_engine::{MIME_TYPE_H264, MIME_TYPE_OPUS, MIME_TYPE_RTX, MediaEngine};
use rtc::peer_connection::configuration::setting_engine::SettingEngineBuilder;
use rtc::peer_connection::transport::RTCDtlsRole;
use rtc::rtp_transceiver::rtp_sender::{
    RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
    RTCRtpHeaderExtensionCapability, RTCRtpRtxParameters, RtpCodecKind,
};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use vultus_native::stream::live::{VideoUnit, VoiceUnit};
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceGatheringState, RTCPeerConnectionState,
    RTCSessionDescription,
};

use super::arrivals::{self, Life};
use super::events::PeerEvents;
use super::lane::LaneRuntime;
use super::mux::Mux;
use super::role::SignalError;
use super::sdp::{Codec, OPUS, Offer, PLAYOUT_DELAY, STACK_H264};
use super::send::{self, Marks, Outgoing, Pictures};
use super::{camera, dtls, feedback};

/// A browser that was answered has to be connected by then; until then it holds a place that others may want.
const TO_CONNECT: Duration = Duration::from_secs(8);
/// Gathering is one local address; it takes no time, unless the stack died.
const TO_GATHER: Duration = Duration::from_secs(3);
/// The stack says goodbye (DTLS close_notify) and ends its task; it is cut off when it takes longer.
const TO_CLOSE: Duration = Duration::from_secs(2);
const VIDEO_FEEDBACK: [(&str, &str); 3] = [("nack", ""), ("nack", "pli"), ("ccm", "fir")];

/// A peer that was answered. Dropping it closes it without waiting for the end.
pub struct Peer {
    pictures: Option<Pictures>,
    voice: Option<mpsc::Sender<VoiceUnit>>,
    short_units: bool,
    live: Arc<AtomicBool>,
    events: Arc<dyn PeerEvents>,
    stop: watch::Sender<bool>,
    ended: watch::Receiver<bool>,
}

impl Peer {
    /// Queues a picture, or drops it (before the connection stands; when the queue is full, up to the next key frame, which is asked for).
    pub fn video(&self, unit: VideoUnit) {
        if let Some(pictures) = self.pictures.as_ref().filter(|_| self.live.load(Relaxed))
            && pictures.push(unit)
        {
            self.events.key_frame_wanted();
        }
    }

    /// Queues a voice packet, or drops it (before the connection stands; when a second of voice is waiting).
    pub fn voice(&self, unit: VoiceUnit) {
        if let Some(voice) = self.voice.as_ref().filter(|_| self.live.load(Relaxed)) {
            let _ = voice.try_send(unit);
        }
    }

    /// Whether each H.264 unit has to fit into one packet, for which the encoder has to care. Pictures with longer units are left out.
    pub fn takes_short_units(&self) -> bool {
        self.short_units
    }

    /// Says goodbye to the browser and frees everything; `closed` was called when this returns.
    pub async fn close(&self) {
        self.stop.send_replace(true);
        let _ = self.ended.clone().wait_for(|ended| *ended).await;
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

/// Listens to the stack. Its driver waits for these calls, so they only note what happened.
struct Handler {
    gathered: watch::Sender<bool>,
    state: watch::Sender<RTCPeerConnectionState>,
}

type Tasks = Arc<Mutex<JoinSet<()>>>;

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        self.gathered.send_replace(state == RTCIceGatheringState::Complete);
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        self.state.send_replace(state);
    }
}

fn spawn(tasks: &Tasks, task: impl Future<Output = ()> + Send + 'static) {
    tasks.lock().unwrap_or_else(PoisonError::into_inner).spawn(task);
}

/// Answers an offer and starts the peer's tasks.
pub(super) async fn accept(
    mux: &Arc<Mux>,
    candidates: &[SocketAddr],
    offer: &Offer,
    events: Arc<dyn PeerEvents>,
    patience: Duration,
) -> Result<(Peer, String), SignalError> {
    let (ufrag, password) = (random_word(16), random_word(32));
    let (gathered, mut is_gathered) = watch::channel(false);
    let (state, states) = watch::channel(RTCPeerConnectionState::New);
    let tasks = Tasks::default();
    let ssrc = rand::random_range(1..u32::MAX / 2);
    let (marks, goodbye) = (Marks::new(ssrc, events.clone()), Arc::new(Notify::new()));
    let life = Arc::new(Life::new(std::time::Instant::now()));
    let runtime = LaneRuntime {
        mux: mux.clone(),
        ufrag: ufrag.clone(),
        password: password.clone(),
        life: life.clone(),
        gone: goodbye.clone(),
        departures: Arc::new({
            let (marks, goodbye) = (marks.clone(), goodbye.clone());
            move |datagram: &[u8]| {
                marks.departed(datagram);
                if dtls::ends(datagram) {
                    goodbye.notify_one();
                }
            }
        }),
    };
    let mut media = media_engine(offer).map_err(internal)?;
    let mut registry = configure_nack(Registry::new(), &mut media);
    if offer.transport_cc {
        registry = configure_twcc_receiver_only(registry, &mut media).map_err(internal)?;
    }
    let registry = configure_rtcp_reports(registry);
    let microphone = offer.audio.as_ref().filter(|_| offer.microphone).map(|codec| {
        let (queue, packets) = arrivals::microphone_queue();
        spawn(&tasks, arrivals::hear(packets, events.clone()));
        (codec.payload, queue)
    });
    let lens = offer.camera.as_ref().map(|codec| {
        let (lens, camera) = camera::open(codec.payload);
        spawn(&tasks, camera::see(camera, events.clone()));
        lens
    });
    let registry = arrivals::listen(feedback::listen(registry, &events), life.clone(), microphone, lens);
    let settings = SettingEngineBuilder::new()
        .with_lite(true)
        .with_include_loopback_candidate(true)
        .with_multicast_dns_mode(rtc::ice::mdns::MulticastDnsMode::Disabled)
        // The browser opens DTLS in the first flight after its check; a lite side that opens it waits for its own timer first.
        .with_answering_dtls_role(if offer.passive { RTCDtlsRole::Client } else { RTCDtlsRole::Server })
        // The stack counts nothing but checks as life, so that it is asked for no opinion: `Life` has one.
        .with_ice_timeouts(Some(Duration::ZERO), Some(Duration::ZERO), None)
        .with_ice_credentials(ufrag, password)
        .build();
    let handler = Handler { gathered, state };
    // The stack's own socket lives for a moment and only lends its address, so loopback serves wherever the port is bound.
    let lent = if mux.local().is_ipv6() { IpAddr::from(Ipv6Addr::LOCALHOST) } else { Ipv4Addr::LOCALHOST.into() };
    let connection = PeerConnectionBuilder::new()
        .with_media_engine(media)
        .with_setting_engine(settings)
        .with_interceptor_registry(registry)
        .with_handler(Arc::new(handler))
        .with_runtime(Arc::new(runtime))
        .with_udp_addrs(vec![SocketAddr::new(lent, 0)])
        .build()
        .await
        .map_err(internal)?;
    let connection: Arc<dyn PeerConnection> = Arc::new(connection);

    let negotiated = negotiate(&*connection, offer, ssrc, &mut is_gathered).await;
    match negotiated.and_then(|(video, voice, stack)| Ok((video, voice, offer.answer(&stack, candidates)?))) {
        Ok((video, voice, answer)) => {
            let live = Arc::new(AtomicBool::new(false));
            let (stop, stopped) = watch::channel(false);
            let (ended_now, ended) = watch::channel(false);
            let (pictures, picture_queue) = Pictures::new();
            let short_units = offer.video.as_ref().is_some_and(|codec| codec.single_units);
            let (voices, voice_queue) = send::voice_queue();
            let peer = Peer {
                pictures: video.is_some().then_some(pictures),
                voice: voice.is_some().then_some(voices),
                short_units,
                live: live.clone(),
                events: events.clone(),
                stop,
                ended,
            };
            let (sending, sending_live, sending_events) = (tasks.clone(), live.clone(), events.clone());
            let start = move || {
                if let Some(out) = video {
                    spawn(&sending, send::send_pictures(out, picture_queue, marks, short_units));
                }
                if let Some(out) = voice {
                    spawn(&sending, send::send_voice(out, voice_queue));
                }
                sending_live.store(true, Relaxed);
                sending_events.connected();
                sending_events.key_frame_wanted();
            };
            tokio::spawn(async move {
                let why = live_until_gone(states, &goodbye, stopped, start, &life, patience).await;
                live.store(false, Relaxed);
                tasks.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
                let _ = tokio::time::timeout(TO_CLOSE, connection.close()).await;
                // The stack's task holds the lane; both end with the connection.
                drop(connection);
                events.closed(why);
                ended_now.send_replace(true);
            });
            Ok((peer, answer))
        }
        Err(error) => {
            // Dropping alone would leave the stack's task behind.
            let _ = tokio::time::timeout(TO_CLOSE, connection.close()).await;
            Err(error)
        }
    }
}

/// Waits for the connection, calls `start`, and waits for the end, whose reason it gives.
async fn live_until_gone(
    mut states: watch::Receiver<RTCPeerConnectionState>,
    goodbye: &Notify,
    mut stopped: watch::Receiver<bool>,
    start: impl FnOnce(),
    life: &Life,
    patience: Duration,
) -> &'static str {
    use RTCPeerConnectionState::{Closed, Connected, Failed};
    let gone = |state: &RTCPeerConnectionState| match state {
        Closed => Some("the browser hung up"),
        Failed => Some("the connection failed"),
        _ => None,
    };
    let connected = states.wait_for(|state| *state == Connected || gone(state).is_some());
    tokio::select! {
        connected = tokio::time::timeout(TO_CONNECT, connected) => match connected {
            Err(_) => return "the browser never connected",
            Ok(Err(_)) => return "the connection failed",
            Ok(Ok(state)) => if let Some(why) = gone(&state) { return why },
        },
        _ = stopped.wait_for(|stop| *stop) => return "it was closed here",
    }
    start();
    tokio::select! {
        state = states.wait_for(|state| gone(state).is_some()) => state.ok().and_then(|state| gone(&state)).unwrap_or("the connection failed"),
        () = goodbye.notified() => "the browser hung up",
        () = life.ends(patience) => "the browser fell silent",
        _ = stopped.wait_for(|stop| *stop) => "it was closed here",
    }
}

/// Takes the offer, adds what we send, and gives the negotiated tracks with the stack's answer.
async fn negotiate(
    connection: &dyn PeerConnection,
    offer: &Offer,
    ssrc: u32,
    gathered: &mut watch::Receiver<bool>,
) -> Result<(Option<Outgoing>, Option<Outgoing>, String), SignalError> {
    let malformed =
        |error: rtc::shared::error::Error| SignalError::Malformed(format!("the offer cannot be used: {error}"));
    let description = RTCSessionDescription::offer(offer.sdp.clone()).map_err(malformed)?;
    connection.set_remote_description(description).await.map_err(malformed)?;
    // After the offer was taken: a track learns the numbers of its header extensions when it is added.
    let mut video = None;
    if let Some(codec) = &offer.video {
        video = Some(
            add(
                connection,
                RtpCodecKind::Video,
                "picture",
                video_codec(codec),
                ssrc,
                codec.rtx.map(|_| ssrc + 1),
                offer.playout_delay,
            )
            .await?,
        );
    }
    let mut voice = None;
    if let Some(codec) = offer.audio.as_ref().filter(|_| offer.voice) {
        voice = Some(add(connection, RtpCodecKind::Audio, "voice", audio_codec(codec), ssrc + 2, None, None).await?);
    }
    let answer = connection.create_answer(None).await.map_err(internal)?;
    connection.set_local_description(answer).await.map_err(internal)?;
    let wait = tokio::time::timeout(TO_GATHER, gathered.wait_for(|gathered| *gathered)).await;
    wait.map_err(internal)?.map_err(internal)?;
    let answer = connection.local_description().await.ok_or_else(|| internal("the stack has no answer"))?;
    Ok((video, voice, answer.sdp))
}

/// Adds a track of ours. Each has a stream of its own, so that the browser does not delay the picture to go with its audio buffer.
async fn add(
    connection: &dyn PeerConnection,
    kind: RtpCodecKind,
    name: &str,
    codec: RTCRtpCodecParameters,
    ssrc: u32,
    rtx: Option<u32>,
    playout_delay: Option<u8>,
) -> Result<Outgoing, SignalError> {
    let coding = RTCRtpCodingParameters {
        ssrc: Some(ssrc),
        rtx: rtx.map(|ssrc| RTCRtpRtxParameters { ssrc }),
        ..Default::default()
    };
    let encoding = RTCRtpEncodingParameters {
        rtp_coding_parameters: coding,
        active: true,
        codec: codec.rtp_codec,
        ..Default::default()
    };
    let track = MediaStreamTrack::new(format!("vultus-{name}"), name.to_owned(), name.to_owned(), kind, vec![encoding]);
    let track = Arc::new(TrackLocalStaticRTP::new(track));
    connection.add_track(track.clone()).await.map_err(internal)?;
    Ok(Outgoing { track, ssrc, payload_type: codec.payload_type, playout_delay })
}

/// Knows exactly the codecs that the offer has and we use, by the offer's own numbers.
fn media_engine(offer: &Offer) -> rtc::shared::error::Result<MediaEngine> {
    let mut media = MediaEngine::default();
    if let Some(codec) = offer.video.as_ref().or(offer.camera.as_ref()) {
        media.register_codec(video_codec(codec), RtpCodecKind::Video)?;
        if let Some(rtx) = codec.rtx {
            media.register_codec(
                parameters(MIME_TYPE_RTX, 90_000, 0, format!("apt={}", codec.payload), rtx),
                RtpCodecKind::Video,
            )?;
        }
        if offer.playout_delay.is_some() {
            let uri = PLAYOUT_DELAY.to_owned();
            media.register_header_extension(RTCRtpHeaderExtensionCapability { uri }, RtpCodecKind::Video, None)?;
        }
    }
    if let Some(codec) = &offer.audio {
        media.register_codec(audio_codec(codec), RtpCodecKind::Audio)?;
    }
    Ok(media)
}

fn video_codec(codec: &Codec) -> RTCRtpCodecParameters {
    let mut parameters = parameters(MIME_TYPE_H264, 90_000, 0, STACK_H264.to_owned(), codec.payload);
    parameters.rtp_codec.rtcp_feedback = VIDEO_FEEDBACK
        .map(|(typ, parameter)| RTCPFeedback { typ: typ.to_owned(), parameter: parameter.to_owned() })
        .to_vec();
    parameters
}

fn audio_codec(codec: &Codec) -> RTCRtpCodecParameters {
    parameters(MIME_TYPE_OPUS, 48_000, 2, OPUS.to_owned(), codec.payload)
}

fn parameters(
    mime: &str,
    clock_rate: u32,
    channels: u16,
    sdp_fmtp_line: String,
    payload_type: u8,
) -> RTCRtpCodecParameters {
    let rtp_codec =
        RTCRtpCodec { mime_type: mime.to_owned(), clock_rate, channels, sdp_fmtp_line, rtcp_feedback: Vec::new() };
    RTCRtpCodecParameters { rtp_codec, payload_type }
}

/// Letters and digits from the system's generator, as ICE wants them.
fn random_word(length: usize) -> String {
    rand::rng().sample_iter(rand::distr::Alphanumeric).take(length).map(char::from).collect()
}

fn internal(error: impl std::fmt::Display) -> SignalError {
    SignalError::Internal(format!("the connection could not be set up: {error}"))
}
