// The card in the niche that says what is wrong and what can be done about it. Words are only ever set as text.

/** The server's errors are sentences without a capital and a full stop. */
const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?…]$/.test(text) ? '' : '.');

export class Notice {
  #box; #timer = 0; #kind = '';

  constructor(box) {
    this.#box = box;
  }

  get kind() {
    return this.#kind;
  }

  /**
   * `kind` names the notice; `title`, `text`; `seconds` counts down under the text; `actions`: `[[words, action], …]`; `ask`:
   * `{label, action}` puts a line to type a secret in.
   */
  show(kind, { title, text, seconds = 0, actions = [], ask = null }) {
    this.hide();
    this.#kind = kind;
    const make = (tag, words, parent) => {
      const made = document.createElement(tag);
      made.textContent = words;
      parent.append(made);
      return made;
    };
    const fragment = document.createDocumentFragment();
    make('h3', title, fragment);
    make('p', sentence(text), fragment);
    if (seconds) this.#count(make('p', '', fragment), seconds);
    if (ask) {
      const form = document.createElement('form');
      const label = make('label', ask.label, form);
      const input = document.createElement('input');
      input.type = 'password';
      input.autocomplete = 'off';
      input.required = true;
      label.append(input);
      make('button', 'Enter', form).className = 'plain';
      form.addEventListener('submit', (event) => {
        event.preventDefault();
        ask.action(input.value);
      });
      fragment.append(form);
    }
    if (actions.length) {
      const row = document.createElement('div');
      row.className = 'notice-actions';
      for (const [words, action] of actions) {
        const button = make('button', words, row);
        button.type = 'button';
        button.className = 'plain';
        button.addEventListener('click', action);
      }
      fragment.append(row);
    }
    this.#box.replaceChildren(fragment);
    this.#box.hidden = false;
    this.#box.querySelector('input')?.focus();
  }

  hide() {
    clearInterval(this.#timer);
    this.#kind = '';
    this.#box.hidden = true;
    this.#box.replaceChildren();
  }

  #count(line, seconds) {
    line.className = 'countdown';
    // Spoken once, not each second.
    line.setAttribute('aria-live', 'off');
    const end = performance.now() + seconds * 1000;
    const tick = () => {
      const left = Math.max(0, Math.ceil((end - performance.now()) / 1000));
      line.textContent = left ? `Next try in ${left} s` : 'Trying …';
    };
    tick();
    this.#timer = setInterval(tick, 250);
  }
}
