// What the mouth does on the screen. While the call runs each decoded frame's mouth region is kept as a small grey picture with its time;
// everything is decided afterwards, with the whole run at hand.
//
// A frame's time is expectedDisplayTime of requestVideoFrameCallback, the browser's estimate of when it shows. Error: one refresh of the
// screen (16.7 ms at 60 Hz) at most, and late rather than early. A frame that the page was too busy to be called for is counted as lost.

const WIDTH = 64; // of the small picture; its height follows from the region's
const CALM = 10; // frames for which a mouth that rests does not move
const REACH = 2; // pixels by which two pictures may be shifted against each other: the head sways

export class Lips {
  frames = []; // {shown, called, rtp, picture}
  lost = 0;
  #video; #region; #canvas; #pen; #running = true; #presented = -1;

  /** `region`: [x, y, w, h] as shares of the picture. */
  constructor(video, region, canvas) {
    this.#video = video;
    this.#region = region;
    this.#canvas = canvas;
    canvas.width = WIDTH;
    canvas.height = Math.max(8, Math.round((WIDTH * region[3]) / region[2]));
    this.#pen = canvas.getContext('2d', { willReadFrequently: true });
    const watch = (now, frame) => {
      if (!this.#running) return;
      this.#keep(now, frame);
      video.requestVideoFrameCallback(watch);
    };
    video.requestVideoFrameCallback(watch);
  }

  stop() {
    this.#running = false;
  }

  #keep(now, { expectedDisplayTime, presentedFrames, rtpTimestamp, width, height }) {
    const [x, y, w, h] = this.#region;
    const { width: columns, height: rows } = this.#canvas;
    this.#pen.drawImage(this.#video, x * width, y * height, w * width, h * height, 0, 0, columns, rows);
    const { data } = this.#pen.getImageData(0, 0, columns, rows);
    const picture = new Uint8Array(columns * rows);
    for (let i = 0; i < picture.length; i++) picture[i] = (data[4 * i] * 77 + data[4 * i + 1] * 150 + data[4 * i + 2] * 29) >> 8;
    if (this.#presented >= 0) this.lost += Math.max(0, presentedFrames - this.#presented - 1);
    this.#presented = presentedFrames;
    this.frames.push({ shown: expectedDisplayTime, called: now, rtp: rtpTimestamp, picture });
  }

  /** Root mean square of the difference of two pictures in grey levels (0…255), the least over small shifts. */
  apart(a, b) {
    const { width, height } = this.#canvas;
    let least = Infinity;
    for (let dy = -REACH; dy <= REACH; dy++) {
      for (let dx = -REACH; dx <= REACH; dx++) {
        let sum = 0;
        for (let y = REACH; y < height - REACH; y++) {
          const row = y * width;
          const other = (y + dy) * width + dx;
          for (let x = REACH; x < width - REACH; x++) sum += (a[row + x] - b[other + x]) ** 2;
        }
        least = Math.min(least, sum);
      }
    }
    return Math.sqrt(least / ((width - 2 * REACH) * (height - 2 * REACH)));
  }

  /** How far the mouth is from how it was just before `at`, for each frame from then to `at + span`: `[[frame, apart], …]`. */
  since(at, span) {
    const before = this.frames.findLastIndex(({ shown }) => shown <= at);
    if (before < 0) return [];
    const { picture } = this.frames[before];
    const out = [];
    for (let i = before + 1; i < this.frames.length && this.frames[i].shown <= at + span; i++) {
      out.push([this.frames[i], this.apart(this.frames[i].picture, picture)]);
    }
    return out;
  }
}

/**
 * The limits beyond which a change cannot be idle motion: for each number of frames since, the largest change seen in silence, half as
 * much again, and at least 2 grey levels. `starts`: times in silence from which nothing was heard for `span` ms.
 */
export function idleLimits(lips, starts, span) {
  const limits = [];
  for (const start of starts) {
    lips.since(start, span).forEach(([, apart], k) => { limits[k] = Math.max(limits[k] ?? 2, apart * 1.5); });
  }
  for (let k = 1; k < limits.length; k++) limits[k] = Math.max(limits[k], limits[k - 1]); // swaying only grows with time
  return limits;
}

/** The first frame after `at` that is beyond the limits, as is the next: a mouth that moves goes on moving. Null when there is none. */
export function firstChange(lips, at, limits, span) {
  const changes = lips.since(at, span);
  const beyond = (k) => changes[k] && changes[k][1] > (limits[Math.min(k, limits.length - 1)] ?? Infinity);
  const k = changes.findIndex((_, i) => beyond(i) && beyond(i + 1));
  return k < 0 ? null : changes[k][0];
}

/**
 * When the mouth was at rest again after `at`: the first frame from which on, for CALM frames, nothing changes faster than in silence or by
 * more than a fifth of what shutting the mouth changed, over one to four frames. The head's slow sway is not the mouth's motion; nor would
 * a mouth be noticed that shuts as slowly as a head sways: for that, look at `course`, `[[ms since at, distance from the last picture], …]`.
 */
export function restFrom(lips, at, span, limits) {
  const after = lips.frames.filter(({ shown }) => shown >= at && shown <= at + span);
  if (after.length < CALM + 4 || limits.length < 4) return { rest: null, course: [] };
  const last = after.at(-1).picture;
  const least = 0.2 * lips.apart(after[0].picture, last);
  const calm = (i) => [1, 2, 3, 4].every((lag) => !after[i + lag] || lips.apart(after[i].picture, after[i + lag].picture) <= Math.max(least, limits[lag - 1]));
  let since = 0; // calm since this frame
  for (let i = 0; i < after.length && i - since < CALM; i++) if (!calm(i)) since = i + 1;
  return { rest: after.length - since < CALM ? null : after[since], course: after.map(({ shown, picture }) => [shown - at, lips.apart(picture, last)]) };
}
