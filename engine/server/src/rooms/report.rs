//! How a room is doing.

use serde_json::{Value, json};
use vultus::timing::StageSummary;
use vultus_native::stream::live::LiveStatus;

use super::lock::lock;
use super::room::Room;
use crate::studio::Studio;

impl Room {
    /// What is told about the session. Its id opens it, so only the beginning is shown.
    pub fn report(&self) -> Value {
        let status = self.live().map(|live| live.status()).unwrap_or_default();
        let look = self.look();
        let lead_ms = self.lead().as_secs_f64() * 1e3;
        let (peers, bits) = {
            let guests = lock(&self.hub.guests);
            (guests.len(), guests.values().filter_map(|guest| guest.bits).min())
        };
        json!({
            "id": &self.id[..8],
            // What is seen here is no recording of a person.
            "made": "synthetic",
            "fps": (status.fps * 10.0).round() / 10.0,
            "frames": status.counts.frames,
            "dropped": status.counts.dropped,
            "microphone_dropped": status.counts.microphone_dropped + status.refused,
            "avatar": Studio::public_name(&look.avatar),
            "background": look.background.to_string(),
            "emotion": look.emotion,
            "intensity": look.mood.mu(),
            "peers": peers,
            "recording": self.is_recorded(),
            "speaking": status.speaking,
            "hearing": status.hearing,
            "queued_ms": status.queued.as_millis() as u64,
            "voice_lead_ms": (lead_ms * 10.0).round() / 10.0,
            "voice_delay_ms": status.voice_delay.as_millis() as u64,
            "bits": status.bits,
            "path_bits": bits,
            "video_bytes": status.video_bytes,
            "stages_ms": self.stages(&status),
        })
    }

    fn stages(&self, status: &LiveStatus) -> Value {
        let [send, server] = self.hub.sending().map(|times| times.summary());
        let mut stages = serde_json::Map::new();
        for (name, summary) in &status.stages {
            // To the packet, where packets leave; else to the encoded frame.
            let summary = if *name == "server" && server.count > 0 { &server } else { summary };
            stages.insert((*name).to_owned(), short(summary));
        }
        stages.insert("send".to_owned(), short(&send));
        stages.into()
    }
}

fn short(summary: &StageSummary) -> Value {
    json!({ "p50": summary.p50_ms, "p95": summary.p95_ms, "p99": summary.p99_ms, "count": summary.count })
}
