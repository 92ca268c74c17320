// One WebRTC call, kept alive: POST /v1/call (picture and voice come, the microphone goes) or /v1/whep (only watching), and again with
// growing pauses when the connection drops. The server is ICE lite, so one offer and one answer are all the signalling there is.

import { Refusal, request } from './net.js';

const PAUSES = [0.5, 1, 2, 4, 8, 15]; // seconds before attempt 1, 2, …
const STALLED = 2; // seconds without a single byte, on a picture that never stops, mean that the connection is gone

/**
 * Events: `state` with detail `{name, …}`: connecting · live · waiting {why: 'dropped'|'full'|'later', seconds, message} · token {message} ·
 * failed {message, status} · ended; `tick` each second while live with detail the RTCStatsReport.
 */
export class Call extends EventTarget {
  session = null;
  connection = null;
  #microphone; #ask; #sinks; #location = null; #abort = null; #timer = 0; #ticker = 0; #attempt = 0; #bytes = { value: -1, since: 0 }; #joined;
  #busy = 0; #wasLive = false; #ended = false;

  /**
   * `microphone`: an audio track, or null to watch only. `session`: joins that one instead of starting one. `ask`: gives
   * `{avatar, background, emotion, intensity}` for a new session. `video`, `audio`: the elements that show and play what arrives.
   */
  constructor({ microphone = null, session = null, ask = () => ({}), video, audio }) {
    super();
    this.#microphone = microphone;
    this.session = this.#joined = session;
    this.#ask = ask;
    this.#sinks = { video, audio };
    this.retryNow = this.retryNow.bind(this);
  }

  start() {
    addEventListener('online', this.retryNow);
    return this.#connect();
  }

