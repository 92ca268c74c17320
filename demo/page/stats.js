// The read-out: four figures and a bar for each stage. Stages come from the server's `stats` messages (milliseconds, over the last
// minute); what the browser adds comes from its own counters.

// In the order in which a piece of speech passes them; `server` is the whole of its part and is shown as a figure.
const STAGES = [
  ['capture', 'hearing'], ['mel', 'spectrum'], ['motion', 'motion'], ['face', 'face'], ['generator', 'picture'], ['encode', 'encoding'],
  ['send', 'sending'], ['network', 'network'], ['decode', 'decoding'],
];
const FIGURES = [['fps', 'pictures / s'], ['server', 'ms in server'], ['trip', 'ms round trip'], ['lips', 'ms lips to voice']];

const element = (tag, name, text = '') => {
  const made = document.createElement(tag);
  if (name) made.className = name;
  made.textContent = text;
  return made;
};

export class ReadOut {
  #figures = {}; #rows = {}; #stages = {}; #decode = { time: 0, frames: 0 };

  constructor(figures, stages) {
    for (const [key, words] of FIGURES) {
      const box = element('div');
      this.#figures[key] = element('dd', '', '–');
      box.append(element('dt', '', words), this.#figures[key]);
      figures.append(box);
    }
    for (const [key, words] of STAGES) {
      const row = element('div', 'row');
      row.setAttribute('role', 'row');
      const name = element('span', 'stage-name', words);
      name.setAttribute('role', 'rowheader');
      const track = element('span', 'bar');
      track.setAttribute('aria-hidden', 'true');
      track.append(element('i'), element('b'));
      const value = element('span', 'stage-ms', '–');
      value.setAttribute('role', 'cell');
      row.append(name, track, value);
      stages.append(row);
      this.#rows[key] = { track, value };
    }
    this.#draw();
  }

  clear() {
    for (const value of Object.values(this.#figures)) value.textContent = '–';
    this.#stages = {};
    this.#decode = { time: 0, frames: 0 };
    this.#draw();
  }

  /** A `stats` message of the session's socket. */
  server({ stages_ms: stages = {} }) {
    for (const [key, value] of Object.entries(stages)) if (Number.isFinite(value?.p50)) this.#stages[key] = value;
    this.#figure('server', this.#stages.server?.p50);
    this.#draw();
  }

  /** A report of RTCPeerConnection.getStats(), each second. */
  browser(report) {
    for (const entry of report.values()) {
      if (entry.type === 'candidate-pair' && entry.nominated && Number.isFinite(entry.currentRoundTripTime)) {
        const trip = entry.currentRoundTripTime * 1000;
        this.#figure('trip', trip, trip < 9.95 ? 1 : 0);
        this.#stages.network = { p50: trip / 2 };
      }
      if (entry.type === 'inbound-rtp' && entry.kind === 'video') {
        const frames = entry.framesDecoded - this.#decode.frames;
        // From the first packet's arrival to the decoded picture, so with the wait in the jitter buffer.
        const time = entry.totalProcessingDelay ?? entry.totalDecodeTime;
        if (frames > 0 && this.#decode.frames) this.#stages.decode = { p50: ((time - this.#decode.time) / frames) * 1000 };
        this.#decode = { time, frames: entry.framesDecoded };
      }
    }
    this.#draw();
  }

  /** What playout.js measured. */
  playout({ offset, frames }) {
    this.#figure('fps', frames);
    this.#figure('lips', offset);
  }

  #figure(key, value, digits = 0) {
    const box = this.#figures[key];
    box.textContent = !Number.isFinite(value) ? '–' : value.toFixed(digits).replace('-', '−').replace(/^−0$/, '0');
  }

  #draw() {
    const longest = Math.max(10, ...STAGES.map(([key]) => this.#stages[key]?.p95 ?? this.#stages[key]?.p50 ?? 0));
    for (const [key] of STAGES) {
      const { track, value } = this.#rows[key];
      const stage = this.#stages[key];
      const [median, tail] = track.children;
      median.style.transform = `scaleX(${((stage?.p50 ?? 0) / longest).toFixed(4)})`;
      tail.style.left = `${((100 * (stage?.p95 ?? 0)) / longest).toFixed(2)}%`;
      tail.hidden = stage?.p95 === undefined;
      value.textContent = stage ? `${stage.p50.toFixed(1)}${stage.p95 === undefined ? '' : ` · ${stage.p95.toFixed(1)}`}` : '–';
    }
  }
}
