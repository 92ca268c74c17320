//! Offers that were answered and that nobody has connected to yet. Each may hold a whole session, so one address may have only so many.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use axum::http::StatusCode;

use super::lock::lock;
use crate::refusal::Refusal;

/// See the module's text.
pub(super) struct Offers {
    /// Of one address.
    max: usize,
    counts: Mutex<HashMap<IpAddr, usize>>,
}

/// One such offer, until this is dropped.
pub struct Unanswered {
    offers: Arc<Offers>,
    from: IpAddr,
}

impl Offers {
    pub(super) fn new(max: usize) -> Self {
        Self { max, counts: Mutex::default() }
    }

    pub(super) fn take(self: &Arc<Self>, from: IpAddr) -> Result<Unanswered, Refusal> {
        let mut counts = lock(&self.counts);
        let count = counts.entry(from).or_default();
        if *count >= self.max {
            let sentence = "other offers from your address have not been connected to yet; try again in a moment";
            return Err(Refusal::later(StatusCode::TOO_MANY_REQUESTS, sentence, 2));
        }
        *count += 1;
        Ok(Unanswered { offers: Arc::clone(self), from })
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        let mut counts = lock(&self.offers.counts);
        if let Some(count) = counts.get_mut(&self.from) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_hold_all_places() {
        let offers = Arc::new(Offers::new(2));
        let (greedy, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let held: Vec<Unanswered> = (0..2).map(|_| offers.take(greedy).ok().unwrap()).collect();
        assert_eq!(offers.take(greedy).err().unwrap().status, 429);
        assert!(offers.take(other).is_ok());
        drop(held);
        assert!(lock(&offers.counts).is_empty());
        assert!(offers.take(greedy).is_ok());
    }
}
