// The colonnade: who can speak, as a group of radio buttons with portraits.

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
    this.#box.replaceChildren(...avatars.map((avatar) => this.#niche(avatar)));
    const first = avatars.find(({ name }) => name === wanted) ?? avatars.find((avatar) => avatar.default) ?? avatars[0];
    if (first) this.show(first.name);
    await Promise.all(avatars.map(async (avatar) => {
      const address = await picture(avatar.picture).catch(() => '');
      this.#pictures.set(avatar.name, address);
      const image = this.#box.querySelector(`input[value="${CSS.escape(avatar.name)}"] + img`);
      if (address && image) image.src = address;
      if (avatar.name === this.value) this.show(avatar.name);
    }));
  }

  /** Shows a choice without telling anybody: also what the server says it is. */
  show(name) {
    const avatar = this.#avatars.find((one) => one.name === name);
    if (!avatar) return;
    this.value = name;
    const input = this.#box.querySelector(`input[value="${CSS.escape(name)}"]`);
    if (input) {
      input.checked = true;
      // On a narrow screen the row scrolls; the page itself must not.
      const { offsetLeft, offsetWidth } = input.parentElement;
      this.#box.scrollLeft = offsetLeft - (this.#box.clientWidth - offsetWidth) / 2;
    }
    this.#name.textContent = avatar.name;
    this.#title.textContent = (avatar.title ?? '').replace(new RegExp(`^${avatar.name}[,:]?\\s*`, 'i'), '');
    const address = this.#pictures.get(name);
    if (address && this.#still.getAttribute('src') !== address) this.#still.src = address;
    this.#still.alt = avatar.title ?? capital(name);
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
    words.textContent = capital(avatar.name);
    label.append(input, image, words);
    label.title = avatar.title ?? '';
    input.addEventListener('change', () => {
      this.show(avatar.name);
      this.dispatchEvent(new CustomEvent('pick', { detail: avatar.name }));
    });
    return label;
  }
}
