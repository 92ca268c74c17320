// The control channel of a session: the /v1/speak WebSocket. It carries emotion, avatar, intensity and interrupt as JSON, sound files as
// PCM, and brings the session's state and statistics each second. Reopens by itself while the session lives.

import { protocols } from './net.js';

export const RATE = 24000; // of PCM sent here: f32le, mono

/** Events, with detail the server's message: `ready`, `state`, `stats`, `started`, `spoken`, `interrupted`, `error`; and `gone` when the socket closed. */
export class Control extends EventTarget {
  #session = null; #socket = null; #timer = 0; #failures = 0; #unsent = new Map();

  open(session) {
    if (session === this.#session && this.#socket) return;
    this.close();
    this.#session = session;
    this.#failures = 0;
    this.#connect();
  }

  close() {
    clearTimeout(this.#timer);
    this.#session = null;
    this.#unsent.clear();
    const socket = this.#socket;
    this.#socket = null;
    socket?.close(1000);
  }

  get ready() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Bytes that are still to leave: the measure of how fast the server takes PCM. */
  get backlog() {
    return this.#socket?.bufferedAmount ?? 0;
  }

  /** Sends a message; what is said while the socket is away is sent when it is back, the last of each type. */
  send(message) {
    if (this.ready) this.#socket.send(JSON.stringify(message));
    else if (this.#session && message.type !== 'playout') this.#unsent.set(message.type, message);
  }

  /** Sends PCM (a Float32Array at RATE); false when there is no socket to take it. */
  sendSamples(samples) {
    if (!this.ready) return false;
    this.#socket.send(samples);
    return true;
  }

  #connect() {
    const address = new URL('/v1/speak', location.href);
    address.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
    address.hash = '';
    address.search = new URLSearchParams({ session: this.#session, rate: RATE, format: 'f32le' });
    const socket = this.#socket = new WebSocket(address, protocols());
    socket.onopen = () => {
      this.#failures = 0;
      for (const message of this.#unsent.values()) socket.send(JSON.stringify(message));
      this.#unsent.clear();
    };
    socket.onmessage = ({ data }) => {
      if (socket !== this.#socket || typeof data !== 'string') return;
      let message;
      try { message = JSON.parse(data); } catch { return; }
      this.dispatchEvent(new CustomEvent(message.type, { detail: message }));
    };
    socket.onclose = () => {
      if (socket !== this.#socket) return;
      this.dispatchEvent(new CustomEvent('gone'));
      this.#failures++;
      this.#timer = setTimeout(() => this.#connect(), Math.min(8000, 250 * 2 ** this.#failures));
    };
  }
}
