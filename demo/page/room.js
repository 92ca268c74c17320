// The page: puts the parts together. One call at a time, with the microphone or, for a sound file without one, only watching.

import { Behind } from '/behind.js';
import { Call } from '/call.js';
import { Cast } from '/cast.js';
import { Control } from '/control.js';
import { Enrol } from '/enrol.js';
import { Expression } from '/expression.js';
import { keys } from '/keys.js';
import { Mark } from '/mark.js';
import { Meter } from '/meter.js';
import { Mirror } from '/mirror.js';
import * as microphones from '/microphone.js';
import { fragment, hasToken, request, setToken } from '/net.js';
import { Notice } from '/notice.js';
import { Playout } from '/playout.js';
import { Player, decode } from '/soundfile.js';
import { ReadOut } from '/stats.js';
import { Strain } from '/strain.js';

const $ = (id) => document.getElementById(id);

class Room {
  call = null; stream = null; muted = false;
  context = null; // made by the first click: browsers keep it silent before
  control = new Control();
  player = new Player(this.control);
  notice = new Notice($('notice'));
  mark = new Mark($('mark'));
  readOut = new ReadOut($('figures'), $('stages'));
  strain = new Strain();
  enrol = new Enrol();
  cast = new Cast($('cast'), { still: $('still'), name: $('name'), title: $('title') });
  behind = new Behind($('behind'), $('behind-colour'));
  expression = new Expression({
    chips: $('moods'), second: $('second'), share: $('share'), parts: $('share-words'), form: $('feeling'), words: $('feeling-words'), answer: $('feeling-answer'), slider: $('intensity'), output: $('intensity-words'),
  });
  #copied = 0; #strain = '';
  #feeling = 0;
  #felt = 0; // when the user last chose: the server's echo of an earlier choice is not to undo a later one
  #acting = false; // mute, interrupt and end are shown, not start
  hearChosen = null; // null until the user decides: then heard while a file plays, else not

  constructor() {
    this.playout = new Playout($('picture'), {
      receiver: () => this.call?.receiver('audio'),
      latency: () => this.context?.outputLatency || 0,
      listener: (measured) => { this.readOut.playout(measured); this.strained(this.strain.shown(measured.frames, !document.hidden)); },
      advise: (offset) => this.control.send({ type: 'playout', av_offset_ms: Math.round(offset * 10) / 10 }),
    });
    this.mirror = new Mirror({
      session: async () => {
        if (!this.call) await this.begin(false);
        await this.connected();
        return this.call.session;
      },
    });
    this.cast.addEventListener('pick', ({ detail }) => this.control.send({ type: 'avatar', avatar: detail }));
    this.behind.addEventListener('pick', ({ detail }) => this.control.send({ type: 'background', background: detail }));
    this.expression.addEventListener('feel', ({ detail }) => this.feel(detail));
    $('own').addEventListener('click', () => this.enrol.open());
    this.enrol.addEventListener('changed', ({ detail }) => this.owned(detail));
    this.enrol.addEventListener('gone', ({ detail }) => this.cast.remove(detail));
    this.enrol.addEventListener('hello', ({ detail }) => this.hello(detail));
    this.control.addEventListener('state', ({ detail }) => this.told(detail));
    this.control.addEventListener('stats', ({ detail }) => { this.readOut.server(detail); this.strain.server(detail); });
    this.control.addEventListener('error', ({ detail }) => { $('file-words').textContent = detail.error; });
    $('start').addEventListener('click', () => this.begin(true));
    $('mute').addEventListener('click', () => this.mute());
    $('interrupt').addEventListener('click', () => this.interrupt());
    $('end').addEventListener('click', () => this.end());
    $('hear').addEventListener('change', () => { this.hearChosen = $('hear').checked; this.hear(); });
    $('device').addEventListener('change', () => this.change());
    $('sample').addEventListener('click', () => (this.player.playing ? this.player.stop() : this.speak(async () => (await request('/sample.wav')).arrayBuffer())));
    $('file').addEventListener('change', () => {
      const [file] = $('file').files;
      $('file').value = '';
      if (file) this.speak(() => file.arrayBuffer(), file.name);
    });
    $('copy').addEventListener('click', () => this.copy());
    microphones.onchange(() => this.devices());
    addEventListener('pagehide', () => this.end());
  }

