// The picture in the dialog: the photograph, the points and lines that were found in it, rings to drag, faces to choose from. Everything is
// placed in pixels of the photograph; `#view` is the square of it that is seen.

const NAMES = {
  left_eye: 'Left eye of the person', right_eye: 'Right eye of the person', nose: 'Tip of the nose', mouth_left: 'Left corner of the mouth', mouth_right: 'Right corner of the mouth', chin: 'Chin',
};
/** How far a ring takes the points around it with it, by the distance of the eyes: as the server does it. */
const REACH = 0.35;
const GLIDE = 700; // ms
const WAVES = 8; // in which the points appear, from the nose outwards
const LOUPE = 0.45; // of the view's scale

const svg = (tag, attributes) => {
  const made = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
};
const trail = (line) => `M${line.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join('L')}`;
const still = matchMedia('(prefers-reduced-motion: reduce)');

/** Events: `move`, when a ring was moved; `pick`, detail the number of a face, counted from 1. */
export class Easel extends EventTarget {
  #box; #picture; #lines; #marks; #image = null; #size = { width: 1, height: 1 }; #view = { x: 0, y: 0, side: 1 }; #found = null; #handles = {}; #boxes = []; #glide = 0;

  constructor({ box, picture, lines, marks }) {
    super();
    this.#box = box;
    this.#picture = picture;
    this.#lines = lines;
    this.#marks = marks;
    new ResizeObserver(() => this.#place()).observe(box);
  }

  /** Nothing is on it. */
  clear() {
    cancelAnimationFrame(this.#glide);
    this.#image = this.#found = null;
    this.#boxes = [];
    this.#handles = {};
    delete this.#box.dataset.view;
    for (const part of [this.#picture, this.#lines, this.#marks]) part.replaceChildren();
  }

  /** A picture, whole; `portrait` fills the niche. Fails if the browser cannot show it. */
  async show(address, portrait = false) {
    const image = new Image();
    image.alt = '';
    image.draggable = false;
    image.src = address;
    await image.decode();
    this.clear();
    this.#image = image;
    this.#size = { width: image.naturalWidth, height: image.naturalHeight };
    this.#picture.replaceChildren(image);
    this.#look(portrait ? { x: 0, y: 0, side: this.#size.width } : this.#whole(), portrait ? 'face' : 'whole');
  }

  /** Faces to choose from: `[[left, top, right, bottom], …]` in pixels of a photograph of this size. */
  choose(boxes, size) {
    this.#size = size;
    this.#found = null;
    this.#lines.replaceChildren();
    this.#look(this.#whole(), 'whole');
    this.#boxes = boxes.map((box, at) => {
      const button = Object.assign(document.createElement('button'), { type: 'button', className: 'face' });
      button.setAttribute('aria-label', `Face ${at + 1} of ${boxes.length}, from the left`);
      button.append(Object.assign(document.createElement('span'), { textContent: at + 1 }));
      button.addEventListener('click', () => this.dispatchEvent(new CustomEvent('pick', { detail: at + 1 })));
      return { box, button };
    });
    this.#marks.replaceChildren(...this.#boxes.map(({ button }) => button));
    this.#place();
  }

  /** What was found; `fresh`: it appears, otherwise it is there. */
  fit({ photo, points, outline, handles }, fresh) {
    this.#size = photo;
    this.#boxes = [];
    this.#found = { points, outline, handles };
    this.#handles = structuredClone(handles);
    const appear = fresh ? ' appear' : '';
    const waves = [...this.#waves()].map((_, wave) => {
      const path = svg('path', { class: `dots${appear}` });
      path.style.animationDelay = `${0.25 + wave * 0.07}s`;
      return path;
    });
    const lines = outline.flatMap(() => ['under line', 'line'].map((name) => svg('path', { class: name + appear, pathLength: 1 })));
    this.#lines.replaceChildren(...lines.filter((_, at) => at % 2 === 0), ...waves, ...lines.filter((_, at) => at % 2));
    this.#marks.replaceChildren(...Object.keys(handles).map((name) => this.#ring(name, appear)));
    this.#draw();
    const view = this.#around(points);
    if (fresh && !still.matches) this.#glideTo(view);
    else this.#look(view, 'face');
  }

  /** Where the rings are now. */
  get handles() {
    return this.#handles;
  }

  focusRing() {
    this.#marks.querySelector('.ring, .face')?.focus();
  }

  #whole() {
    const { width, height } = this.#size;
    const side = Math.max(width, height);
    return { x: (width - side) / 2, y: (height - side) / 2, side };
  }

