// Shortcuts, and the card that lists them. They keep out of the way: not while something is typed, not with modifiers, and the space bar
// not on a button or a box that wants it itself. They can be switched off.

const TYPED = 'textarea, select, input:not([type=radio], [type=checkbox], [type=range], [type=file])';
const PRESSED = 'button, summary, a[href], input[type=checkbox], input[type=radio], input[type=file]';

/** `bindings`: `[[shown, words, matches(event), action], …]`; an action that returns false leaves the key to the browser. */
export function keys({ dialog, open, list, enabled, bindings }) {
  for (const [shown, words] of bindings) {
    const term = document.createElement('dt');
    for (const one of shown.split(' ')) {
      const key = document.createElement(one === '–' ? 'span' : 'kbd');
      key.textContent = one;
      term.append(key, ' ');
    }
    const meaning = document.createElement('dd');
    meaning.textContent = words;
    list.append(term, meaning);
  }
  open.addEventListener('click', () => dialog.showModal());

  addEventListener('keydown', (event) => {
    if (!enabled.checked || document.querySelector('dialog[open]') || event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
    const target = event.target instanceof Element ? event.target : document.body;
    if (target.matches(TYPED)) return;
    if (event.key === ' ' && target.matches(PRESSED)) return;
    for (const [, , matches, action] of bindings) {
      if (matches(event) && action(event) !== false) event.preventDefault();
    }
  });
}