  /** Leaves for good. Survives the page being closed: the DELETE is sent with keepalive. */
  end() {
    this.#ended = true;
    removeEventListener('online', this.retryNow);
    clearTimeout(this.#timer);
    this.#drop();
    this.#say('ended');
  }

  /** Another microphone, without a new call. */
  async setMicrophone(track) {
    this.#microphone = track;
    const sender = this.connection?.getSenders().find((one) => one.track?.kind === 'audio');
    await sender?.replaceTrack(track);
  }

  retryNow() {
    if (!this.#timer || this.#ended) return;
    clearTimeout(this.#timer);
    this.#connect();
  }

  receiver(kind) {
    return this.connection?.getReceivers().find((one) => one.track.kind === kind) ?? null;
  }

  #say(name, detail = {}) {
    this.dispatchEvent(new CustomEvent('state', { detail: { name, ...detail } }));
  }

  async #connect() {
    this.#timer = 0;
    this.#drop();
    const abort = this.#abort = new AbortController();
    this.#say('connecting', { again: this.#wasLive });
    try {
      const { connection, answer } = await this.#offer(abort.signal);
      if (abort.signal.aborted) return connection.close();
      await connection.setRemoteDescription({ type: 'answer', sdp: answer });
    } catch (error) {
      if (!abort.signal.aborted) this.#refused(error);
    }
  }

  async #offer(signal) {
    const connection = this.connection = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
    connection.addTransceiver('video', { direction: 'recvonly' });
    connection.addTransceiver(this.#microphone ?? 'audio', { direction: this.#microphone ? 'sendrecv' : 'recvonly' });
    // A stream of its own for each: in one stream the browser would delay one to match the other by its own estimate.
    connection.ontrack = ({ track }) => { this.#sinks[track.kind].srcObject = new MediaStream([track]); };
    connection.onconnectionstatechange = () => this.#changed(connection);
    await connection.setLocalDescription();
    await gathered(connection);

    const kind = this.#microphone ? 'call' : 'whep';
    const query = new URLSearchParams(this.session ? { session: this.session } : this.#ask());
    const headers = { 'Content-Type': 'application/sdp' };
    const response = await request(`/v1/${kind}?${query}`, { method: 'POST', headers, body: connection.localDescription.sdp, signal });
    const location = response.headers.get('Location');
    if (signal.aborted) {
      leave(location);
    } else {
      this.#location = location;
      this.session = response.headers.get('Vultus-Session') ?? this.session;
    }
    return { connection, answer: await response.text() };
  }

  #changed(connection) {
    if (connection !== this.connection) return;
    switch (connection.connectionState) {
      case 'connected':
        this.#attempt = this.#busy = 0;
        this.#wasLive = true;
        this.#bytes = { value: -1, since: performance.now() };
        clearInterval(this.#ticker);
        this.#ticker = setInterval(() => this.#tick(connection), 1000);
        this.#say('live');
        break;
      case 'failed':
      case 'closed':
        this.#wait('dropped', this.#wasLive ? 'The connection was lost.' : unreached());
        break;
      default: // "disconnected" often heals by itself; #tick decides
    }
  }

  async #tick(connection) {
    const report = await connection.getStats();
    if (connection !== this.connection) return;
    let bytes = 0;
    for (const entry of report.values()) if (entry.type === 'inbound-rtp') bytes += entry.bytesReceived;
    if (bytes !== this.#bytes.value) this.#bytes = { value: bytes, since: performance.now() };
    if (performance.now() - this.#bytes.since > STALLED * 1000) return this.#wait('dropped', 'Nothing arrives any more.');
    this.dispatchEvent(new CustomEvent('tick', { detail: report }));
  }

  #refused(error) {
    if (!(error instanceof Refusal)) return this.#fail(String(error.message ?? error));
    switch (error.status) {
      case 401:
        this.#drop();
        return this.#say('token', { message: error.message });
      case 404:
        // The session went while we were away. One that we only joined by its id is waited for; our own is begun anew.
        if (this.session && !this.#joined) {
          this.session = null;
          return this.#connect();
        }
        return this.#joined ? this.#wait('dropped', error.message) : this.#fail(error.message, 404);
      case 409:
        // Our old connection may still hold the microphone's place for some seconds.
        return this.#wasLive && this.#busy++ < 8 ? this.#wait('dropped', error.message) : this.#fail(error.message);
      case 503:
        return this.#wait('full', error.message, Math.min(60, error.retryAfter || 5));
      case 429:
        return this.#wait('later', error.message, error.retryAfter || 3);
      case 0: case 500: case 502: case 504:
        return this.#wait('dropped', error.message);
      default:
        return this.#fail(error.message);
    }
  }

  #fail(message, status = 0) {
    this.#drop();
    this.#say('failed', { message, status });
  }

  #wait(why, message, seconds = null) {
    if (this.#ended) return;
    this.#remember();
    this.#drop();
    // A little chance in the pause, so that many pages do not come back in the same instant.
    const pause = seconds ?? PAUSES[Math.min(this.#attempt, PAUSES.length - 1)] * (0.85 + 0.3 * Math.random());
    this.#attempt++;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#connect(), pause * 1000);
    this.#say('waiting', { why, message, seconds: pause });
  }

  /** Keeps the last picture on the screen, as the video's poster: a closed connection would leave it black. */
  #remember() {
    const { video } = this.#sinks;
    if (!video.srcObject || !video.videoWidth) return;
    const canvas = Object.assign(document.createElement('canvas'), { width: video.videoWidth, height: video.videoHeight });
    canvas.getContext('2d').drawImage(video, 0, 0);
    video.poster = canvas.toDataURL('image/jpeg', 0.8);
    video.srcObject = null;
  }

  #drop() {
    clearInterval(this.#ticker);
    this.#abort?.abort();
    this.#abort = null;
    const { connection } = this;
    this.connection = null;
    const location = this.#location;
    this.#location = null;
    if (!connection) return leave(location);
    // The DELETE first: a connection that closes by itself has nothing left to delete. But a server that is away is not waited for.
    return Promise.race([leave(location), new Promise((done) => setTimeout(done, 500))]).then(() => connection.close());
  }
}

/** Tells the server that this peer is gone; it would else notice by silence only, seconds later. */
async function leave(location) {
  if (!location) return;
  const address = new URL(location, window.location.href);
  if (address.origin === window.location.origin) await request(address.pathname, { method: 'DELETE', keepalive: true }).catch(() => {});
}

/** All candidates are in the offer (no trickle); half a second is plenty without STUN servers. */
function gathered(connection) {
  if (connection.iceGatheringState === 'complete') return Promise.resolve();
  return new Promise((done) => {
    connection.addEventListener('icegatheringstatechange', () => { if (connection.iceGatheringState === 'complete') done(); });
    setTimeout(done, 500);
  });
}

/** Why the first connection failed, as far as can be told. Firefox pairs its addresses with no loopback address. */
function unreached() {
  const here = ['localhost', '127.0.0.1', '[::1]'].includes(location.hostname);
  if (here && navigator.userAgent.includes('Firefox/')) {
    return 'Firefox sends no media to this machine’s loopback address: start the server with --media-bind and this machine’s own address, or use another browser.';
  }
  return 'Pictures and sound find no way: the server’s UDP port is closed on the way here.';
}
