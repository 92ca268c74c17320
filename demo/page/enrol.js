// A face of one's own: a picture or an .avatar file goes to the server, what was found in it comes back, and is put right by hand where it
// went wrong. The dialog's states are told in index.html by data-on:
// empty · ready (a picture, but no consent) · camera · working · fitted · choose (which of several faces) · loaded (from a file) · refused.

import { NoCamera } from '/camera.js';
import { Easel } from '/easel.js';
import { picture, request } from '/net.js';
import { Shot, hasCamera } from '/shot.js';

const LIMIT = 24 << 20; // bytes that the server takes
const SIDE = 4096; // of a picture that has to be made smaller
const QUALITY = 0.95;
const READ = ['image/jpeg', 'image/png', 'image/webp', 'image/gif', 'image/bmp', 'image/tiff']; // by the server; the browser makes JPEG of others
const LONG = 8000; // ms after which it is said why it takes longer
const COUNT = 3; // seconds until a picture is taken
const KEPT = 'vultus-own'; // of this tab: the avatar that is found again after a reload

const $ = (id) => document.getElementById(id);
/** The server's sentences have no capital and no full stop. */
const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?…]$/.test(text) ? '' : '.');
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** Events: `hello`, `gone`, with detail the avatar's name; `changed`, detail `{name, picture, before}`, when there is an avatar, or another fit of it; `before` is the name of one that it replaces. */
export class Enrol extends EventTarget {
  #dialog = $('enrol'); #state = ''; #abort = null; #retry = 0; #countdown = 0;
  #file = null; // what was chosen, as it is sent
  #address = ''; // of that, for <img>
  #result = null; // the server's answer
  #pictured = false; // whether the answer is about what is on the easel
  #again = () => {}; // what failed
  #camera = new Shot($('easel-video'));
  #easel = new Easel({ box: $('easel'), picture: $('easel-picture'), lines: $('easel-lines'), marks: $('easel-marks') });

