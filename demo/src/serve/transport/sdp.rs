//! What is read of an offer before the stack sees it, and what is written into the answer after.
//!
//! The stack gets an offer with only the m-lines that the role needs, without the browser's candidates (an ICE-lite side learns addresses
//! from checks alone, and so never sends where a stranger's text points to). The other m-lines come back rejected.

use std::net::SocketAddr;

use super::{Role, SignalError};

/// Longer offers are refused. A browser's offer of two m-lines has about 6 KB.
const LONGEST: usize = 64 * 1024;
const MOST_SECTIONS: usize = 32;
const BUNDLE_ONLY: &str = "a=bundle-only";

/// A payload type of the offer that we will use, with its retransmission.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Codec {
    pub(super) payload: u8,
    pub(super) rtx: Option<u8>,
    pub(super) fmtp: String,
}

/// An offer that fits the role.
#[derive(Debug)]
pub(super) struct Offer {
    /// For the stack.
    pub(super) sdp: String,
    pub(super) video: Option<Codec>,
    pub(super) audio: Option<Codec>,
    /// Whether the audio of the offer may be sent to (the voice) and received from (the microphone).
    pub(super) voice: bool,
    pub(super) microphone: bool,
    /// For every m-line of the offer: its rejection, or nothing where the stack answers.
    rejections: Vec<Option<String>>,
}

struct Section<'a> {
    lines: Vec<&'a str>,
}

#[derive(Clone, Copy)]
struct Direction {
    sends: bool,
    receives: bool,
}

impl Offer {
    pub(super) fn read(role: Role, text: &str) -> Result<Offer, SignalError> {
        let (session, sections) = split(text)?;
        let default = direction(&session).unwrap_or(Direction { sends: true, receives: true });
        let pick = |kind: &str, fits: &dyn Fn(Direction) -> bool| {
            sections
                .iter()
                .position(|s| s.kind() == kind && !s.rejected() && fits(direction(&s.lines).unwrap_or(default)))
        };
        let watches = matches!(role, Role::Watch | Role::Call);
        let speaks = matches!(role, Role::Microphone | Role::Call);

        let video = if watches { pick("video", &|d| d.receives) } else { None };
        if watches && video.is_none() {
            return Err(SignalError::Unsupported(
                "the offer has no m=video line that receives, which watching needs".to_owned(),
            ));
        }
        let audio = pick("audio", &|d| (d.receives || !watches) && (d.sends || !speaks));
        if speaks && audio.is_none() {
            let needs =
                if watches { "sends and receives, which a call needs" } else { "sends, which a microphone needs" };
            return Err(SignalError::Unsupported(format!("the offer has no m=audio line that {needs}")));
        }
        let video_codec = video.map(|at| sections[at].h264()).transpose()?;
        let audio_codec = match audio.map(|at| sections[at].opus()).transpose() {
            // One may watch without hearing, but not speak in a codec that nobody understands.
            Err(_) if !speaks => None,
            codec => codec?,
        };
        let audio = audio.filter(|_| audio_codec.is_some());

        let kept: Vec<bool> = (0..sections.len()).map(|at| Some(at) == video || Some(at) == audio).collect();
        Ok(Offer {
            sdp: reduced(&session, &sections, &kept, default),
            video: video_codec,
            audio: audio_codec,
            voice: watches && audio.is_some(),
            microphone: speaks,
            rejections: sections
                .iter()
                .zip(&kept)
                .map(|(section, kept)| (!kept).then(|| section.rejection()))
                .collect(),
        })
    }

