// Emotion and intensity: chips to pick, a line to type, a slider. All three show the same choice.

import { draw, faceOf } from './mark.js';
import { understand } from './feelings.js';

const capital = (name) => name.charAt(0).toUpperCase() + name.slice(1);
const strength = (value) => (value < 1.4 ? 'natural' : value < 2.2 ? 'strong' : 'theatrical');

/** Event `feel` with detail `{emotion, intensity}` when the user changed something. */
export class Expression extends EventTarget {
  emotion = 'neutral';
  intensity = 1;
  #emotions = []; #chips; #words; #answer; #slider; #output;

  constructor({ chips, form, words, answer, slider, output }) {
    super();
    this.#chips = chips;
    this.#words = words;
    this.#answer = answer;
    this.#slider = slider;
    this.#output = output;
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#typed();
    });
    // Enter is what sends; leaving the line after typing does too.
    words.addEventListener('change', () => this.#typed());
    slider.addEventListener('input', () => this.#choose(this.emotion, Number(slider.value)));
  }

  fill(emotions, [least, most]) {
    this.#emotions = emotions;
    this.#slider.min = least;
    this.#slider.max = most;
    this.#chips.replaceChildren(...emotions.map((emotion, index) => {
      const label = document.createElement('label');
      label.className = 'chip';
      const input = document.createElement('input');
      input.type = 'radio';
      input.name = 'emotion';
      input.value = emotion;
      input.className = 'sr';
      const face = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
      face.setAttribute('viewBox', '5 5 38 38');
      face.setAttribute('class', 'mark');
      face.setAttribute('aria-hidden', 'true');
      draw(face, faceOf(emotion, 2));
      const words = document.createElement('span');
      words.textContent = capital(emotion);
      label.append(input, face, words);
      if (index < 9) label.dataset.key = input.ariaKeyShortcuts = String(index + 1);
      input.addEventListener('change', () => {
        this.#answer.textContent = '';
        this.#choose(emotion, this.intensity);
      });
      return label;
    }));
    this.show(this.emotion, this.intensity);
  }

  /** Shows a choice without telling anybody. */
  show(emotion, intensity) {
    this.emotion = emotion;
    this.intensity = intensity;
    for (const label of this.#chips.children) label.firstChild.checked = label.firstChild.value === emotion;
    this.#slider.value = intensity;
    this.#output.textContent = strength(intensity);
    this.#slider.setAttribute('aria-valuetext', `${intensity} of ${this.#slider.max}, ${strength(intensity)}`);
    // Neutral has no degrees, and the chips wear the degree that is set.
    for (const label of this.#chips.children) draw(label.children[1], faceOf(label.firstChild.value, Math.max(1.5, intensity)));
  }

  /** By number, for the keyboard. */
  pick(index) {
    const emotion = this.#emotions[index];
    if (emotion) this.#choose(emotion, this.intensity);
    return emotion !== undefined;
  }

  #typed() {
    const text = this.#words.value.trim();
    if (!text) return;
    const found = understand(text, this.#emotions);
    if (!found) {
      this.#answer.textContent = `I do not know “${text}”. There are: ${this.#emotions.join(', ')}.`;
      this.#words.setAttribute('aria-invalid', 'true');
      return;
    }
    this.#words.removeAttribute('aria-invalid');
    this.#words.value = '';
    const intensity = found.intensity ?? this.intensity;
    const degree = found.intensity === null || found.emotion === 'neutral' ? '' : `, ${strength(intensity)}`;
    this.#answer.textContent = text.toLowerCase() === found.emotion ? '' : `“${text}”: ${found.emotion}${degree}.`;
    this.#choose(found.emotion, intensity);
  }

  #choose(emotion, intensity) {
    this.show(emotion, intensity);
    this.dispatchEvent(new CustomEvent('feel', { detail: { emotion, intensity } }));
  }
}
