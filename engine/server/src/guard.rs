//! Who may ask: bearer token, Host and Origin.
//!
//! On loopback any local program may, but no web page from elsewhere: its origin differs, and a host name that was rebound to
//! 127.0.0.1 is none of ours. Behind a reverse proxy the server has public names beside the loopback ones. Beyond loopback, and behind a
//! proxy, a token is needed for everything but the page's own files.
//!
//! A page of a public name whose origin is another (by its scheme or port) is told by CORS headers that it may read the answers.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::refusal::Refusal;
use crate::token::Token;

/// Sub-protocol that carries the token of a WebSocket, to which browsers let no header be added.
const BEARER_PROTOCOL: &str = "bearer.";
/// The one that both WebSockets speak, which a client offers beside it.
pub(crate) const PROTOCOL: &str = "vultus.v1";

/// See the module's text.
#[derive(Clone)]
pub struct Guard {
    token: Option<Token>,
    /// Only loopback names may stand in Host.
    loopback: bool,
    /// Names that a reverse proxy gives the server, without a port.
    names: Arc<[String]>,
}

impl Guard {
    /// For a server that is bound to this address, and has these names by a reverse proxy.
    pub fn new(token: Option<Token>, bound: IpAddr, names: &[String]) -> Self {
        Self { token, loopback: bound.is_loopback(), names: names.into() }
    }

    fn is_public(&self, host: &str) -> bool {
        self.names.iter().any(|known| known.eq_ignore_ascii_case(name(host)))
    }

    /// Whether whoever sends this may ask.
    ///
    /// # Errors
    /// The answer: 400, 401 or 403.
    pub fn check(&self, method: &Method, headers: &HeaderMap, uri: &Uri) -> Result<(), Refusal> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let host = text(header::HOST).or(uri.authority().map(|a| a.as_str())).unwrap_or_default();
        if headers.get_all(header::HOST).iter().count() > 1 {
            // RFC 9112, 3.2: whoever stands between may have believed the other one.
            return Err(Refusal::bad_request("the request has two Host headers"));
        }
        if self.loopback && !is_loopback(host) && !self.is_public(host) {
            let sentence = "this server answers to localhost and 127.0.0.1 only; give it a name by --public-name";
            return Err(Refusal::new(StatusCode::FORBIDDEN, sentence));
        }
        if let Some(origin) = text(header::ORIGIN)
            && !origin.split_once("://").is_some_and(|(_, from)| from == host || self.is_public(from))
        {
            return Err(Refusal::new(StatusCode::FORBIDDEN, "pages of other origins may not use this server"));
        }
        let path = uri.path();
        // Browsers ask what they may do without what they would do it with (Fetch standard, CORS-preflight fetch).
        let open = !(path.starts_with("/v1/") || path == "/metrics") || method == Method::OPTIONS;
        match &self.token {
            Some(token) if !open && !is_given(token, headers, uri) => Err(Refusal::new(
                StatusCode::UNAUTHORIZED,
                "this server wants its token: send the header Authorization: Bearer TOKEN (a WebSocket may end its address in &token=TOKEN), \
                 or open the page with #token=TOKEN; in an address, percent-encode what is not a letter or a digit",
            )),
            _ => Ok(()),
        }
    }
}

pub(crate) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let checked = guard.check(request.method(), request.headers(), request.uri());
    // An origin that passed is ours.
    let origin = request.headers().get(header::ORIGIN).filter(|_| checked.is_ok()).cloned();
    let preflight = request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = match checked {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    let headers = response.headers_mut();
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.append(header::VARY, header::HeaderValue::from_static("Origin"));
        if preflight {
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, header::HeaderValue::from_static("GET, POST, DELETE"));
            let allowed = header::HeaderValue::from_static("authorization, content-type");
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed);
        } else {
            let readable = header::HeaderValue::from_static("location, retry-after, vultus-session");
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, readable);
        }
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, header::HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, header::HeaderValue::from_static("no-referrer"));
    response
}

