// `vultus latency` in the browser: makes a call with the (fake) microphone, listens and looks, and posts raw lists to /v1/latency/result;
// the percentiles are computed by the program.
//
// mic_to_glass_ms   from a sharp onset in the microphone (hearing.js) to the first frame on the screen in which the mouth moved (lips.js).
//                   Error: the onset right or up to 10 ms early, the frame right or up to one refresh (16.7 ms) late, so the figure is
//                   right or too large by at most 27 ms; and the mouth region must change by more than idle motion, which at the
//                   beginning of a slow movement can cost a frame (40 ms at 25 fps) and never gains one. `sham` tries the same on
//                   moments of silence: what triggers there would be a wrong onset found by chance.
// mic_to_voice_ms   from the same onset to the voice in the loudspeaker (ear.js). Error: + 10 ms of the onset, + 20 ms of the graph.
// av_offset_ms      playout.js, a median for each second: voice after picture is positive. Error: about 5 ms, and one refresh.
// video             intervals between shown frames; freezes are those over 200 ms. decoded, dropped and so on: the browser's counters.
// interrupt         with 5 s of speech queued: from sending the interrupt to the voice's last sound in the loudspeaker, and to the first
//                   frame from which on the mouth rests. Errors as above; both right or too large.
//
// Address: ?mouth=x,y,w,h (shares of the picture), &avatar=, &emotion=, &intensity=, &seconds=60, &interrupts=3, &processed (echo
// cancellation and the like on, as for people; else off, as with ?raw). Chromium has to allow sound without a click
// (--autoplay-policy=no-user-gesture-required).

import { Call } from './call.js';
import { Control, RATE } from './control.js';
import { Ear } from './ear.js';
import { Hearing } from './hearing.js';
import { Lips, firstChange, idleLimits, restFrom } from './lips.js';
import { request } from './net.js';
import { Playout } from './playout.js';
import { decode } from './soundfile.js';

const WARM_MS = 4000; // jitter buffers and bitrate settle
const SPAN_MS = 700; // an answer of the mouth later than this is none
const SETTLE_MS = 2000; // for so long after an interrupt the mouth is watched

const query = new URLSearchParams(location.search);
const $ = (id) => document.getElementById(id);
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const until = async (what, test, ms = 15000) => {
  const end = performance.now() + ms;
  while (!test()) {
    if (performance.now() > end) throw new Error(`waited in vain for ${what}`);
    await wait(20);
  }
};
const step = (words) => {
  $('step').textContent = words;
  console.info(`step: ${words}`); // `vultus latency` shows it
};
const tenth = (value) => (value === null ? null : Math.round(value * 10) / 10);

