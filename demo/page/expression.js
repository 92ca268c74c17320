// Emotion and intensity: chips to pick, a second emotion to mix in, a line to type, a slider. All of them show the same choice.

import { draw, faceOf } from './mark.js';
import { understand } from './feelings.js';

const capital = (name) => name.charAt(0).toUpperCase() + name.slice(1);
const strength = (value) => (value < 1.4 ? 'natural' : value < 2.2 ? 'strong' : 'theatrical');

/** An emotion as the server tells it, a name or shares by name, as `[[name, share], …]`, the largest share first. What is missing to 1 is neutral. */
function sharesOf(emotion) {
  if (typeof emotion === 'string') return [[emotion, 1]];
  const shares = Object.entries(emotion);
  const rest = 1 - shares.reduce((sum, [, share]) => sum + share, 0);
  if (rest > 0.001) shares.push(['neutral', rest]);
  return shares.sort(([, a], [, b]) => b - a);
}

/** Event `feel` with detail `{emotion, intensity}` when the user changed something. */
export class Expression extends EventTarget {
  emotion = 'neutral'; // a name, or shares by name
  intensity = 1;
  #emotions = []; #first = 'neutral'; #chips; #second; #share; #parts; #words; #answer; #slider; #output;

  constructor({ chips, second, share, parts, form, words, answer, slider, output }) {
    super();
    this.#chips = chips;
    this.#second = second;
    this.#share = share;
    this.#parts = parts;
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
    second.addEventListener('change', () => this.#mix(this.#first));
    share.addEventListener('input', () => this.#mix(this.#first));
  }

  fill(emotions, [least, most]) {
    this.#emotions = emotions;
    this.#slider.min = least;
    this.#slider.max = most;
    this.#second.replaceChildren(new Option('none', ''), ...emotions.map((emotion) => new Option(emotion[0].toUpperCase() + emotion.slice(1), emotion)));
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
        this.#mix(emotion);
      });
      return label;
    }));
    this.show(this.emotion, this.intensity);
  }

  /** Shows a choice without telling anybody. */
  show(emotion, intensity) {
    this.emotion = emotion;
    this.intensity = intensity;
    const [one, two] = sharesOf(emotion);
    // Of the two that are shown, the one that was first stays it, also where it is the smaller share.
    const [[first], second] = two?.[0] === this.#first ? [two, one] : [one, two];
    this.#first = first;
    for (const label of this.#chips.children) label.firstChild.checked = label.firstChild.value === first;
    this.#second.value = second?.[0] ?? '';
    for (const option of this.#second.options) option.hidden = option.value === first;
    this.#share.hidden = this.#parts.hidden = !second;
    if (second) {
      this.#share.value = second[1] / (one[1] + two[1]);
      const much = Math.round(100 * this.#share.value);
      this.#share.setAttribute('aria-valuetext', `${much} % ${second[0]}`);
      this.#parts.value = `${100 - much} % ${first}, ${much} % ${second[0]}`;
    }
    this.#slider.value = intensity;
    this.#output.textContent = strength(intensity);
    this.#slider.setAttribute('aria-valuetext', `${intensity} of ${this.#slider.max}, ${strength(intensity)}`);
    // Neutral has no degrees, and the chips wear the degree that is set.
    for (const label of this.#chips.children) draw(label.children[1], faceOf(label.firstChild.value, Math.max(1.5, intensity)));
  }

  /** By number, for the keyboard. */
  pick(index) {
    const emotion = this.#emotions[index];
    if (emotion) this.#mix(emotion);
    return emotion !== undefined;
  }

  /** `first`, with what is chosen beside it. */
  #mix(first) {
    const [second, share] = [this.#second.value, Number(this.#share.value)];
    const alone = !second || second === first;
    this.#first = first;
    this.#choose(alone ? first : { [first]: Number((1 - share).toFixed(2)), [second]: share }, this.intensity);
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
