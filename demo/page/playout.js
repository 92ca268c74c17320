// Where lips and voice are at the glass. Both tracks carry RTP times of one media clock that starts at 0 (voice 48 kHz, picture 90 kHz), so
// the page can say which moment of that clock is on the screen and which is in the loudspeaker, and from both the offset.
//
// Picture: requestVideoFrameCallback gives a frame's rtpTimestamp and expectedDisplayTime (the browser's estimate; the next vertical
// blank, so ± 1 refresh, 16.7 ms at 60 Hz, and never earlier).
// Voice: getSynchronizationSources() gives the RTP time of the packet that was last handed on for playing, and when, in whole milliseconds;
// in Chromium it steps by a packet at a time, muted or not. What the sound card adds (AudioContext.outputLatency, the browser's own
// estimate) is added to it. Together the error is about one refresh, most of it the picture's.

const VIDEO_RATE = 90000;
const VOICE_RATE = 48000;
const WRAP = 2 ** 32;
const POLL_MS = 4;
// What the server is told: the median of the last three seconds, once in four, and nothing within a few milliseconds of none. The browser's
// voice buffer needs seconds to follow a voice that is sent earlier or later; asked more often, the two would swing around each other.
const ADVICE_EVERY = 4;
const ADVICE_OVER = 3;
const ADVICE_LEAST_MS = 6;
const ABSURD_MS = 3000; // further apart the two do not share a clock, and nothing can be said

/** The media time of `voice` (48 kHz) minus that of `video` (90 kHz) in seconds, both wrapped at 32 bits, from however long ago. */
export function difference(voice, video) {
  const step = WRAP / VOICE_RATE; // 24.9 h; the picture's counter wraps after 13.3 h
  let best = Infinity;
  for (let i = 0; i < 8; i++) {
    for (let j = 0; j < 15; j++) {
      const apart = voice / VOICE_RATE + i * step - (video / VIDEO_RATE + (j * WRAP) / VIDEO_RATE);
      if (Math.abs(apart) < Math.abs(best)) best = apart;
    }
  }
  return best;
}

export class Playout {
  #video; #receiver; #latency; #listener; #voice = null; #offsets = []; #running = false; #poll = 0; #report = 0; #callback = 0; #frames = 0; #advise; #recent = []; #seconds = 0;

  /**
   * `receiver()` gives the voice's RTCRtpReceiver, `latency()` the sound card's part in seconds; `listener({offset, spread, frames})` is
   * called each second: offset in ms, positive when the voice comes later than the picture, null when nothing could be measured;
   * `advise(offset)` now and then, with what the server should know.
   */
  constructor(video, { receiver, latency = () => 0, listener, advise = () => {} }) {
    this.#video = video;
    this.#receiver = receiver;
    this.#latency = latency;
    this.#listener = listener;
    this.#advise = advise;
  }

  start() {
    this.stop();
    this.#running = true;
    this.#voice = null;
    this.#poll = setInterval(() => this.#listen(), POLL_MS);
    this.#report = setInterval(() => this.#tell(), 1000);
    const watch = (now, frame) => {
      if (!this.#running) return;
      this.#saw(frame);
      this.#callback = this.#video.requestVideoFrameCallback(watch);
    };
    if (this.#video.requestVideoFrameCallback) this.#callback = this.#video.requestVideoFrameCallback(watch);
  }

  stop() {
    this.#running = false;
    clearInterval(this.#poll);
    clearInterval(this.#report);
    if (this.#callback) this.#video.cancelVideoFrameCallback(this.#callback);
    this.#callback = 0;
    this.#offsets = [];
    this.#recent = [];
    this.#seconds = this.#frames = 0;
  }

  #listen() {
    const source = this.#receiver()?.getSynchronizationSources?.()[0];
    if (!source || source.rtpTimestamp === this.#voice?.rtp) return;
    // Some browsers give this time since the epoch, some since the page began.
    const at = source.timestamp > 1e11 ? source.timestamp - performance.timeOrigin : source.timestamp;
    this.#voice = { rtp: source.rtpTimestamp, at };
  }

  #saw(frame) {
    this.#frames++;
    const voice = this.#voice;
    if (frame.rtpTimestamp === undefined || !voice || performance.now() - voice.at > 1000) return;
    // When the sound that belongs to this picture leaves (or left) the loudspeaker, against when the picture shows.
    const heard = voice.at - difference(voice.rtp, frame.rtpTimestamp) * 1000 + this.#latency() * 1000;
    const offset = heard - frame.expectedDisplayTime;
    if (Math.abs(offset) < ABSURD_MS) this.#offsets.push(offset);
  }

  #tell() {
    const sorted = this.#offsets.sort((a, b) => a - b);
    const at = (share) => sorted[Math.floor((sorted.length - 1) * share)];
    const enough = sorted.length >= 5;
    this.#listener({ offset: enough ? at(0.5) : null, spread: enough ? at(0.9) - at(0.1) : null, frames: this.#frames });
    this.#offsets = [];
    this.#frames = 0;
    if (!enough) return;
    this.#recent = [...this.#recent, at(0.5)].slice(-ADVICE_OVER);
    if (++this.#seconds % ADVICE_EVERY) return;
    const middle = [...this.#recent].sort((a, b) => a - b)[this.#recent.length >> 1];
    if (Math.abs(middle) >= ADVICE_LEAST_MS) this.#advise(middle);
  }
}
