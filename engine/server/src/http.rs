//! Addresses and what answers them.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{DefaultBodyLimit, Extension, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router, middleware};
use serde_json::{Value, json};
use vultus::emotion::Emotion;
use vultus::generator::Background;
use vultus_native::assets::{self, SAMPLE};

use crate::app::App;
use crate::body::{BODY, Body, PICTURE};
use crate::drive::drive;
use crate::guard::{Guard, guard};
use crate::lines::Line;
use crate::mirror::mirror;
use crate::refusal::{Refusal, as_json};
use crate::signal::WishQuery;
use crate::speak::socket::speak;
use crate::transport::Role;
use crate::{enrol, signal, stats};

/// Everything that the server answers, with the program's own addresses.
pub(crate) fn router(app: App, checks: Guard, own: Router) -> Router {
    let mut router = Router::new();
    for (kind, role) in [("call", Role::Call), ("whep", Role::Watch), ("whip", Role::Publish)] {
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
    router
        .route("/", get(index))
        .route("/sample.wav", get(sample))
        .route("/v1/avatars", get(avatars))
        .route("/v1/avatars/{file}", get(portrait))
        .route("/v1/enrol", post(enrol::enrol).layer(DefaultBodyLimit::max(PICTURE)))
        .route("/v1/enrol/{name}", delete(enrol::end))
        .route("/v1/enrol/{name}/points", post(enrol::points))
        .route("/v1/enrol/{name}/file", get(enrol::file))
        .route("/v1/speak", get(speak))
        .route("/v1/drive", get(drive))
        .route("/v1/mirror", get(mirror))
        .route("/v1/stats", get(stats::stats))
        .route("/metrics", get(stats::metrics))
        .route("/healthz", get(async || "ok\n"))
        .route("/{name}", get(named))
        .merge(own.with_state(()))
        .fallback(missing)
        .method_not_allowed_fallback(async || {
            Refusal::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "this address does not take that method; the header Allow names those that it takes",
            )
        })
        .layer(DefaultBodyLimit::max(BODY))
        .layer(middleware::from_fn_with_state(app.rooms.notices().clone(), as_json))
        .layer(middleware::from_fn_with_state(checks, guard))
        .with_state(app)
}

async fn index(State(app): State<App>) -> Response {
    app.page.index()
}

async fn named(State(app): State<App>, name: Result<Path<String>, PathRejection>) -> Response {
    // A name that is no text is no file of ours.
    name.map_or_else(|_| app.page.missing(), |Path(name)| app.page.file(&name))
}

async fn missing(State(app): State<App>) -> Response {
    app.page.missing()
}

async fn sample(State(app): State<App>) -> Response {
    match assets::embedded(SAMPLE) {
        Some(wav) => {
            ([(header::CONTENT_TYPE, "audio/wav"), (header::CACHE_CONTROL, "max-age=3600")], wav).into_response()
        }
        None => app.page.missing(),
    }
}

async fn avatars(State(app): State<App>) -> Json<Value> {
    let studio = app.rooms.studio();
    let avatars: Vec<Value> = studio
        .avatars()
        .map(
            |(name, default)| json!({ "name": name, "default": default, "picture": format!("/v1/avatars/{name}.jpg") }),
        )
        .collect();
    let default = studio.default_background();
    let mut backgrounds = vec!["portrait", "blur"];
    backgrounds.extend(matches!(default, Background::Picture(_)).then_some("picture"));
    Json(json!({
        "avatars": avatars,
        "backgrounds": backgrounds,
        "background": default.to_string(),
        "emotions": Emotion::ALL.map(Emotion::name),
        "intensity": [1, 3],
    }))
}

async fn portrait(State(app): State<App>, Path(file): Path<String>) -> Result<impl IntoResponse, Refusal> {
    let name = file.strip_suffix(".jpg").unwrap_or(&file).to_owned();
    let studio = Arc::clone(app.rooms.studio());
    studio.knows(&name).map_err(|sentence| Refusal::new(StatusCode::NOT_FOUND, sentence))?;
    let own = !studio.avatars().any(|(known, _)| known == name);
    let jpeg = tokio::task::spawn_blocking(move || studio.thumbnail(&name)).await;
    let drawing = "making the portrait's picture";
    let jpeg = jpeg.map_err(|error| Refusal::internal(app.rooms.notices(), drawing, error))?;
    let jpeg = jpeg.map_err(|error| Refusal::internal(app.rooms.notices(), drawing, error))?;
    // One that a client made may be fitted anew, and ends.
    let kept = if own { "no-store" } else { "max-age=3600" };
    Ok(([(header::CONTENT_TYPE, "image/jpeg"), (header::CACHE_CONTROL, kept)], jpeg.to_vec()))
}