    /// Makes the answer to the whole offer from the stack's answer: our addresses, short packets of the microphone, rejections in their places.
    pub(super) fn answer(&self, stack: &str, addresses: &[SocketAddr]) -> Result<String, SignalError> {
        let (session, sections) =
            split(stack).map_err(|_| SignalError::Internal("the stack rejected the whole offer".to_owned()))?;
        let mut answered = sections.iter();
        let mut text = String::with_capacity(stack.len() + 1024);
        let mut line = |line: &str| {
            text.push_str(line);
            text.push_str("\r\n");
        };
        session.iter().for_each(|l| line(l));
        for rejection in &self.rejections {
            if let Some(rejection) = rejection {
                rejection.lines().for_each(&mut line);
                continue;
            }
            let section =
                answered.next().ok_or_else(|| SignalError::Internal("the stack left an m-line out".to_owned()))?;
            section.lines.iter().filter(|l| !is_candidate(l) && !l.starts_with("a=ptime:")).for_each(|l| line(l));
            if section.kind() == "audio" && self.microphone {
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
}

impl Direction {
    fn line(self) -> &'static str {
        match (self.sends, self.receives) {
            (true, true) => "a=sendrecv\r\n",
            (true, false) => "a=sendonly\r\n",
            (false, true) => "a=recvonly\r\n",
            (false, false) => "a=inactive\r\n",
        }
    }
}

fn split(text: &str) -> Result<(Vec<&str>, Vec<Section<'_>>), SignalError> {
    let malformed = |what: &str| Err(SignalError::Malformed(format!("the offer is no SDP: {what}")));
    if text.len() > LONGEST {
        return malformed(&format!("it is longer than {LONGEST} bytes"));
    }
    let mut session = Vec::new();
    let mut sections: Vec<Section<'_>> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if line.as_bytes().get(1) != Some(&b'=')
            || !line.as_bytes()[0].is_ascii_lowercase()
            || line.chars().any(|c| c.is_control() && c != '\t')
        {
            return malformed("a line does not have the form letter=value");
        }
        if line.starts_with("m=") {
            sections.push(Section { lines: Vec::new() });
        }
        sections.last_mut().map_or(&mut session, |section| &mut section.lines).push(line);
    }
    if session.first() != Some(&"v=0") {
        return malformed("it does not begin with v=0");
    }
    if sections.is_empty() || sections.len() > MOST_SECTIONS {
        return malformed(&format!("it has no m-lines, or more than {MOST_SECTIONS}"));
    }
    if sections.iter().any(|section| section.lines[0].split(' ').count() < 4) {
        return malformed("an m-line is incomplete");
    }
    Ok((session, sections))
}

impl<'a> Section<'a> {
    fn kind(&self) -> &'a str {
        self.lines[0][2..].split(' ').next().unwrap_or_default()
    }

    /// Port 0 rejects a section, unless it only lives in a bundle (RFC 8843 section 6): so offers Firefox all but its first.
    fn rejected(&self) -> bool {
        self.lines[0].split(' ').nth(1) == Some("0") && !self.lines.contains(&BUNDLE_ONLY)
    }

    fn values(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.lines.iter().filter_map(move |line| line.strip_prefix("a=")?.strip_prefix(name)?.strip_prefix(':'))
    }

    /// Payload types of an encoding such as `H264/90000`, in the order of the offer's preference.
    fn payloads(&self, encoding: &str) -> Vec<u8> {
        let named = |payload: &str| {
            self.values("rtpmap").any(|map| {
                map.split_once(' ')
                    .is_some_and(|(pt, name)| pt == payload && name.to_ascii_lowercase().starts_with(encoding))
            })
        };
        self.lines[0]
            .split(' ')
            .skip(3)
            .filter(|payload| named(payload))
            .filter_map(|payload| payload.parse().ok())
            .collect()
    }

