//! Just enough of DTLS 1.2 (RFC 6347) to see a connection end.

const HEADER: usize = 13;
const ALERT: u8 = 21;
const APPLICATION_DATA: u8 = 23;

/// Whether a DTLS datagram that leaves is an encrypted alert. The stack writes one in answer to the browser's goodbye (close_notify), which it
/// tells nobody about, when the connection is broken for good, and when we say goodbye ourselves: in any case it is the last of the connection.
pub(super) fn ends(datagram: &[u8]) -> bool {
    records(datagram).any(|(kind, epoch)| kind == ALERT && epoch > 0)
}

/// Whether a datagram has an alert or data that nobody signed. The stack would believe such an alert at any time, so that a stranger who
/// forges the browser's address could hang up for it.
pub(super) fn unsigned(datagram: &[u8]) -> bool {
    records(datagram).any(|(kind, epoch)| matches!(kind, ALERT | APPLICATION_DATA) && epoch == 0)
}

/// Type and epoch of each record, for a datagram that is DTLS by its first byte (RFC 7983).
fn records(datagram: &[u8]) -> impl Iterator<Item = (u8, u16)> {
    let mut rest = datagram.first().filter(|first| (20..64).contains(*first)).map_or(&[][..], |_| datagram);
    std::iter::from_fn(move || {
        let header = rest.get(..HEADER)?;
        let record = (header[0], u16::from_be_bytes([header[3], header[4]]));
        rest = rest.get(HEADER + usize::from(u16::from_be_bytes([header[11], header[12]]))..).unwrap_or_default();
        Some(record)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u8, epoch: u8) -> Vec<u8> {
        vec![kind, 254, 253, 0, epoch, 0, 0, 0, 0, 0, 1, 0, 2, 1, 0]
    }

    #[test]
    fn alerts_are_told_apart() {
        assert!(ends(&record(ALERT, 1)) && !unsigned(&record(ALERT, 1)));
        assert!(unsigned(&record(ALERT, 0)) && !ends(&record(ALERT, 0)));
        assert!(unsigned(&[record(22, 0), record(ALERT, 0)].concat()));
        assert!(!unsigned(&record(22, 0)) && !ends(&record(22, 1)));
        assert!(!unsigned(b"\x80\xff") && !ends(&[]) && !unsigned(&[ALERT, 254]));
    }
}
