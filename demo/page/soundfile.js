// Lets a sound file speak: decoded by the browser, mixed to mono, sent as PCM through the control channel at a little ahead of real time,
// so that an interrupt has little to throw away and a long file no memory to fill.

import { RATE } from './control.js';

const AHEAD = 1.5; // seconds sent before they are heard
const PIECE = RATE / 10;

export async function decode(bytes) {
  let sound;
  try {
    // An offline context resamples to its own rate while it decodes.
    sound = await new OfflineAudioContext(1, 1, RATE).decodeAudioData(bytes);
  } catch {
    throw new Error('The browser cannot read this as sound.');
  }
  const samples = new Float32Array(sound.length);
  for (let channel = 0; channel < sound.numberOfChannels; channel++) {
    const data = sound.getChannelData(channel);
    for (let i = 0; i < samples.length; i++) samples[i] += data[i] / sound.numberOfChannels;
  }
  return samples;
}

export class Player {
  #control; #timer = 0; #done = null;

  constructor(control) {
    this.#control = control;
  }

  get playing() {
    return this.#done !== null;
  }

  /** Resolves when all was spoken (true), or when it was stopped (false). `progress(seconds, of)` while it goes. */
  play(samples, progress = () => {}) {
    this.stop();
    const begun = performance.now();
    let sent = 0;
    return new Promise((done) => {
      const spoken = () => this.#finish(true);
      this.#done = (whole) => {
        this.#control.removeEventListener('spoken', spoken);
        done(whole);
      };
      this.#control.addEventListener('spoken', spoken);
      this.#timer = setInterval(() => {
        const heard = (performance.now() - begun) / 1000;
        while (sent < samples.length && sent < (heard + AHEAD) * RATE) {
          if (!this.#control.sendSamples(samples.slice(sent, sent + PIECE))) break;
          sent += PIECE;
          if (sent >= samples.length) this.#control.send({ type: 'end' });
        }
        progress(Math.min(heard, samples.length / RATE), samples.length / RATE);
        // Should the server never say "spoken", the file is over all the same.
        if (heard > samples.length / RATE + 3) this.#finish(true);
      }, 50);
    });
  }

  stop() {
    this.#finish(false);
  }

  #finish(whole) {
    clearInterval(this.#timer);
    const done = this.#done;
    this.#done = null;
    done?.(whole);
  }
}
