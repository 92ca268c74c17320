//! What is read of an offer before the stack sees it, and what is written into the answer after.
//!
//! The stack never sees the offer itself but a text of ours that says the same of what is used: one or two m-lines in one bundle, named 0 and
//! 1, with one codec each, without the browser's candidates (an ICE-lite side learns addresses from checks alone, and so never sends where a
//! stranger's text points to). So it does not matter in which of the many ways that SDP allows a client writes its offer. The answer is the
//! stack's with the client's own names; m-lines that are not used come back rejected in their places.

mod codec;
mod path;
mod text;

use std::fmt::Write as _;
use std::net::SocketAddr;

pub(super) use self::codec::Codec;
use self::path::{Path, together};
use self::text::{Direction, Section, Text};
use super::role::{Role, SignalError};

/// Tells a browser not to hold pictures back.
pub(super) const PLAYOUT_DELAY: &str = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay";
/// Numbers packets over all streams, for reports of what the path carries.
pub(super) const TRANSPORT_CC: &str = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
/// Format parameters of H.264 between the stack and us. Those of the offer the stack might not recognise; the answer's are written after.
pub(super) const STACK_H264: &str = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f";
/// Format parameters of Opus: whatever the client prefers, it may send packets of 10 ms, and should send what repairs a lost one.
pub(super) const OPUS: &str = "minptime=10;useinbandfec=1";
/// Feedback of the offer that the stack is told about.
const FEEDBACK: [&str; 4] = ["nack", "nack pli", "ccm fir", "transport-cc"];
/// Header extensions in the short form have these numbers (RFC 8285 section 4.2); we write no others.
const EXTENSIONS: std::ops::RangeInclusive<u8> = 1..=14;

/// An offer that fits the role.
#[derive(Debug)]
pub(super) struct Offer {
    /// For the stack.
    pub(super) sdp: String,
    /// Pictures to the client.
    pub(super) video: Option<Codec>,
    /// Pictures of the client's camera.
    pub(super) camera: Option<Codec>,
    pub(super) audio: Option<Codec>,
    /// Whether the audio of the offer is sent to (the voice) and received from (the microphone).
    pub(super) voice: bool,
    pub(super) microphone: bool,
    /// Opening DTLS is left to us.
    pub(super) passive: bool,
    /// The number of the playout delay extension, where the video of the offer has it.
    pub(super) playout_delay: Option<u8>,
    /// Whether packets may be numbered for transport-cc.
    pub(super) transport_cc: bool,
    /// Whether extensions of both forms may be mixed (`a=extmap-allow-mixed`).
    mixed: bool,
    /// Mids in the answer's bundle.
    bundle: Vec<String>,
    /// What the answer says for each m-line of the offer.
    answers: Vec<Answer>,
}

#[derive(Debug)]
enum Answer {
    Rejected(String),
    Used(Used),
}

/// What of an m-line the answer repeats.
#[derive(Debug)]
struct Used {
    kind: String,
    protocol: String,
    mid: Option<String>,
    reduced_size: bool,
    extensions: Vec<u8>,
}

