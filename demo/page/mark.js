// The mark: two brows, two eyes, a mouth. It is the engine's sign, and it wears whatever expression is chosen; each emotion's chip is the
// same drawing. All in a box of 48 × 48, drawn as strokes, from eight numbers that can be blended.

// brow: height of the inner and outer end (positive is up) and its arch; eye: how long the stroke is; mouth: half width, curve (positive
// smiles), opening, and how far the right corner is pulled up.
const NEUTRAL = { inner: 0, outer: 0, arch: 2.5, eye: 3, width: 10, curve: 1, open: 0, corner: 0 };
const FACES = {
  neutral: NEUTRAL,
  angry: { inner: -4.5, outer: 2.5, arch: 0.5, eye: 2.4, width: 9, curve: -4, open: 0, corner: 0 },
  contempt: { inner: -1, outer: 0.5, arch: 2, eye: 1.6, width: 9, curve: 0, open: 0, corner: 5 },
  disgusted: { inner: -3, outer: -0.5, arch: 2, eye: 1.2, width: 8, curve: -5, open: 0, corner: -2.5 },
  fear: { inner: 4, outer: -2, arch: 0, eye: 4.8, width: 8, curve: -1, open: 3, corner: 0 },
  happy: { inner: 1, outer: 0.5, arch: 4, eye: 2, width: 13, curve: 8, open: 0, corner: 0 },
  sad: { inner: 4, outer: -3, arch: 1, eye: 2.2, width: 9, curve: -5.5, open: 0, corner: 0 },
  surprised: { inner: 3.5, outer: 3, arch: 4.5, eye: 5, width: 4.5, curve: 1, open: 5.2, corner: 0 },
};

/** The eight numbers of an emotion (a name, or shares by name) at an intensity from 1 to 3. */
export function faceOf(emotion, intensity = 2) {
  const degree = 0.55 + 0.2 * intensity;
  const shares = typeof emotion === 'string' ? [[emotion, 1]] : Object.entries(emotion);
  const off = (key) => shares.reduce((sum, [name, share]) => sum + share * ((FACES[name] ?? NEUTRAL)[key] - NEUTRAL[key]), 0);
  return Object.fromEntries(Object.keys(NEUTRAL).map((key) => [key, NEUTRAL[key] + off(key) * degree]));
}

function strokes(face) {
  const n = (value) => value.toFixed(2);
  const browMiddle = 13.5 - (face.inner + face.outer) / 2 - face.arch;
  const brow = (side) => `M${n(24 + side * 17)} ${n(14.5 - face.outer)}Q${n(24 + side * 11)} ${n(browMiddle - face.arch * 0.4)} ${n(24 + side * 4.5)} ${n(14 - face.inner)}`;
  const eye = (side) => `M${n(24 + side * 10)} ${n(22 - face.eye / 2)}v${n(face.eye)}`;
  const y = 33 - face.curve * 0.35;
  const left = `${n(24 - face.width)} ${n(y)}`;
  const right = `${n(24 + face.width)} ${n(y - face.corner)}`;
  const curve = (bend) => `${n(y + bend - face.corner * 0.15)}`;
  const lip = face.curve * 1.3;
  // Shut it is one stroke; open it is a round between two.
  const mouth = face.open < 0.3
    ? `M${left}Q24 ${curve(lip)} ${right}`
    : `M${left}C${n(24 - face.width)} ${curve(lip + face.open * 1.4)} ${n(24 + face.width)} ${curve(lip + face.open * 1.4)} ${right}C${n(24 + face.width)} ${curve(lip - face.open * 1.2)} ${n(24 - face.width)} ${curve(lip - face.open * 1.2)} ${left}Z`;
  return [brow(-1) + brow(1), eye(-1) + eye(1), mouth];
}

/** Draws a face into an <svg>; later calls only change the paths. */
export function draw(svg, face) {
  if (svg.childElementCount !== 3) {
    svg.replaceChildren(...[0, 1, 2].map(() => document.createElementNS('http://www.w3.org/2000/svg', 'path')));
  }
  strokes(face).forEach((d, i) => svg.children[i].setAttribute('d', d));
}

/** The mark in the header: glides to the chosen expression, and its mouth opens with the voice. */
export class Mark {
  #svg; #now; #goal; #open = 0; #running = false;
  #still = matchMedia('(prefers-reduced-motion: reduce)');

  constructor(svg) {
    this.#svg = svg;
    this.#now = this.#goal = faceOf('neutral');
    draw(svg, this.#now);
  }

  wear(emotion, intensity) {
    this.#goal = faceOf(emotion, intensity);
    this.#run();
  }

  /** `level` from 0 to 1. */
  voice(level) {
    this.#open = this.#still.matches ? 0 : level;
    this.#run();
  }

  #run() {
    if (this.#running) return;
    this.#running = true;
    requestAnimationFrame(() => this.#step());
  }

  #step() {
    const goal = { ...this.#goal, open: Math.max(this.#goal.open, this.#open * 6) };
    const rate = this.#still.matches ? 1 : 0.3;
    let rest = 0;
    const next = {};
    for (const key of Object.keys(goal)) {
      const step = (goal[key] - this.#now[key]) * rate;
      next[key] = this.#now[key] + step;
      rest = Math.max(rest, Math.abs(goal[key] - next[key]));
    }
    this.#now = next;
    draw(this.#svg, next);
    this.#running = rest > 0.02;
    if (this.#running) requestAnimationFrame(() => this.#step());
  }
}
