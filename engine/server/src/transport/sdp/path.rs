//! How the offer's writer is reached: its ICE credentials, its certificate, who opens DTLS, and which m-lines go one way together.

use super::super::role::SignalError;
use super::text::{Lines, Section, Text};

/// The one path that all used m-lines share.
#[derive(Clone, Debug)]
pub(super) struct Path {
    pub(super) ufrag: String,
    pub(super) password: String,
    /// Hash function and hash, as in `a=fingerprint`.
    pub(super) fingerprint: String,
    /// The offer leaves opening DTLS to us.
    pub(super) passive: bool,
    /// Mids of the used m-lines as the answer's bundle names them, in the offer's order; none where the offer has no bundle.
    pub(super) bundle: Vec<String>,
}

/// Whether two m-lines share a path: by a bundle, or by naming the same port and credentials without one.
pub(super) fn together(text: &Text<'_>, one: &Section<'_>, other: &Section<'_>) -> bool {
    let bundles = text.bundles();
    if bundles.is_empty() {
        let words = |section: &Section<'_>| {
            ["ice-ufrag", "ice-pwd"]
                .map(|name| section.lines.value(name).or(text.session.value(name)).map(str::to_owned))
        };
        return one.port == other.port && words(one) == words(other);
    }
    let (Some(one), Some(other)) = (one.mid(), other.mid()) else { return false };
    bundles.iter().any(|mids| mids.contains(&one) && mids.contains(&other))
}

impl Path {
    /// The path of the used m-lines, which are there and go together.
    pub(super) fn read(text: &Text<'_>, used: &[&Section<'_>]) -> Result<Path, SignalError> {
        if text.session.says("ice-lite") {
            return Err(SignalError::Unsupported(
                "the offer says a=ice-lite, and so does this server: one side has to make the checks (RFC 8445)"
                    .to_owned(),
            ));
        }
        let bundle =
            text.bundles().into_iter().find(|mids| used.iter().all(|s| s.mid().is_some_and(|mid| mids.contains(&mid))));
        let order = bundle.unwrap_or_default();
        // RFC 9143 (section 7.2): the first m-line of the bundle that is not rejected speaks for all. Some write what belongs to the path into
        // the first m-line only, whether it is used or not, or before all m-lines.
        let at = |section: &Section<'_>| {
            section.mid().and_then(|mid| order.iter().position(|other| *other == mid)).unwrap_or(usize::MAX)
        };
        let mut used: Vec<&Section<'_>> = used.to_vec();
        used.sort_by_key(|section| at(section));
        let mut mates: Vec<&Section<'_>> = text.sections.iter().filter(|section| at(section) < usize::MAX).collect();
        mates.sort_by_key(|section| at(section));
        let sources: Vec<&Lines<'_>> =
            used.iter().map(|s| &s.lines).chain([&text.session]).chain(mates.iter().map(|s| &s.lines)).collect();
        let find = |name: &str| sources.iter().find_map(|lines| lines.value(name));

        // Both of one place: a name of one m-line does not go with the password of another.
        let credentials =
            |lines: &&Lines<'_>| Some((lines.value("ice-ufrag")?.to_owned(), lines.value("ice-pwd")?.to_owned()));
        let (ufrag, password) = sources
            .iter()
            .find_map(credentials)
            .filter(|(ufrag, password)| is_word(ufrag) && is_word(password))
            .ok_or_else(|| {
                SignalError::Malformed("the offer has no a=ice-ufrag and a=ice-pwd for its m-lines".to_owned())
            })?;
        let passive = match find("setup").map(str::to_ascii_lowercase).as_deref() {
            None | Some("actpass" | "active") => false,
            Some("passive") => true,
            Some(other) => {
                let sentence =
                    format!("the offer says a=setup:{other}; wanted is actpass, active or passive (RFC 5763)");
                return Err(SignalError::Unsupported(sentence));
            }
        };
        if !sources.iter().any(|lines| lines.says("rtcp-mux") || lines.says("rtcp-mux-only")) {
            return Err(SignalError::Unsupported(
                "the offer has no a=rtcp-mux, and this server has one port for RTP and RTCP (RFC 8834 section 4.5)"
                    .to_owned(),
            ));
        }
        Ok(Path {
            ufrag,
            password,
            fingerprint: fingerprint(&sources)?,
            passive,
            bundle: if order.is_empty() {
                Vec::new()
            } else {
                used.iter().filter_map(|s| s.mid()).map(str::to_owned).collect()
            },
        })
    }
}

fn is_word(text: &str) -> bool {
    (1..=256).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The offer's SHA-256 fingerprint: of several (RFC 8122 section 5) the one that the stack can check.
fn fingerprint(sources: &[&Lines<'_>]) -> Result<String, SignalError> {
    let all = || sources.iter().flat_map(|lines| lines.values("fingerprint"));
    let sha256 = all().find_map(|value| {
        let (function, hash) = value.split_once([' ', '\t'])?;
        let hash = hash.trim();
        let is_hash = hash.len() == 95
            && hash.split(':').count() == 32
            && hash.split(':').all(|byte| byte.len() == 2 && byte.bytes().all(|digit| digit.is_ascii_hexdigit()));
        (function.eq_ignore_ascii_case("sha-256") && is_hash).then(|| format!("sha-256 {}", hash.to_ascii_uppercase()))
    });
    sha256.ok_or_else(|| match all().next() {
        None => SignalError::Malformed(
            "the offer has no a=fingerprint, so that its certificate cannot be checked".to_owned(),
        ),
        Some(_) => SignalError::Unsupported(
            "the offer has no a=fingerprint of the form sha-256 XX:…:XX with 32 bytes".to_owned(),
        ),
    })
}
