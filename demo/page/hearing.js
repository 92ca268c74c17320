// When a sound reached the microphone, on the page's clock (performance.now()).
//
// MediaStreamTrackProcessor (Chromium only, like `vultus latency`) hands on the microphone's buffers with the time each was captured, on the
// page's clock. A worklet would be later by its own queue and by the size of the sound card's buffers (3 to 12 ms with a fake microphone),
// and would make the latency look better than it is.
//
// A buffer's last sample is taken as heard at the buffer's time, and the one that is k before it k / rate earlier. For a real microphone
// the browser has already taken the device's delay off, and this counts one buffer (10 ms) too much; a fake microphone makes a buffer's
// samples all at once, and there it is what a real one would have needed to collect them. So an onset is never put too late by this: the
// latency that is computed from it is right, or too large by at most one buffer. Whether the timestamps are on the page's clock is checked:
// buffers arrive at least once within `late` ms of their time, which is reported.

const LOUD = 0.04; // of full scale
const QUIET_MS = 300; // this long below LOUD / 2 before a loud sample is an onset

export class Hearing {
  onsets = []; // {at, peak}: ms on the page's clock
  level = []; // [ms, rms] for each buffer
  late = Infinity; // ms: the shortest way of a buffer from its time to here
  buffer = 0; // ms
  #reader; #quiet = 0; #data = new Float32Array(0);

  constructor(track) {
    if (!window.MediaStreamTrackProcessor) throw new Error('This browser has no MediaStreamTrackProcessor; the measurement needs Chromium.');
    this.#reader = new MediaStreamTrackProcessor({ track }).readable.getReader();
    this.#read();
  }

  stop() {
    this.#reader.cancel().catch(() => {});
  }

  /** Was it quiet from `from` to `to` (ms)? Not known where nothing was recorded. */
  silent(from, to) {
    let seen = false;
    for (const [at, rms] of this.level) {
      if (at < from || at > to) continue;
      if (rms > LOUD / 10) return false;
      seen = true;
    }
    return seen;
  }

  async #read() {
    for (;;) {
      const { value: sound, done } = await this.#reader.read();
      if (done) return;
      const { timestamp, numberOfFrames: frames, sampleRate: rate } = sound;
      if (this.#data.length < frames) this.#data = new Float32Array(frames);
      sound.copyTo(this.#data, { planeIndex: 0, format: 'f32-planar' });
      sound.close();
      const end = timestamp / 1000;
      this.late = Math.min(this.late, performance.now() - end);
      this.buffer = (frames * 1000) / rate;
      let sum = 0;
      for (let i = 0; i < frames; i++) {
        const value = Math.abs(this.#data[i]);
        sum += value * value;
        if (value > LOUD) {
          if (this.#quiet > (QUIET_MS * rate) / 1000) this.onsets.push({ at: end - ((frames - i) * 1000) / rate });
          this.#quiet = 0;
        } else if (value < LOUD / 2) {
          this.#quiet++;
        }
      }
      this.level.push([end, Math.sqrt(sum / frames)]);
    }
  }
}