async function measure() {
  const seconds = Number(query.get('seconds')) || 60;
  const region = (query.get('mouth') ?? '0.38,0.54,0.24,0.16').split(',').map(Number);
  const on = query.has('processed');
  const stream = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: on, noiseSuppression: on, autoGainControl: on } });
  const [microphone] = stream.getAudioTracks();
  const ear = await Ear.open();

  step('calling');
  const call = new Call({
    microphone,
    ask: () => Object.fromEntries(['avatar', 'emotion', 'intensity'].filter((key) => query.has(key)).map((key) => [key, query.get(key)])),
    video: $('picture'),
    audio: $('voice'),
  });
  let state = { name: 'new' };
  let report = new Map();
  const trips = [];
  let lives = 0;
  call.addEventListener('state', ({ detail }) => {
    state = detail;
    if (detail.name === 'live') lives++;
  });
  // A call that was made anew has another voice and another clock: what was measured over the seam means nothing.
  const steady = () => { if (state.name !== 'live' || lives !== 1) throw new Error('the connection dropped in the middle'); };
  call.addEventListener('tick', ({ detail }) => {
    report = detail;
    for (const entry of detail.values()) if (entry.type === 'candidate-pair' && entry.nominated) trips.push(tenth(entry.currentRoundTripTime * 1000));
  });
  call.start();
  await until('the connection', () => {
    if (state.name === 'failed' || state.name === 'token') throw new Error(state.message);
    return state.name === 'live';
  });
  ear.listen(call.receiver('audio').track);
  const control = new Control();
  control.addEventListener('error', ({ detail }) => console.info(`the server: ${detail.error}`));
  control.open(call.session);
  await until('the control channel', () => control.ready);

  const offsets = [];
  const playout = new Playout($('picture'), {
    receiver: () => call.receiver('audio'),
    latency: () => ear.context.outputLatency || 0,
    listener: ({ offset }) => { if (offset !== null) offsets.push([Math.round(performance.now()), tenth(offset)]); },
    advise: (offset) => control.send({ type: 'playout', av_offset_ms: tenth(offset) }),
  });
  playout.start();
  step('warming up');
  await wait(WARM_MS);

  const before = counters(report);
  const lips = new Lips($('picture'), region, $('mouth'));
  const hearing = new Hearing(microphone);
  const begun = performance.now();
  step(`measuring for ${seconds} s`);
  await wait(seconds * 1000);
  const ended = performance.now();
  hearing.stop();
  if (!(Math.abs(hearing.late) < 20)) throw new Error(`the microphone's times are not on the page's clock: ${hearing.late} ms off`);
  steady();
  const after = counters(report);

  const found = latencies(lips, hearing, ear, ended);
  microphone.enabled = false; // from here on only /v1/speak speaks
  const interrupts = [];
  const count = Number(query.get('interrupts') ?? 3);
  for (let i = 0; i < count; i++) {
    step(`interrupt ${i + 1} of ${count}`);
    // One that fails takes none of the figures along.
    interrupts.push(await interrupt(control, lips, ear, found.limits).catch((error) => ({ error: String(error.message ?? error) })));
    steady();
  }
  lips.stop();
  playout.stop();
  call.end();
  control.close();

  const shown = lips.frames.filter(({ shown: at }) => at >= begun && at <= ended);
  const intervals = shown.slice(1).map((frame, i) => tenth(frame.shown - shown[i].shown));
  return {
    version: 1,
    browser: navigator.userAgent,
    session: call.session,
    seconds: tenth((ended - begun) / 1000),
    microphone: { settings: microphone.getSettings(), buffer_ms: tenth(hearing.buffer), late_ms: tenth(hearing.late), onsets: hearing.onsets.length },
    ...found.lists,
    idle_limits: found.limits.map(tenth),
    av_offset_ms: offsets.filter(([at]) => at >= begun && at <= ended).map(([, offset]) => offset),
    output_latency_ms: tenth((ear.context.outputLatency || 0) * 1000),
    round_trip_ms: trips,
    video: {
      shown: shown.length,
      lost: lips.lost,
      intervals_ms: intervals,
      freezes_ms: intervals.filter((ms) => ms > 200),
      ...Object.fromEntries(Object.keys(after).filter((key) => key !== 'at').map((key) => [key, tenth(after[key] - (before[key] ?? 0))])),
      counted_seconds: tenth((after.at - before.at) / 1000),
    },
    interrupt: interrupts,
  };
}

