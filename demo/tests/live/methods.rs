//! What WHIP and WHEP say about methods and origins (RFC 9725, sections 4.2 to 4.5).

use ureq::http::Response;
use ureq::{Agent, Body};

use super::hostile::OFFER;
use super::server::{Server, sentence};

impl Server {
    /// A request without a body.
    fn bare(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Response<Body> {
        let agent: Agent =
            Agent::config_builder().http_status_as_error(false).allow_non_standard_methods(true).build().into();
        let request = ureq::http::Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        agent.run(request.body(()).unwrap()).unwrap()
    }
}

fn header<'a>(response: &'a Response<Body>, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

fn allows(response: &Response<Body>, methods: &[&str]) -> bool {
    let allowed: Vec<&str> = header(response, "allow").split(',').map(str::trim).collect();
    methods.iter().all(|method| allowed.contains(method)) && allowed.len() == methods.len()
}

#[test]
fn endpoints_take_posts_and_say_so() {
    let server = Server::start(&[]);
    for path in ["/v1/whip", "/v1/whep", "/v1/call"] {
        let options = server.bare("OPTIONS", path, &[]);
        assert_eq!(options.status(), 200, "{path}");
        assert_eq!(header(&options, "accept-post"), "application/sdp");
        assert!(allows(&options, &["POST", "OPTIONS"]), "{:?}", options.headers());
        assert!(!options.headers().contains_key("access-control-allow-origin"));
        for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE"] {
            let refused = server.bare(method, path, &[]);
            assert_eq!(refused.status(), 405, "{method} {path}");
            assert!(allows(&refused, &["POST", "OPTIONS"]), "{method} {path}: {:?}", refused.headers());
        }
    }
    assert!(sentence(server.bare("GET", "/v1/whip", &[])).contains("header Allow"));
}

#[test]
fn a_session_takes_its_end_and_nothing_else() {
    let server = Server::start(&[]);
    let created = server.offer("/v1/whep", "application/sdp", OFFER.as_bytes());
    assert_eq!((created.status().as_u16(), header(&created, "content-type")), (201, "application/sdp"));
    let session = header(&created, "location").to_owned();
    let options = server.bare("OPTIONS", &session, &[]);
    assert!(options.status() == 200 && allows(&options, &["DELETE", "OPTIONS"]), "{:?}", options.headers());
    // Neither trickle nor restart: RFC 9725 section 4.3 wants 405 for every PATCH.
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH"] {
        let refused = server.bare(method, &session, &[]);
        assert_eq!(refused.status(), 405, "{method}");
        assert!(allows(&refused, &["DELETE", "OPTIONS"]), "{method}: {:?}", refused.headers());
    }
    assert_eq!(server.bare("DELETE", &session, &[]).status(), 200);
    assert_eq!(server.bare("DELETE", &session, &[]).status(), 404);
}

#[test]
fn pages_of_our_own_names_may_read_the_answers_and_others_may_not() {
    let server = Server::start(&["--public-name", "avatar.example", "--token", "s3cret"]);
    let preflight = |origin: &str| {
        let wish = [
            ("Origin", origin),
            ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", "authorization,content-type"),
        ];
        server.bare("OPTIONS", "/v1/whip", &wish)
    };
    // Without the token, which a preflight never has.
    let ours = preflight("https://avatar.example:8443");
    assert_eq!(ours.status(), 200);
    assert_eq!(header(&ours, "access-control-allow-origin"), "https://avatar.example:8443");
    assert!(header(&ours, "access-control-allow-methods").contains("POST"));
    assert!(header(&ours, "access-control-allow-headers").contains("authorization"));
    assert_eq!(header(&ours, "vary"), "Origin");
    let theirs = preflight("https://evil.example");
    assert_eq!(theirs.status(), 403);
    assert!(!theirs.headers().contains_key("access-control-allow-origin"));
    let read = server.get("/v1/stats", &[("Origin", "https://avatar.example"), ("Authorization", "Bearer s3cret")]);
    assert_eq!(header(&read, "access-control-allow-origin"), "https://avatar.example");
    assert!(header(&read, "access-control-expose-headers").contains("location"));
    // The token is wanted for everything that a preflight allows.
    assert_eq!(server.bare("POST", "/v1/whip", &[("Origin", "https://avatar.example")]).status(), 401);
}
