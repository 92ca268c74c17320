//! The listener: HTTP/1 by hyper, with a limit for everything that a client can hold on to.
//!
//! | what | limit | beyond it |
//! |---|---|---|
//! | connections | [`LINES`] | the one that has been without a request for longest gives way; where all are busy, the new one is closed |
//! | the head of a request, or a pause between two | [`HEAD`] | closed |
//! | what waits to be read from a connection | [`BUFFER`] | a head that is longer gets 431 |
//!
//! A connection is busy while a request is being answered, and for as long as it is a WebSocket. So half-sent requests and clients that
//! do not read their answers take no place from those who want something.

use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

/// Connections at one time.
const LINES: usize = 256;
const HEAD: Duration = Duration::from_secs(5);
const BUFFER: usize = 64 << 10;
/// After the system refused a connection (no file handles are left, as a rule) others are given this long to end.
const BREATH: Duration = Duration::from_millis(50);

/// One connection, as the requests that come through it see it.
pub(crate) struct Line {
    pub(crate) from: IpAddr,
    state: Mutex<State>,
    /// Another one needs its place.
    give_way: Notify,
}

struct State {
    busy: usize,
    /// When it was opened, or when it was busy last.
    idle_since: Instant,
}

/// Keeps a connection from giving way.
pub(crate) struct Busy(Arc<Line>);

impl Line {
    fn new(from: IpAddr) -> Arc<Self> {
        let state = Mutex::new(State { busy: 0, idle_since: Instant::now() });
        Arc::new(Self { from, state, give_way: Notify::new() })
    }

    pub(crate) fn occupy(self: &Arc<Self>) -> Busy {
        self.with(|it| it.busy += 1);
        Busy(Arc::clone(self))
    }

    fn idle_since(&self) -> Option<Instant> {
        self.with(|it| (it.busy == 0).then_some(it.idle_since))
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.with(|it| {
            it.busy -= 1;
            it.idle_since = Instant::now();
        });
    }
}

/// All connections that there are.
#[derive(Default)]
struct Lines(Vec<Weak<Line>>);

impl Lines {
    /// Makes place for one more; `None` where all are busy.
    fn open(&mut self, from: IpAddr) -> Option<Arc<Line>> {
        self.0.retain(|line| line.strong_count() > 0);
        if self.0.len() >= LINES && !self.shed() {
            return None;
        }
        let line = Line::new(from);
        self.0.push(Arc::downgrade(&line));
        Some(line)
    }

    /// Ends the connection that has been idle for longest, if one is.
    fn shed(&mut self) -> bool {
        let idle = |(at, line): (usize, &Weak<Line>)| Some((line.upgrade()?.idle_since()?, at));
        let Some((_, at)) = self.0.iter().enumerate().filter_map(idle).min() else { return false };
        if let Some(line) = self.0.swap_remove(at).upgrade() {
            line.give_way.notify_one();
        }
        true
    }
}

/// Answers until `stopped`; then those who are being answered get the rest, however long that takes.
pub(crate) async fn serve(listener: TcpListener, router: Router, stopped: impl Future<Output = ()>) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(BUFFER);
    let (stop, stopping) = watch::channel(false);
    let (mut lines, mut tasks) = (Lines::default(), JoinSet::new());
    let mut stopped = pin!(stopped);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = tasks.join_next() => continue,
            () = &mut stopped => break,
        };
        match accepted {
            Ok((stream, from)) => {
                let Some(line) = lines.open(from.ip().to_canonical()) else { continue };
                tasks.spawn(answer(http.clone(), stream, router.clone(), line, stopping.clone()));
            }
            Err(error) if is_of_one_client(&error) => {}
            Err(_) => {
                lines.shed();
                tokio::time::sleep(BREATH).await;
            }
        }
    }
    drop(listener);
    stop.send_replace(true);
    while tasks.join_next().await.is_some() {}
}

fn is_of_one_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Answers the requests of one connection, until it ends or becomes a WebSocket.
async fn answer(
    http: http1::Builder,
    stream: TcpStream,
    router: Router,
    line: Arc<Line>,
    mut stopping: watch::Receiver<bool>,
) {
    // Control messages and answers are small, and latency is what this is about.
    let _ = stream.set_nodelay(true);
    let router = TowerToHyperService::new(router);
    let asked = Arc::clone(&line);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        let busy = asked.occupy();
        request.extensions_mut().insert(Arc::clone(&asked));
        let answer = router.call(request);
        async move {
            let answer = answer.await;
            drop(busy);
            answer
        }
    });
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service).with_upgrades());
    tokio::select! {
        // What went wrong with it is the client's affair.
        _ = connection.as_mut() => return,
        () = line.give_way.notified() => return,
        _ = stopping.wait_for(|stop| *stop) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_idle_connection_gives_way_and_a_busy_one_never() {
        let (mut lines, from) = (Lines::default(), IpAddr::from([127, 0, 0, 1]));
        let open: Vec<_> = (0..LINES).map(|_| lines.open(from).unwrap()).collect();
        let busy: Vec<_> = [0, 1, 5].map(|at| open[at].occupy()).into();
        drop(open[2].occupy());
        let newest = lines.open(from).expect("one is idle");
        assert_eq!(lines.0.len(), LINES);
        let kept = |line: &Arc<Line>| lines.0.iter().any(|it| it.upgrade().is_some_and(|it| Arc::ptr_eq(&it, line)));
        assert!(!kept(&open[3]) && kept(&newest));
        assert_eq!(open.iter().filter(|line| kept(line)).count(), LINES - 1);

        let all: Vec<_> = open.iter().chain([&newest]).map(Line::occupy).collect();
        assert!(lines.open(from).is_none(), "all are busy");
        drop((all, busy, open));
        assert!(lines.open(from).is_some());
        assert!(lines.0.len() <= 2, "those that ended are forgotten");
    }
}