  /** The slider says something at every pixel; ten times a second is enough. */
  feel({ emotion, intensity }) {
    this.mark.wear(emotion, intensity);
    this.#felt = performance.now();
    clearTimeout(this.#feeling);
    this.#feeling = setTimeout(() => this.control.send({ type: 'emotion', emotion, intensity }), 80);
  }

  async load() {
    try {
      const list = await (await request('/v1/avatars')).json();
      const query = new URLSearchParams(location.search);
      this.expression.fill(list.emotions, list.intensity);
      if (list.emotions.includes(query.get('emotion'))) this.expression.show(query.get('emotion'), Number(query.get('intensity')) || 1);
      this.mark.wear(this.expression.emotion, this.expression.intensity);
      this.behind.fill(list.backgrounds, list.background);
      if (query.has('background')) this.behind.show(query.get('background'));
      this.notice.hide();
      this.say('Ready', '');
      $('start').disabled = false;
      this.devices();
      $('own').hidden = false;
      await this.cast.fill(list.avatars, query.get('avatar'));
      await this.enrol.recall();
    } catch (error) {
      if (error.status === 401) return this.askToken(() => this.load());
      this.say('No server', 'warn');
      this.notice.show('server', { title: 'No answer', text: error.message, actions: [['Try again', () => this.load()]] });
    }
  }

  askToken(then) {
    this.say('Token needed', 'warn');
    this.notice.show('token', {
      title: hasToken() ? 'That token is not the right one' : 'This server asks for a token',
      text: 'It is the one that the server was started with. With #token=… in the address you are not asked.',
      ask: { label: 'Token', action: (value) => { setToken(value); then(); } },
    });
  }

  /** There is a face of the user's own, or it was fitted anew; a session that shows it gets the new one. */
  owned({ name, picture, before }) {
    this.cast.add({ name, label: 'Yours', picture });
    if (before && this.cast.value === before) this.cast.show(name);
    if (this.cast.value === name) this.control.send({ type: 'avatar', avatar: name });
  }

  /** It is to say something. */
  hello(name) {
    this.cast.show(name);
    this.control.send({ type: 'avatar', avatar: name });
    this.speak(async () => (await request('/sample.wav')).arrayBuffer());
  }

  /** Starts a call, with the microphone or only to watch. */
  async begin(withMicrophone) {
    if (this.call) return;
    this.context ??= new AudioContext({ latencyHint: 'interactive' });
    this.context.resume();
    this.notice.hide();
    $('start').disabled = true;
    if (withMicrophone) {
      this.say('Waiting for the microphone', 'busy');
      try {
        const stream = await microphones.open($('device').value);
        // While the browser asked, a sound file may have been started: that call stays.
        if (this.call) return stream.getTracks().forEach((track) => track.stop());
        this.listen(stream);
      } catch (error) {
        $('start').disabled = false;
        this.say('No microphone', 'warn');
        return this.notice.show(error.kind, {
          title: { refused: 'Microphone refused', insecure: 'No secure connection', none: 'No microphone' }[error.kind] ?? 'Microphone busy',
          text: error.message,
          actions: [['Try again', () => this.begin(true)], ['Play a sample', () => $('sample').click()]],
        });
      }
    }
    this.call = new Call({
      microphone: this.stream?.getAudioTracks()[0] ?? null,
      ask: () => {
        const { emotion, intensity } = this.expression;
        return { avatar: this.cast.value ?? '', background: this.behind.value ?? 'portrait', emotion: typeof emotion === 'string' ? emotion : JSON.stringify(emotion), intensity };
      },
      video: $('picture'),
      audio: $('voice'),
    });
    this.call.addEventListener('state', ({ detail }) => this.became(detail));
    this.call.addEventListener('tick', ({ detail }) => this.readOut.browser(detail));
    this.hear();
    this.call.start();
  }

  /** The microphone's stream is open: meter it, and notice when it is unplugged. */
  listen(stream) {
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = stream;
    this.meter ??= new Meter(this.context, $('meter'), $('meter-words'), (level) => this.mark.voice(level));
    this.meter.start(stream);
    const [track] = stream.getAudioTracks();
    track.enabled = !this.muted;
    track.addEventListener('ended', () => {
      if (this.stream !== stream) return;
      this.say('The microphone is gone', 'warn');
      this.change();
    });
    this.devices();
  }

  async devices() {
    const now = this.stream?.getAudioTracks()[0]?.getSettings().deviceId ?? $('device').value;
    const options = (await microphones.list()).map(({ id, label }) => new Option(label, id, false, id === now));
    $('device').replaceChildren(new Option('The usual one', ''), ...options);
  }

  /** Another microphone was chosen, or ours was unplugged. */
  async change() {
    if (!this.call || !this.stream) return;
    try {
      this.listen(await microphones.open($('device').value));
      await this.call.setMicrophone(this.stream.getAudioTracks()[0]);
      this.live();
    } catch (error) {
      this.notice.show(error.kind, { title: 'No microphone', text: error.message, actions: [['Try again', () => { this.notice.hide(); this.change(); }]] });
    }
  }

  became(state) {
    document.body.dataset.call = state.name;
    const running = !['ended', 'failed', 'token'].includes(state.name);
    if (state.name === 'live') document.body.dataset.live = 'yes';
    const shown = running && document.body.dataset.live === 'yes';
    $('start').hidden = shown;
    $('start').disabled = running;
    $('start-words').textContent = !running ? 'Start speaking' : state.name === 'waiting' ? 'Waiting' : 'Connecting';
    for (const id of ['interrupt', 'end']) $(id).hidden = !shown;
    $('mute').hidden = !shown || !this.stream;
    // The button that was pressed is gone: its neighbour gets the focus, for those who go by keyboard.
    if (shown === !this.#acting) {
      const lost = document.activeElement === document.body || document.activeElement?.closest('.actions');
      if (lost) (shown ? $(this.stream ? 'mute' : 'end') : $('start')).focus({ preventScroll: true });
      this.#acting = shown;
    }
    $('copy').disabled = !this.call?.session;
    switch (state.name) {
      case 'connecting':
        return this.say(state.again ? 'Connecting again' : 'Connecting', 'busy');
      case 'live':
        this.notice.hide();
        this.strain.clear();
        this.live();
        this.control.open(this.call.session);
        this.playout.start();
        return undefined;
      case 'waiting':
        this.playout.stop();
        this.say({ full: 'The server is full', later: 'Waiting' }[state.why] ?? 'Connection lost', 'warn');
        return this.notice.show('waiting', {
          title: { full: 'Every seat is taken', later: 'A moment' }[state.why] ?? 'Connection lost',
          text: state.message,
          seconds: state.seconds,
          actions: [['Try now', () => this.call.retryNow()], ['Stop', () => this.end()]],
        });
      case 'token':
        this.over();
        return this.askToken(async () => { await this.load(); this.begin(true); });
      case 'failed':
        this.over();
        if (state.status === 404 && this.cast.value?.startsWith('own-')) {
          // Half an hour is over, or the server was started anew.
          this.enrol.ended(this.cast.value);
          this.cast.remove(this.cast.value);
        }
        this.say('Could not start', 'warn');
        return this.notice.show('failed', { title: 'That did not work', text: state.message, actions: [['Try again', () => this.begin(true)]] });
      default:
        this.over();
        return this.say('Ready', '');
    }
  }

  end() {
    this.call?.end();
  }

  /** The call is over: everything goes back to how it was before. */
  over() {
    this.call = null;
    this.player.stop();
    this.mirror.stop();
    this.control.close();
    this.playout.stop();
    this.meter?.stop();
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = null;
    $('picture').srcObject = $('voice').srcObject = null;
    $('picture').removeAttribute('poster');
    delete document.body.dataset.live;
    this.readOut.clear();
    this.notice.hide();
  }

  mute(on = !this.muted) {
    this.muted = on;
    const [track] = this.stream?.getAudioTracks() ?? [];
    if (track) track.enabled = !on && !this.player.playing;
    if (this.meter) this.meter.muted = on;
    $('mute').setAttribute('aria-pressed', on);
    $('mute-words').textContent = on ? 'Unmute' : 'Mute';
    this.live();
  }

  /** Says that all is well, or what is not; only a call that runs has anything to say. */
  live() {
    if (!this.call || document.body.dataset.call !== 'live') return;
    const slow = { server: 'Live, but the server is too busy', here: 'Live, but too slow on the way or here' }[this.#strain];
    this.say(slow ?? (this.muted ? 'Live, muted' : 'Live'), slow ? 'warn' : 'live');
  }

  strained(where) {
    if (where === this.#strain) return;
    this.#strain = where;
    this.live();
  }

  interrupt() {
    if (this.player.playing) this.player.stop(); // which interrupts, too
    else this.control.send({ type: 'interrupt' });
  }

  hear() {
    const on = this.hearChosen ?? (this.player.playing || !this.stream);
    $('hear').checked = on;
    $('voice').muted = !on;
    $('hear-why').textContent = on ? (this.stream ? 'on: what you hear is a little later than what you say' : 'on: you do not hear the file, but what the avatar says of it') : 'off while you speak: one’s own voice, late, is a nuisance';
    $('voice').play?.().catch(() => {});
  }

  /** Lets a sound file speak, beginning a call without the microphone if there is none. */
  async speak(load, name = 'The sample') {
    const words = (text) => { $('file-words').textContent = text; };
    try {
      words('Reading …');
      const samples = await decode(await load());
      if (!this.call) await this.begin(false);
      await this.connected();
      const [track] = this.stream?.getAudioTracks() ?? [];
      const played = this.player.play(samples, (at, of) => words(`${name}: ${Math.floor(at)} of ${Math.ceil(of)} s`));
      if (track) track.enabled = false; // one voice at a time
      this.hear();
      $('sample').textContent = 'Stop the sound';
      const whole = await played;
      if (!whole && this.call) this.control.send({ type: 'interrupt' });
      words(whole ? `${name}: spoken.` : `${name}: stopped.`);
    } catch (error) {
      words(error.message);
    }
    $('sample').textContent = 'Play a sample';
    this.mute(this.muted);
    this.hear();
  }

  /** Resolves when call and control channel are there. */
  connected() {
    return new Promise((done, fail) => {
      const end = performance.now() + 15000;
      const look = () => {
        if (this.control.ready) done();
        else if (!this.call) fail(new Error('The call ended.'));
        else if (performance.now() > end) fail(new Error('The server took too long.'));
        else setTimeout(look, 50);
      };
      look();
    });
  }

  /** The session's state as the server tells it: another page or program may have changed it. */
  told({ emotion, intensity, avatar, background, recording }) {
    $('recorded').hidden = !recording;
    if (background) this.behind.show(background);
    if (avatar) this.cast.show(avatar);
    if (emotion && performance.now() - this.#felt > 1000) {
      this.expression.show(emotion, intensity ?? this.expression.intensity);
      this.mark.wear(emotion, this.expression.intensity);
    }
  }

  async copy() {
    const address = `${location.origin}/?overlay&session=${encodeURIComponent(this.call?.session ?? '')}${fragment()}`;
    try {
      await navigator.clipboard.writeText(address);
      $('copy-words').textContent = fragment() ? 'Copied. The link holds your token: keep it to yourself.' : 'Copied: put it into a browser source.';
    } catch {
      $('copy-words').textContent = address; // no clipboard here: to be copied by hand
    }
    clearTimeout(this.#copied);
    this.#copied = setTimeout(() => { $('copy-words').textContent = ''; }, 12000);
  }

  say(words, kind) {
    $('state').dataset.kind = kind;
    $('state-words').textContent = words;
  }
}

export function begin() {
  const room = new Room();
  keys({
    dialog: $('keys'), open: $('keys-open'), list: $('key-list'), enabled: $('keys-on'),
    bindings: [
      ['Space', 'mute, unmute', (event) => event.key === ' ', () => (room.stream ? room.mute() : false)],
      ['Esc', 'interrupt', (event) => event.key === 'Escape', () => (room.call ? room.interrupt() : false)],
      ['1 – 8', 'emotion', (event) => /^[1-9]$/.test(event.key), (event) => room.expression.pick(Number(event.key) - 1)],
      ['← →', 'from face to face, from emotion to emotion', () => false, () => false],
    ],
  });
  room.load();
}
