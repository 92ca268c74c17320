//! Addresses and what answers them.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Extension, FromRequest, Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{delete, get, post};
use axum::{Json, Router, middleware};
use serde_json::{Value, json};
use vultus::emotion::Emotion;

use super::guard::{Guard, guard};
use super::lines::Line;
use super::refusal::{Refusal, as_json};
use super::signal::WishQuery;
use super::transport::Role;
use super::{App, page, signal, speak, stats};

/// Longest body of a request: offers of browsers have 2 to 8 KiB.
const BODY: usize = 64 << 10;
/// How long a client may take to send one.
const BODY_TIME: Duration = Duration::from_secs(10);

/// Everything that the server answers. `measuring` adds what `vultus latency` needs.
pub(super) fn router(app: App, checks: Guard, measuring: bool) -> Router {
    let mut router = Router::new();
    for (kind, role) in [("call", Role::Call), ("whep", Role::Watch), ("whip", Role::Microphone)] {
        let offer = move |State(app),
                          Extension(line): Extension<Arc<Line>>,
                          wish: WishQuery,
                          headers: HeaderMap,
                          Body(body): Body| async move {
            signal::offer(role, kind, app, &line, wish, &headers, &body).await
        };
        router = router
            .route(&format!("/v1/{kind}"), post(offer).options(signal::endpoint_options))
            .route(&format!("/v1/{kind}/{{peer}}"), delete(signal::leave).options(signal::session_options));
    }
    let router = router
        .route("/", get(page::index))
        .route("/sample.wav", get(page::sample))
        .route("/v1/avatars", get(avatars))
        .route("/v1/avatars/{file}", get(portrait))
        .route("/v1/speak", get(speak::speak))
        .route("/v1/stats", get(stats::stats))
        .route("/metrics", get(stats::metrics))
        .route("/healthz", get(async || "ok\n"));
    let router = if measuring {
        router.route("/{name}", get(page::measuring)).route("/v1/latency/result", post(result))
    } else {
        router.route("/{name}", get(page::named))
    };
    router
        .fallback(async || page::missing())
        .method_not_allowed_fallback(async || {
            Refusal::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "this address does not take that method; the header Allow names those that it takes",
            )
        })
        .layer(DefaultBodyLimit::max(if measuring { 64 * BODY } else { BODY }))
        .layer(middleware::from_fn(as_json))
        .layer(middleware::from_fn_with_state(checks, guard))
        .with_state(app)
}

/// A body that came whole and in time.
struct Body(Bytes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        match tokio::time::timeout(BODY_TIME, Bytes::from_request(request, state)).await {
            Ok(Ok(bytes)) => Ok(Self(bytes)),
            Ok(Err(error)) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(Refusal::new(error.status(), format!("the body is longer than {} KiB", BODY >> 10)))
            }
            Ok(Err(error)) => Err(Refusal::new(error.status(), error.body_text())),
            Err(_) => {
                let sentence = format!("the body did not come within {} seconds", BODY_TIME.as_secs());
                Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, sentence))
            }
        }
    }
}

async fn avatars(State(app): State<App>) -> Json<Value> {
    let avatars: Vec<Value> = app
        .rooms
        .studio()
        .avatars()
        .map(
            |(name, default)| json!({ "name": name, "default": default, "picture": format!("/v1/avatars/{name}.jpg") }),
        )
        .collect();
    Json(json!({ "avatars": avatars, "emotions": Emotion::ALL.map(Emotion::name), "intensity": [1, 3] }))
}

async fn portrait(State(app): State<App>, Path(file): Path<String>) -> Result<impl IntoResponse, Refusal> {
    let name = file.strip_suffix(".jpg").unwrap_or(&file).to_owned();
    let studio = Arc::clone(app.rooms.studio());
    studio.knows(&name).map_err(|sentence| Refusal::new(StatusCode::NOT_FOUND, sentence))?;
    let jpeg = tokio::task::spawn_blocking(move || studio.thumbnail(&name)).await;
    let drawing = "making the portrait's picture";
    let jpeg = jpeg.map_err(|error| Refusal::internal(drawing, error))?;
    let jpeg = jpeg.map_err(|error| Refusal::internal(drawing, error))?;
    Ok(([(header::CONTENT_TYPE, "image/jpeg"), (header::CACHE_CONTROL, "max-age=3600")], jpeg.to_vec()))
}

/// What the measuring page found.
async fn result(State(app): State<App>, Body(body): Body) -> Result<StatusCode, Refusal> {
    let result = serde_json::from_slice(&body).map_err(|error| Refusal::bad_request(error.to_string()))?;
    Ok(match app.results.try_send(result) {
        Ok(()) => StatusCode::NO_CONTENT,
        Err(_) => StatusCode::CONFLICT,
    })
}
