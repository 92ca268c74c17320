//! Tokens of every kind, by every way: curl's header, the page, its WebSocket; and those that are refused.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tungstenite::Message;
use tungstenite::client::IntoClientRequest as _;

use super::server::{Channel, Server};

/// Everything that an address, a header, or a sub-protocol gives a meaning to.
const NASTY: &str = "a+b/c= 100%25&#?ä😀,\"'();";
/// The same, percent-encoded by hand.
const ENCODED: &str = "a%2Bb%2Fc%3D%20100%2525%26%23%3F%C3%A4%F0%9F%98%80%2C%22%27%28%29%3B";

fn refused(configure: impl FnOnce(&mut Command)) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vultus"));
    command.env_remove("VULTUS_TOKEN").args(["serve", "--port", "0", "--media-port", "0"]);
    configure(&mut command);
    let output = command.output().unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn what_cannot_be_a_token_is_refused_with_the_reason() {
    for text in ["", " ", "\t", "secret ", " secret", "two\nlines"] {
        let words = refused(|command| _ = command.args(["--token", text]));
        assert!(words.contains("the token in --token") && words.lines().count() == 1, "{text:?}: {words}");
        let words = refused(|command| _ = command.env("VULTUS_TOKEN", text));
        assert!(words.contains("the token in $VULTUS_TOKEN") && words.lines().count() == 1, "{text:?}: {words}");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, "\n").unwrap();
    for path in [&file, &folder.path().to_owned(), &folder.path().join("none")] {
        let words = refused(|command| _ = command.arg("--token-file").arg(path));
        assert!(
            words.contains("token") && words.contains(path.to_str().unwrap()) && words.lines().count() == 1,
            "{words}"
        );
    }
    let words = refused(|command| _ = command.args(["--token", "a", "--token-file", "b"]));
    assert!(words.contains("cannot be used with"), "{words}");
}

#[test]
fn a_nasty_token_passes_by_every_way() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, format!("{NASTY}\n")).unwrap();
    let server = Server::start(&["--token-file", file.to_str().unwrap()]);
    assert_eq!(server.get("/v1/stats", &[]).status(), 401);
    // As curl sends it: the bytes of the shell, which a strict client library would not.
    let raw = [
        b"GET /v1/stats HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer ",
        NASTY.as_bytes(),
        b"\r\n\r\n",
    ];
    assert!(server.ask(&raw.concat()).starts_with("HTTP/1.1 200"));
    assert_eq!(server.get("/v1/stats", &[("Authorization", &format!("Bearer {ENCODED}"))]).status(), 200);
    assert_eq!(server.get("/v1/stats", &[("Authorization", &format!("Bearer {ENCODED}x"))]).status(), 401);
    assert_eq!(server.get(&format!("/v1/stats?token={ENCODED}"), &[]).status(), 401);

    let address = format!("ws://{}/v1/speak", server.address);
    let mut request = address.clone().into_client_request().unwrap();
    let protocols = format!("vultus.v1, bearer.{ENCODED}");
    request.headers_mut().insert("Sec-WebSocket-Protocol", protocols.parse().unwrap());
    let (socket, answer) = tungstenite::connect(request).unwrap();
    assert_eq!(answer.headers()["sec-websocket-protocol"], "vultus.v1");
    Channel(socket).wait("ready");
    let (socket, _) = tungstenite::connect(format!("{address}?rate=16000&token={ENCODED}")).unwrap();
    assert_eq!(Channel(socket).wait("ready")["rate"], 16_000);
    assert!(tungstenite::connect(address).is_err());
}

/// Chromium, and the socket by which it is told what to do (Chrome DevTools Protocol).
struct Browser {
    child: Child,
    devtools: Channel,
    session: String,
    last: u64,
    _profile: tempfile::TempDir,
}

