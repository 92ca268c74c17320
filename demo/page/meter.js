// The microphone meter: the root mean square of the last 43 ms in dBFS, its peak, and whether nothing at all has come for a while.

const FLOOR = -60;
const DEAD = -75; // dBFS: below this for DEAD_SECONDS the microphone is off, muted by a switch, or the wrong one
const DEAD_SECONDS = 6;

export class Meter {
  #context; #analyser = null; #source = null; #element; #words; #frame = 0; #peak = FLOOR; #alive = 0; #said = 0; #samples; #listener; #muted = false;

  /** `listener(level 0…1)` is called each frame. */
  constructor(context, element, words, listener) {
    this.#context = context;
    this.#element = element;
    this.#words = words;
    this.#listener = listener;
  }

  start(stream) {
    this.stop();
    this.#analyser = this.#context.createAnalyser();
    this.#analyser.fftSize = 2048;
    this.#samples = new Float32Array(2048);
    this.#source = this.#context.createMediaStreamSource(stream);
    this.#source.connect(this.#analyser); // and to nothing else: the microphone is never played
    this.#alive = performance.now();
    this.#look();
  }

  stop() {
    cancelAnimationFrame(this.#frame);
    this.#source?.disconnect();
    this.#source = this.#analyser = null;
    this.#show(FLOOR, FLOOR, 'off');
    this.#listener(0);
  }

  set muted(value) {
    this.#muted = value;
    this.#alive = performance.now();
  }

  #look() {
    this.#frame = requestAnimationFrame(() => this.#look());
    this.#analyser.getFloatTimeDomainData(this.#samples);
    let sum = 0;
    for (const sample of this.#samples) sum += sample * sample;
    const level = 10 * Math.log10(sum / this.#samples.length + 1e-12);
    const now = performance.now();
    if (level > DEAD || this.#muted) this.#alive = now;
    this.#peak = Math.max(level, this.#peak - 0.4);
    const words = this.#muted ? 'muted' : now - this.#alive > DEAD_SECONDS * 1000 ? 'silent?' : level > -6 ? 'too loud' : level > -45 ? 'good' : 'quiet';
    this.#show(this.#muted ? FLOOR : level, this.#muted ? FLOOR : this.#peak, words);
    this.#listener(this.#muted ? 0 : Math.min(1, Math.max(0, (level + 45) / 35)));
  }

  #show(level, peak, words) {
    const share = (value) => Math.min(1, Math.max(0, (value - FLOOR) / -FLOOR));
    const [bar, tick] = this.#element.children;
    bar.style.transform = `scaleX(${share(level).toFixed(3)})`;
    tick.hidden = peak <= FLOOR;
    tick.style.left = `${(share(peak) * 100).toFixed(1)}%`;
    this.#element.classList.toggle('loud', words === 'too loud');
    // Words for screen readers and for the eye change at most twice a second.
    const now = performance.now();
    if (now - this.#said < 500 && words !== 'off') return;
    this.#said = now;
    this.#element.setAttribute('aria-valuenow', Math.round(Math.max(FLOOR, level)));
    this.#element.setAttribute('aria-valuetext', words);
    this.#words.textContent = `microphone ${words}`;
  }
}