impl Offer {
    pub(super) fn read(role: Role, text: &str) -> Result<Offer, SignalError> {
        let text = Text::read(text)?;
        let sections = &text.sections;
        let default = text.session.direction().unwrap_or(Direction { sends: true, receives: true });
        let pick = |kind: &str, fits: &dyn Fn(Direction) -> bool| {
            sections
                .iter()
                .position(|s| s.kind == kind && !s.rejected() && fits(s.lines.direction().unwrap_or(default)))
        };
        let watches = matches!(role, Role::Watch | Role::Call);
        let publishes = role == Role::Publish;
        let speaks = publishes || role == Role::Call;

        let mut video = pick("video", &|d| if watches { d.receives } else { d.sends });
        if watches && video.is_none() {
            return Err(SignalError::Unsupported(
                "the offer has no m=video line that receives, which watching needs".to_owned(),
            ));
        }
        let mut audio = pick("audio", &|d| (d.receives || !watches) && (d.sends || !speaks));
        if speaks && audio.is_none() && !(publishes && video.is_some()) {
            let needs = if watches {
                "m=audio line that sends and receives, which a call needs"
            } else {
                "m=audio or m=video line that sends, which publishing needs"
            };
            return Err(SignalError::Unsupported(format!("the offer has no {needs}")));
        }
        let mut video_codec = match video.map(|at| codec::h264(&sections[at])).transpose() {
            // One may speak without being seen.
            Err(_) if publishes && audio.is_some() => None,
            codec => codec?,
        };
        if publishes {
            // What is lost of a camera is not sent again: a key frame is asked for.
            video_codec = video_codec.map(|codec| Codec { rtx: None, ..codec });
        }
        video = video.filter(|_| video_codec.is_some());
        if let (Some(picture), Some(sound)) = (video, audio)
            && !together(&text, &sections[picture], &sections[sound])
        {
            if publishes {
                (video, video_codec) = (None, None);
            } else if speaks {
                let sentence = "the offer has its m-lines in no common a=group:BUNDLE; a call goes over one path (RFC 9725 section 4.4.2)";
                return Err(SignalError::Unsupported(sentence.to_owned()));
            }
            // Watching goes without the voice, publishing without the camera.
            audio = audio.filter(|_| publishes);
        }
        let audio_codec = match audio.map(|at| codec::opus(&sections[at])).transpose() {
            // One may watch without hearing, but not speak in a codec that nobody understands.
            Err(_) if !speaks => None,
            codec => codec?,
        };
        let audio = audio.filter(|_| audio_codec.is_some());

        let mut used: Vec<usize> = video.into_iter().chain(audio).collect();
        used.sort_unstable();
        let path = Path::read(&text, &used.iter().map(|at| &sections[*at]).collect::<Vec<_>>())?;
        let video_extensions = video.map(|at| extensions(&text, &sections[at])).unwrap_or_default();
        let audio_extensions = audio.map(|at| extensions(&text, &sections[at])).unwrap_or_default();
        let number = |uri: &str| video_extensions.iter().find(|(_, known)| *known == uri).map(|(number, _)| *number);

        let mut sdp = begin();
        let mut answers: Vec<Answer> = sections.iter().map(|section| Answer::Rejected(rejection(section))).collect();
        for (mid, at) in used.iter().enumerate() {
            let section = &sections[*at];
            let (codec, extensions, direction) = if Some(*at) == video {
                (video_codec.as_ref(), &video_extensions, if publishes { "sendonly" } else { "recvonly" })
            } else {
                let direction = if watches && speaks {
                    "sendrecv"
                } else if watches {
                    "recvonly"
                } else {
                    "sendonly"
                };
                (audio_codec.as_ref(), &audio_extensions, direction)
            };
            if let Some(codec) = codec {
                write_section(&mut sdp, section, codec, &path, mid, direction, extensions);
            }
            answers[*at] = Answer::Used(Used {
                kind: section.kind.to_owned(),
                protocol: section.protocol.to_owned(),
                mid: section.mid().map(str::to_owned),
                reduced_size: section.lines.says("rtcp-rsize"),
                extensions: extensions.iter().map(|(number, _)| *number).collect(),
            });
        }
        sdp = sdp.replace(BUNDLE_OF_ALL, if used.len() > 1 { "a=group:BUNDLE 0 1" } else { "a=group:BUNDLE 0" });
        let numbered = |found: &[(u8, &str)]| found.iter().any(|(_, uri)| *uri == TRANSPORT_CC);
        let camera = video_codec.take_if(|_| publishes);
        Ok(Offer {
            sdp,
            video: video_codec,
            camera,
            voice: watches && audio.is_some(),
            microphone: speaks && audio.is_some(),
            audio: audio_codec,
            passive: path.passive,
            playout_delay: number(PLAYOUT_DELAY),
            transport_cc: numbered(&video_extensions) || numbered(&audio_extensions),
            mixed: text.session.says("extmap-allow-mixed"),
            bundle: path.bundle,
            answers,
        })
    }