impl Browser {
    fn open(address: &str) -> Self {
        let program = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
            .into_iter()
            .find(|name| Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success()))
            .expect("Chromium is needed: apt install chromium");
        let profile = tempfile::tempdir().unwrap();
        let mut child = Command::new(program)
            .args([
                "--headless=new",
                "--disable-gpu",
                "--no-sandbox",
                "--no-first-run",
                "--disable-background-networking",
            ])
            .args(["--autoplay-policy=no-user-gesture-required", "--remote-debugging-port=0"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let listening = lines.find_map(|line| line.strip_prefix("DevTools listening on ").map(str::to_owned));
        std::thread::spawn(move || lines.for_each(drop));
        let (socket, _) = tungstenite::connect(listening.expect("Chromium did not start")).unwrap();
        let mut browser = Self { child, devtools: Channel(socket), session: String::new(), last: 0, _profile: profile };
        let target = browser.call("Target.createTarget", json!({ "url": address }))["targetId"].clone();
        let attached = browser.call("Target.attachToTarget", json!({ "targetId": target, "flatten": true }));
        browser.session = attached["sessionId"].as_str().unwrap().to_owned();
        browser
    }

    fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.last += 1;
        let mut message = json!({ "id": self.last, "method": method, "params": parameters });
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        self.devtools.tell(&message);
        loop {
            let Message::Text(text) = self.devtools.0.read().unwrap() else { continue };
            let answer: Value = serde_json::from_str(&text).unwrap();
            if answer["id"] == self.last {
                return answer["result"].clone();
            }
        }
    }

    fn evaluate(&mut self, script: &str) -> Value {
        let parameters = json!({ "expression": script, "returnByValue": true, "awaitPromise": true });
        self.call("Runtime.evaluate", parameters)["result"]["value"].clone()
    }

    /// Waits until this is true; the time is a guard against waiting for ever.
    fn until(&mut self, script: &str) {
        let end = Instant::now() + Duration::from_secs(90);
        while self.evaluate(script) != true {
            let state = self.evaluate("document.getElementById('state-words')?.textContent + ' | ' + document.getElementById('file-words')?.textContent + ' | ' + location");
            assert!(Instant::now() < end, "this never came: {script}; the page says {state}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Its helpers end with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_page_lives_with_a_nasty_token() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, NASTY).unwrap();
    let server = Server::start(&["--token-file", file.to_str().unwrap()]);
    let ready = "document.getElementById('state-words')?.textContent === 'Ready'";
    let mut browser = Browser::open(&format!("http://{}/#token={ENCODED}", server.address));
    browser.until(ready);
    // The whole way: avatars, a call, the control channel, sound, and that it was said.
    browser.until("document.querySelectorAll('#cast img').length > 3 && [...document.querySelectorAll('#cast img')].every((img) => img.naturalWidth > 0)");
    browser.evaluate("document.getElementById('sample').click()");
    browser.until("/^The sample: [1-9]/.test(document.getElementById('file-words').textContent)");
    browser.evaluate("document.getElementById('end').click()");
    browser.until(ready);
    // Typed by hand, as it is: a browser encodes what it must, and the server says which of the two was meant.
    drop(browser);
    let mut browser = Browser::open(&format!("http://{}/#token={NASTY}", server.address));
    browser.until(ready);
    // Asked for, and then kept in the address in a form that a reload understands.
    browser.evaluate("location.href = '/?again'");
    browser.until(
        "document.getElementById('state-words')?.textContent === 'Token needed' && location.search === '?again'",
    );
    let enter = format!(
        "{{ const input = document.querySelector('#notice input'); input.value = {}; input.form.requestSubmit(); }}",
        json!(format!(" {NASTY} "))
    );
    browser.evaluate(&enter);
    browser.until(ready);
    assert_eq!(browser.evaluate("location.hash"), json!(format!("#token={ENCODED}")));
}

#[test]
fn a_token_on_the_command_line_is_pointed_out() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_vultus"))
        .env_remove("VULTUS_TOKEN")
        .args(["serve", "--port", "0", "--media-port", "0", "--size", "256", "--backend", "cpu", "--token", "s3cret"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let mut said = Vec::new();
    let both = |said: &[String]| {
        said.iter().any(|line| line.contains("list of processes") && line.contains("--token-file"))
            && said.iter().any(|line| line.contains("only 6 characters"))
    };
    while !both(&said) {
        said.push(lines.next().unwrap_or_else(|| panic!("{said:?}")));
    }
    assert!(said.iter().all(|line| !line.contains("s3cret")), "the token is in the log: {said:?}");
    child.kill().unwrap();
    child.wait().unwrap();
}