  /** A square around the head, within the picture where that is large enough. */
  #around(points) {
    const range = (axis) => points.reduce(([low, high], point) => [Math.min(low, point[axis]), Math.max(high, point[axis])], [Infinity, -Infinity]);
    const [[left, right], [top, bottom]] = [range(0), range(1)];
    const { width, height } = this.#size;
    const face = Math.max(right - left, bottom - top);
    const side = Math.max(1.2 * face, Math.min(1.7 * face, width, height));
    const within = (middle, length) => (side > length ? (length - side) / 2 : Math.min(Math.max(middle - side / 2, 0), length - side));
    return { x: within((left + right) / 2, width), y: within((top + bottom) / 2 - 0.06 * side, height), side };
  }

  #look(view, name) {
    cancelAnimationFrame(this.#glide);
    this.#view = view;
    this.#box.dataset.view = name;
    this.#place();
  }

  #glideTo(goal) {
    cancelAnimationFrame(this.#glide);
    const from = this.#view;
    const begun = performance.now();
    this.#box.dataset.view = 'face';
    const step = (now) => {
      const t = Math.min(1, Math.max(0, (now - begun) / GLIDE));
      const eased = t * t * (3 - 2 * t);
      this.#view = Object.fromEntries(Object.keys(goal).map((key) => [key, from[key] + (goal[key] - from[key]) * eased]));
      this.#place();
      if (t < 1) this.#glide = requestAnimationFrame(step);
    };
    this.#glide = requestAnimationFrame(step);
  }

  /** Puts everything where the view says. Shares of the square, so that it may have any size. */
  #place() {
    const { x, y, side } = this.#view;
    const share = (value) => `${(value * 100).toFixed(4)}%`;
    const at = (element, left, top) => Object.assign(element.style, { left: share((left - x) / side), top: share((top - y) / side) });
    const sized = (element, width, height) => Object.assign(element.style, { width: share(width / side), height: share(height / side) });
    if (this.#image) {
      at(this.#image, 0, 0);
      sized(this.#image, this.#size.width, this.#size.height);
    }
    this.#lines.setAttribute('viewBox', `${x} ${y} ${side} ${side}`);
    this.#lines.style.setProperty('--px', `${side / (this.#box.clientWidth || 1)}px`);
    for (const { box: [left, top, right, bottom], button } of this.#boxes) {
      at(button, left, top);
      sized(button, right - left, bottom - top);
    }
    for (const ring of this.#marks.querySelectorAll('.ring')) at(ring, ...this.#handles[ring.dataset.name]);
  }

  /** The points, nearest to the nose first, as indices. */
  *#waves() {
    const { points, handles: { nose } } = this.#found;
    const order = points.map((point, index) => [Math.hypot(point[0] - nose[0], point[1] - nose[1]), index]).sort((a, b) => a[0] - b[0]);
    const each = Math.ceil(order.length / WAVES);
    for (let wave = 0; wave < WAVES; wave++) yield order.slice(wave * each, (wave + 1) * each).map(([, index]) => index);
  }

  /** Points and lines, as the rings pull them. */
  #draw() {
    const { points, outline, handles } = this.#found;
    const [left, right] = [handles.left_eye, handles.right_eye];
    const reach = REACH * Math.max(1, Math.hypot(left[0] - right[0], left[1] - right[1]));
    const pulls = Object.entries(handles).map(([name, [x, y]]) => [x, y, this.#handles[name][0] - x, this.#handles[name][1] - y]).filter(([, , dx, dy]) => dx || dy);
    const pulled = ([x, y]) => pulls.reduce(([u, v], [cx, cy, dx, dy]) => {
      const share = Math.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * reach * reach));
      return [u + share * dx, v + share * dy];
    }, [x, y]);
    const dots = this.#lines.querySelectorAll('.dots');
    [...this.#waves()].forEach((indices, wave) => dots[wave].setAttribute('d', indices.map((index) => { const [x, y] = pulled(points[index]); return `M${x.toFixed(1)} ${y.toFixed(1)}h0`; }).join('')));
    for (const name of ['.line.under', '.line:not(.under)']) this.#lines.querySelectorAll(name).forEach((path, at) => path.setAttribute('d', trail(outline[at].map(pulled))));
  }

  #ring(name, appear) {
    const ring = Object.assign(document.createElement('button'), { type: 'button', className: `ring${appear}` });
    ring.dataset.name = name;
    ring.setAttribute('aria-label', NAMES[name] ?? name);
    ring.setAttribute('aria-roledescription', 'point that arrow keys move');
    ring.addEventListener('keydown', (event) => {
      const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (!step || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      // A pixel of the screen; ten with Shift.
      const by = (this.#view.side / (this.#box.clientWidth || 1)) * (event.shiftKey ? 10 : 1);
      this.#move(name, this.#handles[name].map((value, axis) => value + step[axis] * by));
    });
    ring.addEventListener('pointerdown', (event) => {
      if (event.button) return;
      event.preventDefault();
      ring.focus({ preventScroll: true });
      ring.setPointerCapture(event.pointerId);
      const from = this.#handles[name];
      const [startX, startY] = [event.clientX, event.clientY];
      const loupe = this.#loupe(name);
      ring.classList.add('held');
      const drag = (moved) => {
        const scale = this.#view.side / this.#box.clientWidth;
        this.#move(name, [from[0] + (moved.clientX - startX) * scale, from[1] + (moved.clientY - startY) * scale]);
        loupe.follow();
      };
      const drop = () => {
        ring.removeEventListener('pointermove', drag);
        ring.classList.remove('held');
        loupe.remove();
      };
      ring.addEventListener('pointermove', drag);
      ring.addEventListener('lostpointercapture', drop, { once: true });
    });
    return ring;
  }

  #move(name, [x, y]) {
    const { width, height } = this.#size;
    this.#handles[name] = [Math.min(Math.max(x, 0), width), Math.min(Math.max(y, 0), height)];
    this.#draw();
    this.#place();
    this.dispatchEvent(new CustomEvent('move'));
  }

  /** What is under the finger, larger, above it. */
  #loupe(name) {
    const glass = document.createElement('div');
    glass.className = 'loupe';
    const image = this.#image.cloneNode();
    glass.append(image);
    this.#marks.append(glass);
    const follow = () => {
      const { x, y, side } = this.#view;
      const [px, py] = this.#handles[name];
      const seen = side * LOUPE * (glass.clientWidth / this.#box.clientWidth);
      const share = (value) => `${(value * 100).toFixed(3)}%`;
      const { width, height } = this.#size;
      Object.assign(image.style, { width: share(width / seen), height: share(height / seen), left: share(0.5 - px / seen), top: share(0.5 - py / seen) });
      const above = (py - y) / side;
      Object.assign(glass.style, { left: share((px - x) / side), top: share(above > 0.3 ? above - 0.2 : above + 0.2) });
    };
    follow();
    return { follow, remove: () => glass.remove() };
  }
}