    /// Makes the answer to the whole offer from the stack's answer: the client's names, our addresses, short packets of the microphone,
    /// rejections in their places.
    pub(super) fn answer(&self, stack: &str, addresses: &[SocketAddr]) -> Result<String, SignalError> {
        let stack =
            Text::read(stack).map_err(|_| SignalError::Internal("the stack rejected the whole offer".to_owned()))?;
        let mut answered = stack.sections.iter();
        let mut text = String::with_capacity(4096);
        let mut line = |line: &str| {
            text.push_str(line);
            text.push_str("\r\n");
        };
        let ours = |l: &&&str| !l.starts_with("a=group:") && !l.starts_with("a=extmap-allow-mixed");
        stack.session.0.iter().filter(ours).for_each(|l| line(l));
        if self.mixed {
            line("a=extmap-allow-mixed");
        }
        if !self.bundle.is_empty() {
            line(&format!("a=group:BUNDLE {}", self.bundle.join(" ")));
        }
        for answer in &self.answers {
            let used = match answer {
                Answer::Rejected(rejection) => {
                    rejection.lines().for_each(&mut line);
                    continue;
                }
                Answer::Used(used) => used,
            };
            let section = answered
                .next()
                .filter(|section| section.port != "0")
                .ok_or_else(|| SignalError::Internal("the stack left an m-line out".to_owned()))?;
            line(&format!("m={} 9 {} {}", used.kind, used.protocol, section.formats.join(" ")));
            for l in &section.lines.0 {
                match l.strip_prefix("a=") {
                    Some(a) if a.starts_with("mid:") => {
                        if let Some(mid) = &used.mid {
                            line(&format!("a=mid:{mid}"));
                        }
                    }
                    Some(a) if a.starts_with("fmtp:") && used.kind == "video" => self.write_fmtp(a, &mut line),
                    Some("rtcp-rsize") if !used.reduced_size => {}
                    // The stack writes all that it knows where the offer has none.
                    Some(a) if a.strip_prefix("extmap:").is_some_and(|a| !used.has_extension(a)) => {}
                    Some(a) if ["candidate:", "end-of-candidates", "ptime:"].iter().any(|name| a.starts_with(name)) => {
                    }
                    _ => line(l),
                }
            }
            if used.kind == "audio" && self.microphone {
                // 10 ms rather than 20: a browser then sends half a packet earlier.
                line("a=ptime:10");
            }
            for (at, address) in addresses.iter().enumerate() {
                let priority = (126u32 << 24) | ((65_535 - at as u32) << 8) | 255;
                line(&format!("a=candidate:{} 1 udp {priority} {} {} typ host", at + 1, address.ip(), address.port()));
            }
            line("a=end-of-candidates");
        }
        Ok(text)
    }

    /// The format parameters of a video payload type as the client is to read them.
    fn write_fmtp(&self, attribute: &str, line: &mut impl FnMut(&str)) {
        match self
            .video
            .as_ref()
            .or(self.camera.as_ref())
            .filter(|codec| attribute.starts_with(&format!("fmtp:{} ", codec.payload)))
        {
            Some(codec) if codec.fmtp.is_empty() => {}
            Some(codec) => line(&format!("a=fmtp:{} {}", codec.payload, codec.fmtp)),
            None => line(&format!("a={attribute}")),
        }
    }
}

impl Used {
    fn has_extension(&self, value: &str) -> bool {
        let number = value.split([' ', '/']).next().and_then(|number| number.parse().ok());
        number.is_some_and(|number: u8| self.extensions.contains(&number))
    }
}

const BUNDLE_OF_ALL: &str = "a=group:BUNDLE *";

fn begin() -> String {
    format!("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n{BUNDLE_OF_ALL}\r\n")
}