/** The browser's own counters of the received picture and voice. */
function counters(report) {
  const out = { at: 0 };
  for (const entry of report.values()) {
    if (entry.type !== 'inbound-rtp') continue;
    const names = entry.kind === 'video'
      ? ['framesDecoded', 'framesDropped', 'keyFramesDecoded', 'packetsLost', 'nackCount', 'pliCount', 'freezeCount', 'totalDecodeTime', 'totalProcessingDelay', 'jitterBufferDelay', 'jitterBufferEmittedCount']
      : ['concealedSamples', 'totalSamplesReceived', 'jitterBufferDelay', 'jitterBufferEmittedCount', 'packetsLost'];
    for (const name of names) {
      const key = (entry.kind === 'video' ? '' : 'voice_') + name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`);
      const seconds = /(Time|Delay)$/.test(name); // these the browser counts in seconds
      out[seconds ? `${key}_ms` : key] = (entry[name] ?? 0) * (seconds ? 1000 : 1);
    }
    if (entry.kind === 'video') out.at = entry.timestamp;
  }
  return out;
}

function latencies(lips, hearing, ear, ended) {
  // Silence: a second after the last sound, and nothing for as long as an answer may take. Every second stretch gives the limits of idle
  // motion, the others are the sham onsets.
  const silences = [];
  for (let at = (lips.frames[0]?.shown ?? 0) + 1000; at < ended - SPAN_MS; at += 250) if (hearing.silent(at - 1000, at + SPAN_MS - 200)) silences.push(at);
  const span = SPAN_MS - 200;
  const limits = idleLimits(lips, silences.filter((_, i) => i % 2 === 0), span);
  const sham = silences.filter((_, i) => i % 2 === 1);

  const lists = { mic_to_glass_ms: [], mic_to_voice_ms: [], events: [], missed: [], sham: { tried: sham.length, triggered: sham.filter((at) => firstChange(lips, at, limits, span)).length } };
  for (const { at } of hearing.onsets) {
    if (at > ended - SPAN_MS || at < (lips.frames[0]?.shown ?? Infinity) + 200) continue;
    const frame = firstChange(lips, at, limits, SPAN_MS);
    const voice = ear.firstLoud(at, at + SPAN_MS);
    if (voice !== null) lists.mic_to_voice_ms.push(tenth(voice - at));
    if (!frame) {
      lists.missed.push(tenth(at));
      continue;
    }
    lists.mic_to_glass_ms.push(tenth(frame.shown - at));
    lists.events.push({ onset: tenth(at), shown: tenth(frame.shown), called: tenth(frame.called), rtp: frame.rtp, voice: tenth(voice) });
  }
  return { lists, limits };
}

async function interrupt(control, lips, ear, limits) {
  const speech = await decode(await (await request('/sample.wav')).arrayBuffer());
  const five = speech.slice(0, 5 * RATE);
  const limit = Math.max(3, ...limits.slice(0, 8));
  await until('silence', () => !ear.loudNow());
  await wait(1000);
  const shut = lips.frames.at(-1).picture;
  for (let at = 0; at < five.length; at += RATE / 10) control.sendSamples(five.slice(at, at + RATE / 10));
  await until('the queued speech', () => ear.loudNow());
  await wait(1000 + 300 * Math.random());
  // In the middle of a word, the mouth open and moving: an interrupt in a pause would prove nothing.
  await until('an open mouth and a loud voice', () => {
    const [before, , now] = lips.frames.slice(-3).map(({ picture }) => picture);
    return ear.loudNow() && lips.apart(now, shut) > 1.5 * limit && lips.apart(now, before) > 1.5 * (limits[1] ?? 2);
  });
  const sent = performance.now();
  control.send({ type: 'interrupt' });
  await wait(SETTLE_MS + 500);
  const last = ear.lastLoud(sent);
  const { rest, course } = restFrom(lips, sent, SETTLE_MS, limits);
  return {
    voice_silent_ms: last === null ? 0 : tenth(last - sent),
    mouth_rest_ms: rest ? tenth(rest.shown - sent) : null,
    // How far the mouth was from how it ended, frame by frame: [ms after the interrupt, grey levels].
    mouth: course.filter(([at]) => at < 1000).map(([at, apart]) => [tenth(at), tenth(apart)]),
    limit: tenth(limit),
  };
}

let result;
try {
  result = await measure();
} catch (error) {
  result = { version: 1, error: String(error.message ?? error) };
}
step(result.error ?? 'done');
$('result').textContent = JSON.stringify(result, (key, value) => (key === 'intervals_ms' || key === 'events' ? undefined : value), 1);
await request('/v1/latency/result', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(result) })
  .catch((error) => step(`the result could not be sent: ${error.message}`));
