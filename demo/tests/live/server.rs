//! A server to ask, and a client of its speak socket.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Message, WebSocket};
use ureq::http::Response;
use ureq::{Agent, Body};

/// A server of its own for each test; ended when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
}

impl Server {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::launch(&mut Command::new(env!("CARGO_BIN_EXE_vultus")), arguments)
    }

    /// With so few file handles.
    #[cfg(unix)]
    pub(crate) fn start_with_files(files: usize, arguments: &[&str]) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit -n {files} && exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_vultus")]);
        Self::launch(&mut shell, arguments)
    }

    fn launch(command: &mut Command, arguments: &[&str]) -> Self {
        let mut child = command
            .env_remove("VULTUS_TOKEN")
            .args(["serve", "--port", "0", "--media-port", "0", "--size", "256", "--backend", "cpu"])
            .args(arguments)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = lines.next().expect("the server said nothing").unwrap();
        let address = line.split("http://").nth(1).unwrap_or_else(|| panic!("{line}"));
        let address = address.split('/').next().unwrap().replace("localhost", "127.0.0.1");
        // Somebody has to read what else it says.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address }
    }

    /// What a server says that does not start.
    pub(crate) fn refused(arguments: &[&str]) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_vultus"))
            .args(["serve", "--port", "0", "--media-port", "0", "--size", "256", "--backend", "cpu"])
            .args(arguments)
            .output()
            .unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    }

    /// Asks it to end, and waits until it has.
    #[cfg(unix)]
    pub(crate) fn end(&mut self) {
        let asked = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(asked.success());
        assert!(self.child.wait().unwrap().success(), "it ends in order");
    }

    /// A connection on which this much has been sent.
    pub(crate) fn begin(&self, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream
    }

    /// Everything that comes back for this request, as text.
    pub(crate) fn ask(&self, request: &[u8]) -> String {
        let mut stream = self.begin("");
        // A request that is refused early may not be read to its end.
        let _ = stream.write_all(request);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn agent() -> Agent {
        Agent::config_builder().http_status_as_error(false).build().into()
    }

    pub(crate) fn get(&self, path: &str, headers: &[(&str, &str)]) -> Response<Body> {
        let request = Self::agent().get(format!("http://{}{path}", self.address));
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).call().unwrap()
    }

    pub(crate) fn offer(&self, path: &str, kind: &str, body: &[u8]) -> Response<Body> {
        let request = Self::agent().post(format!("http://{}{path}", self.address));
        request.header("Content-Type", kind).send(body).unwrap()
    }

    pub(crate) fn json(&self, path: &str) -> Value {
        serde_json::from_reader(self.get(path, &[]).into_body().into_reader()).unwrap()
    }

    pub(crate) fn speak(&self, query: &str) -> Channel {
        self.try_speak(query).unwrap_or_else(|error| panic!("{query}: {error}"))
    }

    pub(crate) fn try_speak(&self, query: &str) -> Result<Channel, tungstenite::Error> {
        self.try_socket(&format!("/v1/speak?{query}"))
    }

    /// A WebSocket on this address.
    pub(crate) fn socket(&self, path: &str) -> Channel {
        self.try_socket(path).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    fn try_socket(&self, path: &str) -> Result<Channel, tungstenite::Error> {
        let (socket, _) = tungstenite::connect(format!("ws://{}{path}", self.address))?;
        let MaybeTlsStream::Plain(stream) = socket.get_ref() else { panic!("loopback is plain") };
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Ok(Channel(socket))
    }

    /// A number of the process, by its name in Linux's `/proc/…/status`; memory in KiB.
    fn status(&self, key: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// Resident memory in KiB, threads, open files.
    pub(crate) fn held(&self) -> (u64, u64, usize) {
        let files = fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count();
        (self.status("VmRSS:"), self.status("Threads:"), files)
    }

    /// The most resident memory that it ever had, KiB.
    pub(crate) fn peak(&self) -> u64 {
        self.status("VmHWM:")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }
}

pub(crate) struct Channel(pub(crate) WebSocket<MaybeTlsStream<TcpStream>>);

impl Channel {
    pub(crate) fn tell(&mut self, message: &Value) {
        self.0.send(Message::text(message.to_string())).unwrap();
    }

    /// The next message of this type; others are passed over.
    pub(crate) fn wait(&mut self, kind: &str) -> Value {
        self.wait_for(kind, |_| true)
    }

    pub(crate) fn wait_for(&mut self, kind: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + Duration::from_secs(60);
        while Instant::now() < end {
            let message = self.0.read().unwrap_or_else(|error| panic!("waiting for {kind}: {error}"));
            if let Message::Text(text) = message {
                let value: Value = serde_json::from_str(&text).unwrap();
                if value["type"] == kind && fits(&value) {
                    return value;
                }
            }
        }
        panic!("no {kind} came");
    }

    /// The next message of one of these types.
    pub(crate) fn next_of(&mut self, kinds: &[&str]) -> Value {
        loop {
            if let Message::Text(text) = self.0.read().unwrap() {
                let value: Value = serde_json::from_str(&text).unwrap();
                if kinds.iter().any(|kind| value["type"] == *kind) {
                    return value;
                }
            }
        }
    }

    pub(crate) fn say(&mut self, seconds: f32) {
        let samples = (0..(24_000.0 * seconds) as u32).map(|n| (9000.0 * (n as f32 * 0.05).sin()) as i16);
        self.0.send(Message::binary(samples.flat_map(i16::to_le_bytes).collect::<Vec<u8>>())).unwrap();
    }

    /// Whether the server closed it (an error message may come before).
    pub(crate) fn is_cut(&mut self) -> bool {
        loop {
            match self.0.read() {
                Ok(Message::Close(_)) | Err(_) => return true,
                Ok(_) => {}
            }
        }
    }
}

pub(crate) fn sentence(response: Response<Body>) -> String {
    let value: Value = serde_json::from_reader(response.into_body().into_reader()).expect("errors are JSON");
    value["error"].as_str().expect("errors have a sentence").to_owned()
}

/// Waits for what must come; the time is a guard against waiting for ever.
pub(crate) fn eventually(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < end, "this never came: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
