//! Which of the offered payload types is used, and what the answer says about it.
//!
//! What is sent is constrained baseline. Every decoder of the profiles Baseline, Main, Extended and High (and those above it that are not
//! intra-only) plays it, because its tools are theirs as well (H.264, A.2). The answer names the profile that was offered, since RFC 6184
//! (section 8.2.2) wants both sides to name the same one; what a stream really is, its own parameter set says.

use super::super::role::SignalError;
use super::text::{Section, parameter};

/// A payload type of the offer that we will use.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Codec {
    pub(in super::super) payload: u8,
    /// Its retransmission (RFC 4588).
    pub(in super::super) rtx: Option<u8>,
    /// Every unit has to fit into one packet (packetization-mode 0).
    pub(in super::super) single_units: bool,
    /// What the answer's `a=fmtp` says; nothing where it has none.
    pub(super) fmtp: String,
}

/// The best H.264 of the offer: rather packets of any size (mode 1) than of one unit each (mode 0), then the profile that is nearest to what
/// is sent, then the offer's own order.
pub(super) fn h264(section: &Section<'_>) -> Result<Codec, SignalError> {
    let offered = section.payloads("h264/90000");
    let best = offered.iter().filter_map(|payload| Some((Form::read(section.fmtp(*payload))?, *payload)));
    let Some((form, payload)) = best.min_by_key(|(form, _)| (form.single_units, form.distance)) else {
        return Err(SignalError::NoCodec(none(section, &offered)));
    };
    let repairs = |rtx: &u8| parameter(section.fmtp(*rtx), "apt").and_then(|apt| apt.parse().ok()) == Some(payload);
    Ok(Codec {
        payload,
        rtx: section.payloads("rtx/90000").into_iter().find(repairs),
        single_units: form.single_units,
        fmtp: form.answer,
    })
}

fn none(section: &Section<'_>, offered: &[u8]) -> String {
    if offered.is_empty() {
        let names = section.lines.values("rtpmap").filter_map(|map| map.split_ascii_whitespace().nth(1));
        let names: Vec<&str> = names.map(|name| name.split('/').next().unwrap_or_default()).collect();
        return format!(
            "the offer has no H.264, only {}; Firefox loads its H.264 within minutes of its first start (about:addons, Plugins), \
             other browsers bring one",
            if names.is_empty() { "payload types without a name".to_owned() } else { names.join(", ") },
        );
    }
    let forms: Vec<String> = offered.iter().map(|payload| format!("{payload} ({})", section.fmtp(*payload))).collect();
    format!(
        "the offer's H.264 cannot be sent: wanted is packetization-mode 1 or 0 and a profile that contains constrained baseline \
         (profile-level-id 42…, 4d…, 58…, 64…, or none), offered is {}",
        forms.join(", "),
    )
}

/// A way to send H.264, as format parameters describe it.
struct Form {
    single_units: bool,
    /// How far the profile is from what is sent.
    distance: u8,
    answer: String,
}

impl Form {
    fn read(fmtp: &str) -> Option<Form> {
        let profile = parameter(fmtp, "profile-level-id");
        let distance = match profile {
            // RFC 6184 section 8.1: what is not said is baseline, and mode 0.
            None => 1,
            Some(id) => distance(id)?,
        };
        let mode = parameter(fmtp, "packetization-mode");
        let single_units = match mode {
            None | Some("0") => true,
            Some("1") => false,
            _ => return None,
        };
        let asymmetric = parameter(fmtp, "level-asymmetry-allowed") == Some("1");
        let said = [
            asymmetric.then(|| "level-asymmetry-allowed=1".to_owned()),
            mode.map(|mode| format!("packetization-mode={mode}")),
            profile.map(|id| format!("profile-level-id={id}")),
        ];
        Some(Form { single_units, distance, answer: said.into_iter().flatten().collect::<Vec<_>>().join(";") })
    }
}

/// How far a profile (profile_idc, constraint flags and level as six hexadecimal digits) is from constrained baseline, if it contains it.
fn distance(id: &str) -> Option<u8> {
    if id.len() != 6 {
        return None;
    }
    let id = u32::from_str_radix(id, 16).ok()?;
    let constraint = |number: u32| id & (0x8000 >> number) != 0;
    match id >> 16 {
        66 if constraint(1) => Some(0),
        // RFC 6184, table 5: with these flags it is constrained baseline under another name.
        77 if constraint(0) => Some(0),
        88 if constraint(0) && constraint(1) => Some(0),
        66 => Some(1),
        77 | 100 => Some(2),
        88 => Some(3),
        // High 10, High 4:2:2, High 4:4:4 Predictive, unless they take intra frames only.
        110 | 122 | 244 if !constraint(3) => Some(4),
        _ => None,
    }
}

/// The first Opus of the offer.
pub(super) fn opus(section: &Section<'_>) -> Result<Codec, SignalError> {
    // RFC 7587 wants "/2" behind it, whatever is sent. Some leave it out.
    let payload = section.payloads("opus/48000").into_iter().next();
    let payload = payload.ok_or_else(|| SignalError::NoCodec("the offer's m=audio line has no Opus".to_owned()))?;
    Ok(Codec { payload, rtx: None, single_units: false, fmtp: String::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_that_contain_constrained_baseline_are_known() {
        for (id, expected) in [
            ("42e01f", Some(0)),
            ("42C01F", Some(0)),
            ("42001f", Some(1)),
            ("4d001f", Some(2)),
            ("4d8028", Some(0)),
            ("640c1f", Some(2)),
            ("640032", Some(2)),
            ("58001f", Some(3)),
            ("58c01f", Some(0)),
            ("6e0028", Some(4)),
            ("6e1028", None),
            ("f40028", Some(4)),
            ("2c1028", None),
            ("42e0", None),
            ("zzzzzz", None),
            ("", None),
        ] {
            assert_eq!(distance(id), expected, "{id}");
        }
    }

    #[test]
    fn the_answer_says_what_was_offered_and_nothing_else() {
        for (offered, single_units, answer) in [
            ("", true, ""),
            ("packetization-mode=1", false, "packetization-mode=1"),
            ("profile-level-id=42e01f", true, "profile-level-id=42e01f"),
            (
                "profile-level-id=640C1F; Packetization-Mode=1 ;x-google-start-bitrate=9",
                false,
                "packetization-mode=1;profile-level-id=640C1F",
            ),
            (
                "profile-level-id=4d001f;sprop-parameter-sets=Z0Kg,aM4=;level-asymmetry-allowed=1;packetization-mode=0",
                true,
                "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=4d001f",
            ),
        ] {
            let form = Form::read(offered).unwrap();
            assert_eq!((form.single_units, form.answer.as_str()), (single_units, answer), "{offered}");
        }
        assert!(Form::read("packetization-mode=2;profile-level-id=42e01f").is_none());
    }
}