/// One m-line for the stack.
fn write_section(
    sdp: &mut String,
    section: &Section<'_>,
    codec: &Codec,
    path: &Path,
    mid: usize,
    direction: &str,
    extensions: &[(u8, &'static str)],
) {
    let (payload, kind) = (codec.payload, section.kind);
    let mut line = |line: std::fmt::Arguments<'_>| {
        // Writing to a string cannot fail.
        let _ = write!(sdp, "{line}\r\n");
    };
    let rtx = codec.rtx.map(|rtx| format!(" {rtx}")).unwrap_or_default();
    line(format_args!("m={kind} 9 UDP/TLS/RTP/SAVPF {payload}{rtx}"));
    line(format_args!("c=IN IP4 0.0.0.0"));
    line(format_args!("a=ice-ufrag:{}", path.ufrag));
    line(format_args!("a=ice-pwd:{}", path.password));
    line(format_args!("a=fingerprint:{}", path.fingerprint));
    line(format_args!("a=setup:{}", if path.passive { "passive" } else { "actpass" }));
    line(format_args!("a=mid:{mid}"));
    line(format_args!("a={direction}"));
    line(format_args!("a=rtcp-mux"));
    line(format_args!("a=rtcp-rsize"));
    for (number, uri) in extensions {
        line(format_args!("a=extmap:{number} {uri}"));
    }
    if kind == "video" {
        line(format_args!("a=rtpmap:{payload} H264/90000"));
        line(format_args!("a=fmtp:{payload} {STACK_H264}"));
        if let Some(rtx) = codec.rtx {
            line(format_args!("a=rtpmap:{rtx} rtx/90000"));
            line(format_args!("a=fmtp:{rtx} apt={payload}"));
        }
    } else {
        line(format_args!("a=rtpmap:{payload} opus/48000/2"));
        line(format_args!("a=fmtp:{payload} {OPUS}"));
    }
    for feedback in FEEDBACK {
        let offered = section.lines.values("rtcp-fb").any(|value| {
            let mut words = value.split_ascii_whitespace();
            // RFC 4585 section 4.2: a star is every payload type.
            words.next().is_some_and(|to| to == "*" || to.parse() == Ok(payload)) && words.eq(feedback.split(' '))
        });
        if offered {
            line(format_args!("a=rtcp-fb:{payload} {feedback}"));
        }
    }
    // For the reports that the client gets about a stream. Streams that the offer does not name are heard as well.
    if direction != "recvonly"
        && let Some(ssrc) = section.lines.values("ssrc").find_map(|value| value.split(' ').next()?.parse::<u32>().ok())
    {
        line(format_args!("a=ssrc:{ssrc} cname:microphone"));
    }
}

/// Number and name of each header extension that both sides know.
fn extensions(text: &Text<'_>, section: &Section<'_>) -> Vec<(u8, &'static str)> {
    let read = |value: &str| {
        let mut words = value.split_ascii_whitespace();
        let (number, uri) = (words.next()?, words.next()?);
        let (number, direction) = number.split_once('/').unwrap_or((number, "sendrecv"));
        let number = number.parse().ok().filter(|number| EXTENSIONS.contains(number))?;
        let uri = [PLAYOUT_DELAY, TRANSPORT_CC].into_iter().find(|known| *known == uri)?;
        (direction != "inactive").then_some((number, uri))
    };
    let mut found: Vec<(u8, &'static str)> = Vec::new();
    for extension in section.lines.values("extmap").chain(text.session.values("extmap")).filter_map(read) {
        if found.iter().all(|known| known.0 != extension.0 && known.1 != extension.1) {
            found.push(extension);
        }
    }
    found
}

fn rejection(section: &Section<'_>) -> String {
    let mid = section.mid().map(|mid| format!("a=mid:{mid}\n")).unwrap_or_default();
    let formats = section.formats.join(" ");
    format!("m={} 0 {} {formats}\nc=IN IP4 0.0.0.0\na=inactive\n{mid}", section.kind, section.protocol)
}
