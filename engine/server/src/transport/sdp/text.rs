//! An SDP text cut into lines and m-sections (RFC 8866), and how what stands there is found.

use super::super::role::SignalError;

/// Longer texts are refused. A browser's offer of two m-lines has about 6 KB.
const LONGEST: usize = 64 * 1024;
const MOST_SECTIONS: usize = 32;

/// A whole text.
pub(super) struct Text<'a> {
    pub(super) session: Lines<'a>,
    pub(super) sections: Vec<Section<'a>>,
}

/// The lines of the session, or of one m-section without its m-line.
#[derive(Default)]
pub(super) struct Lines<'a>(pub(super) Vec<&'a str>);

/// An m-line with what belongs to it.
pub(super) struct Section<'a> {
    /// Such as `video`.
    pub(super) kind: &'a str,
    /// As it stands there: a number, perhaps with a count of ports behind a slash.
    pub(super) port: &'a str,
    /// Such as `UDP/TLS/RTP/SAVPF`.
    pub(super) protocol: &'a str,
    /// Payload types, or whatever the protocol has in their place.
    pub(super) formats: Vec<&'a str>,
    pub(super) lines: Lines<'a>,
}

/// What may flow, as the text's writer sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Direction {
    pub(super) sends: bool,
    pub(super) receives: bool,
}

impl<'a> Text<'a> {
    /// Lines may end in CR LF or LF alone, blank ones do not count, and neither do spaces at a line's end.
    pub(super) fn read(text: &'a str) -> Result<Text<'a>, SignalError> {
        let malformed = |what: &str| Err(SignalError::Malformed(format!("the offer is no SDP: {what}")));
        if text.len() > LONGEST {
            return malformed(&format!("it is longer than {LONGEST} bytes"));
        }
        let (mut session, mut sections) = (Lines::default(), Vec::<Section<'_>>::new());
        for line in text.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
            if line.as_bytes().get(1) != Some(&b'=')
                || !line.as_bytes()[0].is_ascii_lowercase()
                || line.chars().any(|c| c.is_control() && c != '\t')
            {
                return malformed("a line does not have the form letter=value");
            }
            match (line.strip_prefix("m="), sections.last_mut()) {
                (Some(m), _) => {
                    let mut words = m.split_ascii_whitespace();
                    let (Some(kind), Some(port), Some(protocol)) = (words.next(), words.next(), words.next()) else {
                        return malformed("an m-line is incomplete");
                    };
                    let formats: Vec<&str> = words.collect();
                    if formats.is_empty() {
                        return malformed("an m-line is incomplete");
                    }
                    sections.push(Section { kind, port, protocol, formats, lines: Lines::default() });
                }
                (None, Some(section)) => section.lines.0.push(line),
                (None, None) => session.0.push(line),
            }
        }
        if session.0.first() != Some(&"v=0") {
            return malformed("it does not begin with v=0");
        }
        if sections.is_empty() || sections.len() > MOST_SECTIONS {
            return malformed(&format!("it has no m-lines, or more than {MOST_SECTIONS}"));
        }
        Ok(Text { session, sections })
    }

    /// The mids of each `a=group:BUNDLE` (RFC 9143), in its order.
    pub(super) fn bundles(&self) -> Vec<Vec<&'a str>> {
        let mids = |group: &'a str| {
            let mut words = group.split_ascii_whitespace();
            (words.next() == Some("BUNDLE")).then(|| words.collect())
        };
        self.session.values("group").filter_map(mids).collect()
    }
}

impl<'a> Lines<'a> {
    /// What stands behind `a=NAME:`, in every such line.
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter_map(move |line| Some(line.strip_prefix("a=")?.strip_prefix(name)?.strip_prefix(':')?.trim()))
    }

    pub(super) fn value(&self, name: &str) -> Option<&'a str> {
        self.values(name).next()
    }

    /// Whether there is a line `a=NAME`.
    pub(super) fn says(&self, name: &str) -> bool {
        self.0.iter().any(|line| line.strip_prefix("a=") == Some(name))
    }

    pub(super) fn direction(&self) -> Option<Direction> {
        self.0.iter().find_map(|line| {
            let (sends, receives) = match *line {
                "a=sendrecv" => (true, true),
                "a=sendonly" => (true, false),
                "a=recvonly" => (false, true),
                "a=inactive" => (false, false),
                _ => return None,
            };
            Some(Direction { sends, receives })
        })
    }
}

impl<'a> Section<'a> {
    /// Port 0 rejects a section, unless it only lives in a bundle (RFC 9143 section 6): so offers Firefox all but its first.
    pub(super) fn rejected(&self) -> bool {
        self.port == "0" && !self.lines.says("bundle-only")
    }

    pub(super) fn mid(&self) -> Option<&'a str> {
        self.lines.value("mid").filter(|mid| !mid.is_empty())
    }

    /// Payload types of an encoding such as `h264/90000` (in lower case; names have none, RFC 4855 section 3), in the offer's order of preference.
    pub(super) fn payloads(&self, encoding: &str) -> Vec<u8> {
        let named = |payload: &str| {
            self.lines.values("rtpmap").any(|map| {
                map.split_once([' ', '\t']).is_some_and(|(number, name)| {
                    let name = name.trim().to_ascii_lowercase();
                    number == payload
                        && name
                            .strip_prefix(encoding)
                            .is_some_and(|rest| matches!(rest.bytes().next(), None | Some(b'/')))
                })
            })
        };
        let number = |payload: &str| payload.parse().ok().filter(|number| *number < 128);
        self.formats.iter().filter(|payload| named(payload)).filter_map(|payload| number(payload)).collect()
    }

    /// The format parameters of a payload type; empty where the offer has none.
    pub(super) fn fmtp(&self, payload: u8) -> &'a str {
        let value = |line: &'a str| {
            line.split_once([' ', '\t'])
                .filter(|(number, _)| number.parse() == Ok(payload))
                .map(|(_, value)| value.trim())
        };
        self.lines.values("fmtp").find_map(value).unwrap_or_default()
    }
}

/// The value of one format parameter (`a=1;b=2`). Names have no case.
pub(super) fn parameter<'a>(fmtp: &'a str, name: &str) -> Option<&'a str> {
    fmtp.split(';').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })
}