fn is_given(token: &Token, headers: &HeaderMap, uri: &Uri) -> bool {
    in_authorization(headers).is_some_and(|given| token.is(given))
        || in_protocols(headers).is_some_and(|given| token.is(given))
        || in_query(uri).is_some_and(|given| token.is(given.as_bytes()) || token.is(given.replace('+', " ").as_bytes()))
}

/// As bytes: a header need not be ASCII.
fn in_authorization(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at(value.iter().position(|byte| *byte == b' ')?);
    // The scheme's case does not matter (RFC 9110 section 11.1).
    scheme.eq_ignore_ascii_case(b"bearer").then(|| token.trim_ascii())
}

fn in_protocols(headers: &HeaderMap) -> Option<&[u8]> {
    let all =
        headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().flat_map(|it| it.as_bytes().split(|byte| *byte == b','));
    all.map(<[u8]>::trim_ascii).find_map(|protocol| protocol.strip_prefix(BEARER_PROTOCOL.as_bytes()))
}

/// Of a WebSocket only: clients that can set no header there are many. Addresses are written into logs, so nothing else may have it there.
fn in_query(uri: &Uri) -> Option<&str> {
    let query = uri.query().filter(|_| matches!(uri.path(), "/v1/speak" | "/v1/drive"))?;
    query.split('&').find_map(|pair| pair.strip_prefix("token="))
}

/// A host without its port, an IPv6 address without its brackets.
fn name(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    }
}

