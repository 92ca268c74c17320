// The colonnade: who can speak, as a group of radio buttons with portraits; behind them the door to a face of one's own.

import { picture } from './net.js';

const capital = (name) => name.charAt(0).toUpperCase() + name.slice(1);

export class Cast extends EventTarget {
  #box; #still; #name; #title; #avatars = []; #pictures = new Map();
  value = null;

  constructor(box, { still, name, title }) {
    super();
    this.#box = box;
    this.#still = still;
    this.#name = name;
    this.#title = title;
  }

  /** `avatars`: the server's list; `wanted`: a name from the address, else the server's default. */
  async fill(avatars, wanted) {
    this.#avatars = avatars;
    this.#box.querySelectorAll('label').forEach((label) => label.remove());
    this.#box.prepend(...avatars.map((avatar) => this.#niche(avatar)));
    const first = avatars.find(({ name }) => name === wanted) ?? avatars.find((avatar) => avatar.default) ?? avatars[0];
    if (first) this.show(first.name);
    await Promise.all(avatars.map((avatar) => this.#paint(avatar)));
  }

  /** One more, `{name, label, picture}`, or the same with another picture. */
  async add(avatar) {
    if (!this.#avatars.some(({ name }) => name === avatar.name)) this.#box.lastElementChild.before(this.#niche(avatar));
    this.#avatars = [...this.#avatars.filter(({ name }) => name !== avatar.name), avatar];
    await this.#paint(avatar);
  }

  /** One less; where it was chosen, the server's default is. */
  remove(name) {
    this.#avatars = this.#avatars.filter((avatar) => avatar.name !== name);
    this.#input(name)?.parentElement.remove();
    const first = this.#avatars.find((avatar) => avatar.default) ?? this.#avatars[0];
    if (this.value === name && first) this.show(first.name);
  }

  async #paint(avatar) {
    const address = await picture(avatar.picture).catch(() => '');
    this.#pictures.set(avatar.name, address);
    const image = this.#input(avatar.name)?.nextElementSibling;
    if (address && image) image.src = address;
    if (avatar.name === this.value) this.show(avatar.name);
  }

  #input(name) {
    return this.#box.querySelector(`input[value="${CSS.escape(name)}"]`);
  }

  /** Shows a choice without telling anybody: also what the server says it is. */
  show(name) {
    const avatar = this.#avatars.find((one) => one.name === name);
    if (!avatar) return;
    this.value = name;
    const input = this.#input(name);
    if (input) {
      input.checked = true;
      // On a narrow screen the row scrolls; the page itself must not.
      const { offsetLeft, offsetWidth } = input.parentElement;
      this.#box.scrollLeft = offsetLeft - (this.#box.clientWidth - offsetWidth) / 2;
    }
    this.#name.textContent = avatar.label ?? avatar.name;
    this.#title.textContent = (avatar.title ?? '').replace(new RegExp(`^${avatar.name}[,:]?\\s*`, 'i'), '');
    const address = this.#pictures.get(name);
    if (address && this.#still.getAttribute('src') !== address) this.#still.src = address;
    this.#still.alt = avatar.title ?? avatar.label ?? capital(name);
  }

  #niche(avatar) {
    const label = document.createElement('label');
    label.className = 'column';
    const input = document.createElement('input');
    input.type = 'radio';
    input.name = 'avatar';
    input.value = avatar.name;
    input.className = 'sr';
    const image = document.createElement('img');
    image.alt = '';
    image.width = image.height = 72;
    const words = document.createElement('span');
    words.textContent = avatar.label ?? capital(avatar.name);
    label.append(input, image, words);
    label.title = avatar.title ?? '';
    input.addEventListener('change', () => {
      this.show(avatar.name);
      this.dispatchEvent(new CustomEvent('pick', { detail: avatar.name }));
    });
    return label;
  }
}
