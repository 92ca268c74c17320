// What is behind the face: the portrait's own background, the same out of focus, one colour, or the server's picture.

const WORDS = { portrait: 'as in the portrait', blur: 'out of focus', picture: 'the server’s picture' };
const COLOUR = 'colour';

/** Event `pick` with detail the background as the server takes it, when the user chose one. */
export class Behind extends EventTarget {
  value = null; // null until the server said what there is
  #select; #colour; #picked = -Infinity; #timer = 0;

  constructor(select, colour) {
    super();
    this.#select = select;
    this.#colour = colour;
    select.addEventListener('change', () => this.#choose());
    colour.addEventListener('input', () => this.#choose());
  }

  /** `names`: the server's list; `wanted`: what the address says, else the server's default. */
  fill(names, wanted) {
    this.#select.replaceChildren(...names.map((name) => new Option(WORDS[name] ?? name, name)), new Option('one colour', COLOUR));
    this.show(wanted);
  }

  /** Shows a choice without telling anybody. */
  show(value) {
    // The server's echo of an earlier choice is not to undo a later one.
    if (performance.now() - this.#picked < 1500) return;
    const isColour = /^#?[0-9a-f]{6}$/i.test(value);
    if (!isColour && ![...this.#select.options].some((option) => option.value === value)) return;
    this.value = value;
    this.#select.value = isColour ? COLOUR : value;
    if (isColour) this.#colour.value = value.startsWith('#') ? value.toLowerCase() : `#${value.toLowerCase()}`;
    this.#colour.hidden = !isColour;
  }

  #choose() {
    const isColour = this.#select.value === COLOUR;
    this.#colour.hidden = !isColour;
    this.value = isColour ? this.#colour.value : this.#select.value;
    this.#picked = performance.now();
    // A colour says something at every pixel that it is dragged over.
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.dispatchEvent(new CustomEvent('pick', { detail: this.value })), isColour ? 200 : 0);
  }
}