  constructor() {
    super();
    const on = (id, event, act) => $(id).addEventListener(event, act);
    const first = (input) => {
      const [file] = $(input).files;
      $(input).value = '';
      if (file) this.take(file);
    };
    on('enrol-close', 'click', () => this.#dialog.close());
    this.#dialog.addEventListener('close', () => this.#closed());
    on('enrol-choose', 'click', () => $('enrol-file').click());
    on('enrol-open', 'click', () => $('enrol-load').click());
    // Without a secure connection there is no camera here, but a phone's own.
    on('enrol-camera', 'click', () => (hasCamera() ? this.#look() : $('enrol-shot').click()));
    for (const input of ['enrol-file', 'enrol-load', 'enrol-shot']) on(input, 'change', () => first(input));
    on('enrol-take', 'click', () => this.#shoot());
    on('enrol-may', 'change', () => this.#mayWords(''));
    on('enrol-go', 'click', () => this.#send());
    on('enrol-retry', 'click', () => this.#again());
    on('enrol-refit', 'click', () => this.#refit());
    on('enrol-save', 'click', () => this.#save());
    on('enrol-forget', 'click', () => this.#forget());
    on('enrol-hello', 'click', () => {
      this.#dialog.close();
      this.dispatchEvent(new CustomEvent('hello', { detail: this.#result.avatar }));
    });
    for (const button of this.#dialog.querySelectorAll('[data-do="again"]')) button.addEventListener('click', () => this.#empty());
    this.#easel.addEventListener('move', () => { $('enrol-refit').disabled = false; });
    this.#easel.addEventListener('pick', ({ detail }) => this.#pick(detail));
    this.#dropped();
    addEventListener('paste', ({ clipboardData }) => {
      const [file] = clipboardData?.files ?? [];
      if (file && this.#dialog.open) this.take(file);
    });
  }

  /** Where there is an avatar already, it is shown. */
  open() {
    if (this.#dialog.open) return;
    this.#dialog.showModal();
    if (!this.#result) this.#empty();
    else if (this.#state !== 'choose') this.#fitted(false);
  }

  /** After a reload of the page the server may still have the avatar. */
  async recall() {
    const kept = this.#result ?? JSON.parse(sessionStorage.getItem(KEPT) ?? 'null');
    if (!kept) return;
    try {
      await request(kept.picture);
    } catch {
      this.#result = null;
      return sessionStorage.removeItem(KEPT);
    }
    this.#result = kept;
    this.dispatchEvent(new CustomEvent('changed', { detail: { name: kept.avatar, before: null, picture: kept.picture } }));
  }

  /** The name is secret to this tab; the picture stays where it is. */
  #keep() {
    const { avatar, picture: shown, photo } = this.#result;
    sessionStorage.setItem(KEPT, JSON.stringify({ avatar, picture: shown, photo: Boolean(photo) }));
  }

  /** A picture or an .avatar file, from wherever it was given. */
  async take(file) {
    this.open();
    this.#stop();
    // Consent is for one picture.
    if (!['empty', 'camera'].includes(this.#state)) $('enrol-may').checked = false;
    if (/\.avatar$/i.test(file.name ?? '')) {
      this.#put(file, '');
      this.#easel.clear();
      return this.#ready(`${file.name} is chosen.`);
    }
    this.#enter('working', 'One moment', '', 'Reading the picture');
    try {
      const readable = await sendable(file);
      this.#put(readable, URL.createObjectURL(readable));
      await this.#easel.show(this.#address);
    } catch (error) {
      this.#easel.clear();
      this.#put(null, '');
      return this.#enter('empty', 'No picture', error instanceof NoPicture ? error.message : new NoPicture().message);
    }
    return this.#ready();
  }

  #put(file, address) {
    if (this.#address) URL.revokeObjectURL(this.#address);
    this.#file = file;
    this.#address = address;
    this.#pictured = false;
  }

  /** Which parts show, and what is said. */
  #enter(state, title, text, step = '') {
    clearInterval(this.#countdown);
    clearTimeout(this.#retry);
    const lost = !this.#dialog.contains(document.activeElement) || document.activeElement === this.#dialog || document.activeElement.closest('[data-on]');
    this.#state = this.#dialog.dataset.state = state;
    for (const part of this.#dialog.querySelectorAll('[data-on]')) part.toggleAttribute('hidden', !part.dataset.on.split(' ').includes(state));
    $('enrol-title').textContent = title;
    $('enrol-text').textContent = text;
    $('enrol-text').hidden = !text;
    $('enrol-step').textContent = step;
    $('enrol-save-words').textContent = $('enrol-count').textContent = '';
    this.#mayWords('');
    $('enrol-said').textContent = [title, step].filter(Boolean).join('. ');
    // What had the focus may be gone: those who go by keyboard or ear start at the new words.
    if (lost && this.#dialog.open) $('enrol-title').focus({ preventScroll: true });
  }

  #mayWords(words) {
    $('enrol-may-words').textContent = words;
    $('enrol-may').setAttribute('aria-invalid', Boolean(words));
  }

  #empty() {
    this.#stop();
    this.#easel.clear();
    this.#put(null, '');
    $('enrol-may').checked = false;
    this.#enter('empty', 'A face of your own', 'One picture is enough: from the front, in even light, with hair and shoulders.');
  }

  /** A picture is there; with consent it goes on at once. */
  #ready(words = 'It stays on this device until you say so.') {
    if ($('enrol-may').checked) return this.#send();
    return this.#enter('ready', 'May it be used?', words);
  }

  // ---- the camera ----

  async #look() {
    this.#enter('working', 'One moment', '', 'Waiting for the camera');
    try {
      if (!await this.#camera.open()) return undefined;
      return this.#enter('camera', 'Look at the camera', 'Face in the oval, lips closed, light from the front.');
    } catch (error) {
      return this.#refused(error, () => this.#look());
    }
  }

  async #shoot() {
    if (this.#state !== 'camera' || $('easel-count').textContent) return;
    $('enrol-take-words').textContent = 'Hold still';
    for (let left = COUNT; left > 0; left--) {
      $('easel-count').textContent = left;
      await pause(1000);
      if (this.#state !== 'camera') return this.#counted();
    }
    this.#counted();
    try {
      await this.take(await this.#camera.shot());
    } catch (error) {
      this.#refused(error, () => this.#look());
    }
  }

  #counted() {
    $('easel-count').textContent = '';
    $('enrol-take-words').textContent = 'Take the picture';
  }

  // ---- the server ----

  /** Asks, and shows what comes of it. */
  async #ask(path, options, step) {
    this.#again = () => this.#ask(path, options, step);
    this.#stop();
    const abort = this.#abort = new AbortController();
    this.#enter('working', 'Looking for a face', 'This takes a few seconds.', step);
    this.#retry = setTimeout(() => { $('enrol-step').textContent = 'Still at it: those who speak come first'; }, LONG);
    try {
      const answer = await (await request(path, { method: 'POST', ...options, signal: abort.signal })).json();
      if (abort.signal.aborted) return;
      const old = this.#result?.avatar;
      const before = old === answer.avatar ? null : old;
      this.#result = answer;
      this.#pictured = Boolean(answer.photo);
      this.#keep();
      // The same name may have another face by now.
      this.dispatchEvent(new CustomEvent('changed', { detail: { name: answer.avatar, before, picture: `${answer.picture}?${Date.now()}` } }));
      if (before) this.#drop(before);
      await this.#fitted(true, path.includes('face='));
    } catch (error) {
      if (!abort.signal.aborted) this.#refused(error);
    }
  }

  #send() {
    if (!$('enrol-may').checked) {
      this.#mayWords('Tick this first.');
      return $('enrol-may').focus();
    }
    return this.#ask('/v1/enrol?consent=yes', { headers: { 'Content-Type': this.#file.type || 'application/octet-stream' }, body: this.#file }, 'Sending the picture');
  }

  #refit() {
    return this.#ask(`/v1/enrol/${this.#result.avatar}/points`, { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(this.#easel.handles) }, 'Fitting anew');
  }

  #pick(face) {
    if (this.#result.face === face) return this.#fitted(true, true);
    return this.#ask(`/v1/enrol/${this.#result.avatar}/points?face=${face}`, {}, `Fitting face ${face}`);
  }

  async #fitted(fresh, chosen = !fresh) {
    const { avatar, photo, candidates = [], doubts = [], handles } = this.#result;
    if (!this.#pictured) {
      await this.#easel.show(await picture(`/v1/avatars/${avatar}.jpg`), true).catch(() => this.#easel.clear());
      return this.#enter('loaded', 'Ready to speak', photo ? 'This is the avatar of your picture.' : 'This is the avatar of your file.');
    }
    if (candidates.length > 1 && !chosen) {
      this.#easel.choose(candidates, photo);
      return this.#enter('choose', 'Which face?', `There are ${candidates.length} in the picture: choose one.`);
    }
    this.#easel.fit(this.#result, fresh);
    const item = (words, name = '') => Object.assign(document.createElement('li'), { textContent: sentence(words), className: name });
    $('enrol-doubts').replaceChildren(...(doubts.length ? doubts.map((words) => item(words)) : [item('Everything was found without a doubt', 'well')]));
    $('enrol-refit').disabled = true;
    this.#enter('fitted', 'Do the lines fit?', 'If not, put the rings where they belong: eyes, nose, corners of the mouth, chin.');
    $('enrol-said').textContent = `A face was found, with ${Object.keys(handles).length} points to move. ${doubts.map(sentence).join(' ')}`;
    return undefined;
  }

  #refused(error, again = this.#again) {
    this.#camera.close();
    this.#again = again;
    const { status = -1, retryAfter = 0, message } = error;
    const later = status === 429 || status === 503;
    const title = {
      0: 'No answer', 401: 'A token is needed', 404: 'It has ended', 413: 'Too large', 415: 'No picture', 422: 'No face', 429: 'A moment', 503: 'A moment', 500: 'That did not work',
    }[status] ?? (error instanceof NoCamera ? 'No camera' : 'That did not work');
    if (status === 404 && this.#result) {
      this.#drop(this.#result.avatar, false);
      this.#result = null;
    }
    this.#enter('refused', title, sentence(message));
    $('enrol-retry').hidden = !(later || status === 0 || status === 500 || error instanceof NoCamera);
    if (later) this.#wait(retryAfter || 3);
  }

  #wait(seconds) {
    const end = performance.now() + seconds * 1000;
    const tick = () => { $('enrol-count').textContent = `Next try in ${Math.max(1, Math.ceil((end - performance.now()) / 1000))} s`; };
    tick();
    this.#countdown = setInterval(tick, 250);
    this.#retry = setTimeout(() => this.#again(), seconds * 1000);
  }

  async #save() {
    const words = (text) => { $('enrol-save-words').textContent = text; };
    try {
      words('Packing …');
      const blob = await (await request(`/v1/enrol/${this.#result.avatar}/file`)).blob();
      const link = Object.assign(document.createElement('a'), { href: URL.createObjectURL(blob), download: 'me.avatar' });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
      words('Saved as me.avatar.');
    } catch (error) {
      if (error.status === 404) this.#refused(error);
      else words(sentence(error.message));
    }
  }

  /** An avatar that nobody wants any more; the server would keep it for half an hour. */
  #drop(name, known = true) {
    if (this.#result?.avatar === name) sessionStorage.removeItem(KEPT);
    if (known) request(`/v1/enrol/${name}`, { method: 'DELETE' }).catch(() => {});
    this.dispatchEvent(new CustomEvent('gone', { detail: name }));
  }

  #forget() {
    this.#drop(this.#result.avatar);
    this.#result = null;
    this.#empty();
  }

  /** The server has it no more. */
  ended(name) {
    if (this.#result?.avatar !== name) return;
    sessionStorage.removeItem(KEPT);
    this.#result = null;
  }

  /** Whatever is under way ends. */
  #stop() {
    this.#abort?.abort();
    this.#abort = null;
    this.#camera.close();
    this.#counted();
    clearInterval(this.#countdown);
    clearTimeout(this.#retry);
  }

  #closed() {
    this.#stop();
    // Half-done things are begun anew next time; a face that is to be chosen waits.
    if (this.#result && this.#state === 'choose') return;
    if (!this.#result) this.#empty();
  }

  /** A file may be dropped anywhere on the page. */
  #dropped() {
    const files = (event) => event.dataTransfer?.types.includes('Files');
    addEventListener('dragover', (event) => {
      if (!files(event)) return;
      event.preventDefault();
      this.#dialog.classList.add('over');
    });
    addEventListener('dragleave', () => this.#dialog.classList.remove('over'));
    addEventListener('drop', (event) => {
      this.#dialog.classList.remove('over');
      if (!files(event)) return;
      event.preventDefault();
      const [file] = event.dataTransfer.files;
      if (file && !document.querySelector('dialog[open]:not(#enrol)')) this.take(file);
    });
  }
}

class NoPicture extends Error {
  constructor(message = 'This browser cannot show that file as a picture. Save it as JPEG or PNG, and try again.') {
    super(message);
  }
}

/** A picture that the server reads: the file itself, or, where it is of another kind or too large, what the browser makes of it. */
async function sendable(file) {
  if (READ.includes(file.type) && file.size <= LIMIT) return file;
  let whole;
  try {
    whole = await createImageBitmap(file);
  } catch {
    throw new NoPicture();
  }
  const by = Math.min(1, SIDE / Math.max(whole.width, whole.height));
  const canvas = Object.assign(document.createElement('canvas'), { width: Math.round(whole.width * by), height: Math.round(whole.height * by) });
  canvas.getContext('2d').drawImage(whole, 0, 0, canvas.width, canvas.height);
  whole.close();
  const blob = await new Promise((done) => canvas.toBlob(done, 'image/jpeg', QUALITY));
  if (!blob) throw new NoPicture('The picture is too large for this browser. Make it smaller, and try again.');
  return blob;
}