    fn fmtp(&self, payload: u8) -> &'a str {
        let value = |line: &'a str| {
            line.split_once(' ').filter(|(pt, _)| pt.parse() == Ok(payload)).map(|(_, value)| value.trim())
        };
        self.values("fmtp").find_map(value).unwrap_or_default()
    }

    /// The H.264 of the offer that plays constrained baseline in packetization mode 1.
    fn h264(&self) -> Result<Codec, SignalError> {
        let plays = |payload: &u8| {
            let fmtp = self.fmtp(*payload).to_ascii_lowercase();
            let profile = parameter(&fmtp, "profile-level-id").and_then(|id| u32::from_str_radix(id, 16).ok());
            // Profile 66 with constraint 1 set is constrained baseline; plain baseline contains it.
            let rank = profile.filter(|id| id >> 16 == 0x42).map(|id| u8::from(id & 0x4000 == 0));
            rank.filter(|_| parameter(&fmtp, "packetization-mode") == Some("1"))
        };
        let found = self
            .payloads("h264/90000")
            .into_iter()
            .filter_map(|payload| Some((plays(&payload)?, payload)))
            .min_by_key(|(rank, _)| *rank);
        let Some((_, payload)) = found else {
            return Err(SignalError::NoCodec(
                "the offer has no H.264 constrained baseline with packetization-mode 1; Firefox loads its H.264 within minutes \
                 of its first start (about:addons, Plugins), other browsers bring one"
                    .to_owned(),
            ));
        };
        let repairs = |rtx: &u8| parameter(self.fmtp(*rtx), "apt").and_then(|apt| apt.parse().ok()) == Some(payload);
        Ok(Codec {
            payload,
            rtx: self.payloads("rtx/90000").into_iter().find(repairs),
            fmtp: self.fmtp(payload).to_owned(),
        })
    }

    fn opus(&self) -> Result<Codec, SignalError> {
        let found = self.payloads("opus/48000/2").into_iter().next();
        let payload = found.ok_or_else(|| SignalError::NoCodec("the offer has no Opus".to_owned()))?;
        Ok(Codec { payload, rtx: None, fmtp: self.fmtp(payload).to_owned() })
    }

    fn rejection(&self) -> String {
        let mut words: Vec<&str> = self.lines[0].split(' ').collect();
        words[1] = "0";
        let mid = self.values("mid").next().map(|mid| format!("a=mid:{mid}\n")).unwrap_or_default();
        format!("{}\nc=IN IP4 0.0.0.0\na=inactive\n{mid}", words.join(" "))
    }
}

/// The offer with only the kept sections, and a bundle of these.
fn reduced(session: &[&str], sections: &[Section<'_>], kept: &[bool], default: Direction) -> String {
    let kept: Vec<&Section<'_>> =
        sections.iter().zip(kept).filter(|(_, kept)| **kept).map(|(section, _)| section).collect();
    let mids: Vec<&str> = kept.iter().filter_map(|section| section.values("mid").next()).collect();
    let mut text = String::new();
    for line in session.iter().filter(|line| !is_candidate(line)) {
        match line.strip_prefix("a=group:BUNDLE") {
            Some(_) => text.push_str(&format!("a=group:BUNDLE {}", mids.join(" "))),
            None => text.push_str(line),
        }
        text.push_str("\r\n");
    }
    for section in kept {
        let skipped = |line: &str| is_candidate(line) || direction(&[line]).is_some() || line == BUNDLE_ONLY;
        for line in section.lines.iter().filter(|line| !skipped(line)) {
            // A bundle-only section is offered with port 0, which the stack takes for a rejection.
            match line.strip_prefix("m=").and_then(|m| m.split_once(" 0 ")) {
                Some((kind, formats)) => text.push_str(&format!("m={kind} 9 {formats}")),
                None => text.push_str(line),
            }
            text.push_str("\r\n");
        }
        // Always said, because the stack rejects an m-line that leaves the default to be understood.
        text.push_str(direction(&section.lines).unwrap_or(default).line());
    }
    text
}

fn is_candidate(line: &str) -> bool {
    line.starts_with("a=candidate:") || line.starts_with("a=end-of-candidates")
}

fn direction(lines: &[&str]) -> Option<Direction> {
    lines.iter().find_map(|line| match *line {
        "a=sendrecv" => Some(Direction { sends: true, receives: true }),
        "a=sendonly" => Some(Direction { sends: true, receives: false }),
        "a=recvonly" => Some(Direction { sends: false, receives: true }),
        "a=inactive" => Some(Direction { sends: false, receives: false }),
        _ => None,
    })
}

fn parameter<'a>(fmtp: &'a str, name: &str) -> Option<&'a str> {
    fmtp.split(';').find_map(|pair| pair.trim().split_once('=').filter(|(key, _)| *key == name).map(|(_, value)| value))
}
