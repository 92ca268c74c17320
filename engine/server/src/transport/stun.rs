//! Just enough of STUN (RFC 8489) to decide whose datagram this is, and whether its sender knows the password.

use rtc::crypto::{HmacAlgorithm, Mac, default_provider};

const HEADER: usize = 20;
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const BINDING_REQUEST: [u8; 2] = [0x00, 0x01];
const BINDING_SUCCESS: [u8; 2] = [0x01, 0x01];
const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const HMAC_SHA1: usize = 20;

/// A connectivity check that a browser sends. Nothing of it is to be believed before [`Request::signed`].
pub(super) struct Request<'a> {
    datagram: &'a [u8],
    /// Where the integrity attribute begins; the signature covers what stands before it.
    integrity: usize,
    /// Our half of the user name, which names the session.
    pub(super) ufrag: &'a str,
}

/// Reads a binding request with a user name and a signature, in this order, or gives `None`.
pub(super) fn request(datagram: &[u8]) -> Option<Request<'_>> {
    if datagram.len() < HEADER || datagram[..2] != BINDING_REQUEST || datagram[4..8] != COOKIE {
        return None;
    }
    if HEADER + usize::from(be16(datagram, 2)?) != datagram.len() {
        return None;
    }
    let mut ufrag = None;
    let mut at = HEADER;
    // A name that comes after the signature is not covered by it, so reading ends at the signature.
    loop {
        let (kind, length) = (be16(datagram, at)?, usize::from(be16(datagram, at + 2)?));
        let value = datagram.get(at + 4..at + 4 + length)?;
        match kind {
            MESSAGE_INTEGRITY if length == HMAC_SHA1 => {
                return Some(Request { datagram, integrity: at, ufrag: ufrag? });
            }
            MESSAGE_INTEGRITY => return None,
            USERNAME => ufrag = std::str::from_utf8(value).ok()?.split_once(':').map(|(ours, _)| ours),
            _ => {}
        }
        at += 4 + length.next_multiple_of(4);
    }
}

/// Whether this may be the answer to a binding request of ours, a success. Only its signature tells whether it is.
pub(super) fn answers(datagram: &[u8]) -> bool {
    datagram.len() >= HEADER && datagram[..2] == BINDING_SUCCESS && datagram[4..8] == COOKIE
}

impl Request<'_> {
    /// Whether the signature was made with the password that `key` was made from (compared in constant time).
    pub(super) fn signed(&self, key: &mut Key) -> bool {
        // The length that is signed is the one the message had when the signature was the last attribute.
        let signed_length = (self.integrity + 4 + HMAC_SHA1 - HEADER) as u16;
        let parts: [&[u8]; 3] = [&self.datagram[..2], &signed_length.to_be_bytes(), &self.datagram[4..self.integrity]];
        key.0.verify(&parts, &self.datagram[self.integrity + 4..][..HMAC_SHA1]).is_ok()
    }
}

/// A session's ICE password, ready to check signatures.
pub(super) struct Key(Box<dyn Mac>);

impl Key {
    pub(super) fn new(password: &str) -> std::io::Result<Key> {
        let mac = default_provider()
            .and_then(|provider| provider.crypto().new_hmac(HmacAlgorithm::Sha1, password.as_bytes()));
        mac.map(Key).map_err(std::io::Error::other)
    }

    /// The signature a request must carry; for tests that play a browser.
    #[cfg(test)]
    pub(super) fn sign(&mut self, parts: &[&[u8]]) -> [u8; HMAC_SHA1] {
        let mut tag = [0; HMAC_SHA1];
        self.0.sign(parts, &mut tag).expect("signing");
        tag
    }
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
}