fn is_loopback(host: &str) -> bool {
    let name = name(host);
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(guard: &Guard, path: &str, headers: &[(header::HeaderName, &str)]) -> Option<u16> {
        ask_by(guard, &Method::GET, path, headers)
    }

    fn ask_by(guard: &Guard, method: &Method, path: &str, headers: &[(header::HeaderName, &str)]) -> Option<u16> {
        let map = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        guard.check(method, &map, &path.parse().unwrap()).err().map(|refusal| refusal.status.as_u16())
    }

    #[test]
    fn rebound_names_and_foreign_pages_are_refused() {
        let guard = Guard::new(None, [127, 0, 0, 1].into(), &[]);
        for host in ["localhost:7878", "127.0.0.1:7878", "127.0.0.1", "[::1]:80", "LOCALHOST"] {
            assert_eq!(ask(&guard, "/v1/stats", &[(header::HOST, host)]), None, "{host}");
        }
        for host in ["evil.example", "evil.example:7878", "localhost.evil.example", "", "10.0.0.1:7878"] {
            assert_eq!(ask(&guard, "/v1/stats", &[(header::HOST, host)]), Some(403), "{host}");
        }
        let own = [(header::HOST, "localhost:7878"), (header::ORIGIN, "http://localhost:7878")];
        assert_eq!(ask(&guard, "/v1/speak", &own), None);
        for origin in ["http://evil.example", "http://localhost:9999", "null"] {
            let foreign = [(header::HOST, "localhost:7878"), (header::ORIGIN, origin)];
            assert_eq!(ask(&guard, "/v1/speak", &foreign), Some(403), "{origin}");
        }
    }

    #[test]
    fn behind_a_proxy_it_has_public_names() {
        let guard = Guard::new(None, [127, 0, 0, 1].into(), &["Avatar.example".to_owned()]);
        for (host, origin, status) in [
            // A proxy that passes the Host on, and one that does not.
            ("avatar.example", "https://avatar.example", None),
            ("127.0.0.1:7878", "https://avatar.example", None),
            ("avatar.example:8443", "https://avatar.example:8443", None),
            ("avatar.example", "https://evil.example", Some(403)),
            ("evil.example", "https://avatar.example", Some(403)),
            ("avatar.example.evil.example", "https://avatar.example.evil.example", Some(403)),
            ("localhost:7878", "http://localhost:7878", None),
            ("[::1]:7878", "http://[::1]:7878", None),
        ] {
            let headers = [(header::HOST, host), (header::ORIGIN, origin)];
            assert_eq!(ask(&guard, "/v1/speak", &headers), status, "{host}, {origin}");
        }
    }

    #[test]
    fn two_hosts_are_one_too_many() {
        let guard = Guard::new(None, [127, 0, 0, 1].into(), &[]);
        let mut map = HeaderMap::new();
        map.append(header::HOST, "localhost".parse().unwrap());
        map.append(header::HOST, "evil.example".parse().unwrap());
        assert_eq!(guard.check(&Method::GET, &map, &"/".parse().unwrap()).unwrap_err().status, 400);
    }

    #[test]
    fn a_token_guards_everything_but_the_page() {
        let guard = Guard::new(Some(Token::new("s3cret", "a test").unwrap()), [0, 0, 0, 0].into(), &[]);
        let host = (header::HOST, "avatar.example");
        assert_eq!(ask(&guard, "/app.js", std::slice::from_ref(&host)), None);
        assert_eq!(ask(&guard, "/v1/stats", std::slice::from_ref(&host)), Some(401));
        assert_eq!(ask(&guard, "/metrics", std::slice::from_ref(&host)), Some(401));
        for (value, want) in [
            ("Bearer s3cret", None),
            ("bearer s3cret", None),
            ("Bearer s3cre", Some(401)),
            ("Basic s3cret", Some(401)),
            ("Bearer ", Some(401)),
            ("Bearer", Some(401)),
        ] {
            assert_eq!(ask(&guard, "/v1/stats", &[host.clone(), (header::AUTHORIZATION, value)]), want, "{value}");
        }
        assert_eq!(
            ask_by(&guard, &Method::OPTIONS, "/v1/whip", std::slice::from_ref(&host)),
            None,
            "a preflight has no token"
        );
        assert_eq!(ask_by(&guard, &Method::POST, "/v1/whip", std::slice::from_ref(&host)), Some(401));
        let foreign = [host.clone(), (header::ORIGIN, "https://evil.example")];
        assert_eq!(ask_by(&guard, &Method::OPTIONS, "/v1/whip", &foreign), Some(403));
        let socket = [host.clone(), (header::SEC_WEBSOCKET_PROTOCOL, "vultus.v1, bearer.s3cret")];
        assert_eq!(ask(&guard, "/v1/speak", &socket), None);
        assert_eq!(ask(&guard, "/v1/speak?rate=8000&token=s3cret", std::slice::from_ref(&host)), None);
        assert_eq!(ask(&guard, "/v1/speak?token=s3cre", std::slice::from_ref(&host)), Some(401));
        assert_eq!(ask(&guard, "/v1/stats?token=s3cret", &[host]), Some(401), "addresses are logged");
    }

    #[test]
    fn tokens_of_any_kind_pass_every_way() {
        for text in ["a+b/c=", "100%25", "a b", "ä😀", "a,b", "#&?"] {
            let token = Token::new(text, "a test").unwrap();
            let (guard, encoded) = (Guard::new(Some(token.clone()), [0, 0, 0, 0].into(), &[]), token.encoded());
            let passes = |path: &str, name: &header::HeaderName, value: String| {
                let mut map = HeaderMap::new();
                map.insert(name, header::HeaderValue::from_bytes(value.as_bytes()).unwrap());
                guard.check(&Method::GET, &map, &path.parse().unwrap()).is_ok()
            };
            let (authorization, protocol) = (header::AUTHORIZATION, header::SEC_WEBSOCKET_PROTOCOL);
            assert!(passes("/v1/stats", &authorization, format!("Bearer {text}")), "{text}, as curl sends it");
            assert!(passes("/v1/stats", &authorization, format!("bearer {encoded}")), "{text}, as the page sends it");
            assert!(
                passes("/v1/speak", &protocol, format!("vultus.v1, bearer.{encoded}")),
                "{text}, as the page's WebSocket"
            );
            assert!(
                passes(&format!("/v1/speak?token={encoded}&rate=8000"), &header::HOST, "a".into()),
                "{text}, in the address"
            );
            let plus = encoded.replace("%20", "+");
            assert!(
                passes(&format!("/v1/speak?token={plus}"), &header::HOST, "a".into()),
                "{text}, as forms are encoded"
            );
            assert!(!passes("/v1/stats", &authorization, format!("Bearer {text}x")), "{text}");
        }
    }
}
