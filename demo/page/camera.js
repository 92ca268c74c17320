// "Mirror me": the camera's pictures go to the session (/v1/mirror) as small JPEGs, and the face does what they show. The server looks at the latest only, so
// nothing is sent while the socket is still busy with the picture before.

import { protocols } from './net.js';

const SIDE = { width: 640, height: 480 };
const EVERY = 1000 / 26; // ms between pictures: 25 a second, with a little to spare
const BUSY = 120_000; // bytes that wait to leave: a picture or two

/** `kind`: refused · none · busy · insecure; the message says what to do. */
export class NoCamera extends Error {
  constructor(kind, message) {
    super(message);
    this.kind = kind;
  }
}

/** Events: `seen` with detail `{face, calibrated, missed}` (`face` is the box that holds it, in shares of the picture, or null); `ended` with a sentence, or none. */
export class Camera extends EventTarget {
  #stream = null; #socket = null; #canvas = document.createElement('canvas'); #sent = 0; #coding = false;

  constructor(video) {
    super();
    this.video = video;
  }

  get on() {
    return this.#stream !== null;
  }

  async start(session, lips) {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new NoCamera('insecure', 'Browsers give the camera only to pages that come by https, or from this machine (localhost).');
    }
    try {
      this.#stream = await navigator.mediaDevices.getUserMedia({ video: { width: SIDE.width, height: SIDE.height, frameRate: 25, facingMode: 'user' } });
    } catch (error) {
      const known = {
        NotAllowedError: ['refused', 'The browser keeps the camera from this page. Open the sign beside the address, allow the camera, and try again.'],
        NotFoundError: ['none', 'No camera was found. Plug one in and try again.'],
      }[error.name];
      throw new NoCamera(...(known ?? ['busy', 'The camera could not be opened; another program may hold it. Close that and try again.']));
    }
    this.#stream.getVideoTracks()[0].addEventListener('ended', () => this.stop('The camera was unplugged.'));
    this.video.srcObject = this.#stream;
    await this.video.play();
    const address = new URL('/v1/mirror', location.href);
    address.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
    address.hash = '';
    address.search = new URLSearchParams({ session });
    const socket = this.#socket = new WebSocket(address, protocols());
    socket.onopen = () => { this.lips(lips); this.#next(socket); };
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      if (message.type === 'seen') this.dispatchEvent(new CustomEvent('seen', { detail: message }));
    };
    socket.onclose = ({ code, reason }) => {
      if (socket === this.#socket) this.stop(code === 1000 ? '' : reason || 'The server does not take a camera now; try again in a moment.');
    };
  }

  /** Whose the lips are: `voice` or `camera`. */
  lips(whose) {
    this.#say({ type: 'lips', lips: whose });
  }

  /** What is seen now is the face at rest. */
  calibrate() {
    this.#say({ type: 'calibrate' });
  }

  stop(why = '') {
    if (!this.#stream) return;
    this.#stream.getTracks().forEach((track) => track.stop());
    this.#stream = null;
    this.video.srcObject = null;
    const socket = this.#socket;
    this.#socket = null;
    socket?.close(1000);
    this.dispatchEvent(new CustomEvent('ended', { detail: why }));
  }

  #say(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #next(socket) {
    if (socket !== this.#socket) return;
    // Where the page is hidden no frame is shown, and none is called back for: then a timer has to do.
    const again = () => this.#next(socket);
    if (this.video.requestVideoFrameCallback && !document.hidden) this.video.requestVideoFrameCallback(again);
    else setTimeout(again, EVERY);
    const now = performance.now();
    if (this.#coding || now - this.#sent < EVERY || socket.bufferedAmount > BUSY || !this.video.videoWidth) return;
    this.#sent = now;
    this.#coding = true;
    const scale = Math.min(1, SIDE.width / Math.max(this.video.videoWidth, this.video.videoHeight));
    this.#canvas.width = Math.round(this.video.videoWidth * scale);
    this.#canvas.height = Math.round(this.video.videoHeight * scale);
    this.#canvas.getContext('2d', { alpha: false }).drawImage(this.video, 0, 0, this.#canvas.width, this.#canvas.height);
    this.#canvas.toBlob((blob) => {
      this.#coding = false;
      if (blob && socket.readyState === WebSocket.OPEN) socket.send(blob);
    }, 'image/jpeg', 0.8);
  }
}
