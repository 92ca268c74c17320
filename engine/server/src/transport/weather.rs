//! Bad networks, simulated: losing and delaying datagrams on their way, so that recovery can be shown on one machine.

use std::time::Duration;

/// What befalls datagrams. Loss strikes both directions and every kind of packet, as on a real path.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Weather {
    /// How many of a hundred datagrams are lost.
    pub loss_percent: f32,
    /// How long each datagram that we send is held back.
    pub delay: Duration,
}

impl Weather {
    /// Throws the dice for one datagram.
    pub(super) fn loses(&self) -> bool {
        self.loss_percent > 0.0 && rand::random::<f32>() * 100.0 < self.loss_percent
    }
}
