//! How the server is doing: JSON for people and programs, text for Prometheus.

use std::fmt::Write as _;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use serde_json::{Map, Value, json};

use crate::app::App;

pub(crate) async fn stats(State(app): State<App>) -> Json<Value> {
    Json(report(&app))
}

/// The object of `GET /v1/stats`.
pub(crate) fn report(app: &App) -> Value {
    let sessions: Vec<Value> = app.rooms.all().iter().map(|room| room.report()).collect();
    let (peers, addresses) = app.transport.held();
    json!({
        "max_sessions": app.rooms.max(),
        "peers": peers,
        "addresses": addresses,
        "own_avatars": app.rooms.studio().own().len(),
        "enrolling": app.desk.taken(),
        "stages_ms": worst(&sessions),
        "sessions": sessions,
    })
}

/// For each stage the slowest session's figures: what an operator wants to be warned of.
fn worst(sessions: &[Value]) -> Value {
    let mut stages: Map<String, Value> = Map::new();
    for session in sessions {
        for (name, figures) in session["stages_ms"].as_object().into_iter().flatten() {
            let slower = stages.get(name).is_none_or(|known| figures["p95"].as_f64() > known["p95"].as_f64());
            if slower {
                stages.insert(name.clone(), figures.clone());
            }
        }
    }
    stages.into()
}

pub(crate) async fn metrics(State(app): State<App>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], prometheus(&report(&app)))
}

/// The Prometheus text format (version 0.0.4).
fn prometheus(report: &Value) -> String {
    let sessions = report["sessions"].as_array().map_or(&[][..], Vec::as_slice);
    let sum = |key: &str| sessions.iter().filter_map(|session| session[key].as_f64()).sum::<f64>();
    let mut out = String::new();
    let mut one = |name: &str, kind: &str, help: &str, value: f64| {
        // Writing to a String does not fail.
        let _ = writeln!(out, "# HELP vultus_{name} {help}\n# TYPE vultus_{name} {kind}\nvultus_{name} {value}");
    };
    one("sessions", "gauge", "Sessions that run.", sessions.len() as f64);
    one("sessions_max", "gauge", "Sessions that may run.", report["max_sessions"].as_f64().unwrap_or(0.0));
    one("peers", "gauge", "WebRTC connections.", report["peers"].as_f64().unwrap_or(0.0));
    one("session_frames", "gauge", "Frames made by the sessions that run.", sum("frames"));
    one("session_frames_dropped", "gauge", "Frames dropped by the sessions that run.", sum("dropped"));
    one("session_video_bytes", "gauge", "Bytes of video made by the sessions that run.", sum("video_bytes"));
    let name = "vultus_stage_milliseconds";
    let _ =
        writeln!(out, "# HELP {name} Time of each stage over the last minute, slowest session.\n# TYPE {name} gauge");
    for (stage, figures) in report["stages_ms"].as_object().into_iter().flatten() {
        for (quantile, key) in [("0.5", "p50"), ("0.95", "p95"), ("0.99", "p99")] {
            let value = figures[key].as_f64().unwrap_or(0.0);
            let _ = writeln!(out, "{name}{{stage=\"{stage}\",quantile=\"{quantile}\"}} {value}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_session_speaks_for_all() {
        let session =
            |p95: f64| json!({ "frames": 10, "stages_ms": { "motion": { "p50": 1.0, "p95": p95, "p99": 9.0 } } });
        let sessions = [session(2.0), session(7.0), session(3.0)];
        assert_eq!(worst(&sessions)["motion"]["p95"], 7.0);
        let text =
            prometheus(&json!({ "sessions": sessions, "stages_ms": worst(&sessions), "max_sessions": 4, "peers": 2 }));
        assert!(text.contains("vultus_stage_milliseconds{stage=\"motion\",quantile=\"0.95\"} 7\n"), "{text}");
        assert!(text.contains("vultus_session_frames 30\n"), "{text}");
    }
}
