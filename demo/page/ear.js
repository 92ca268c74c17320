// When the received voice leaves the loudspeaker, on the page's clock. The worklet says what plays at which time of the audio context, and
// getOutputTimestamp() which moment of the context is in the loudspeaker now, the browser's own estimate of the sound card included.
// The way through the audio graph is up to two buffers (about 10 ms each) longer than that of the <audio> element that people hear, so
// voices are put too late by at most that, never too early. The resolution is one piece, 5.3 ms at 48 kHz.

const LOUD = 0.02; // rms of full scale

export class Ear {
  pieces = []; // [ms, rms, peak]
  context;
  #node; #source = null;

  static async open() {
    const context = new AudioContext({ latencyHint: 'interactive' });
    await context.resume();
    await context.audioWorklet.addModule('/ear-worklet.js');
    return new Ear(context);
  }

  constructor(context) {
    this.context = context;
    this.#node = new AudioWorkletNode(context, 'ear', { numberOfOutputs: 1 });
    this.#node.connect(context.destination); // pulls it; the worklet puts nothing out
    this.#node.port.onmessage = ({ data: [at, rms, peak] }) => {
      const { contextTime, performanceTime } = context.getOutputTimestamp();
      this.pieces.push([performanceTime + (at - contextTime) * 1000, rms, peak]);
    };
  }

  listen(track) {
    this.#source?.disconnect();
    this.#source = this.context.createMediaStreamSource(new MediaStream([track]));
    this.#source.connect(this.#node);
  }

  /** The first loud piece from `from` to `to`, or null. */
  firstLoud(from, to) {
    return this.pieces.find(([at, rms]) => at >= from && at <= to && rms > LOUD)?.[0] ?? null;
  }

  /** The end of the last piece after `from` that was not silent, or null when all were. */
  lastLoud(from, floor = LOUD / 10) {
    const last = this.pieces.findLast(([at, rms]) => at >= from && rms > floor);
    return last ? last[0] + (256 / this.context.sampleRate) * 1000 : null;
  }

  loudNow() {
    return this.pieces.slice(-10).some(([, rms]) => rms > LOUD);
  }
}
