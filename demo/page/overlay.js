// ?overlay: the picture alone, filling the window, for a browser source in a streaming program. Everything else is hidden and see-through.
// &session=ID watches a session that runs; else one of its own is begun with &avatar= &background= &emotion= &intensity=. &mute keeps it silent.

import { Call } from '/call.js';

export function begin() {
  const query = new URLSearchParams(location.search);
  const video = document.getElementById('picture');
  const audio = document.getElementById('voice');
  const words = document.getElementById('state-words');
  audio.muted = query.has('mute');

  const call = new Call({
    session: query.get('session'),
    ask: () => Object.fromEntries(['avatar', 'background', 'emotion', 'intensity'].filter((key) => query.has(key)).map((key) => [key, query.get(key)])),
    video,
    audio,
  });
  call.addEventListener('state', ({ detail }) => {
    document.body.dataset.call = detail.name;
    words.textContent = detail.message ?? detail.name;
    document.title = `Vultus – ${detail.name}`;
    // Nobody sits before an overlay to press "try again": it does so itself, slowly.
    if (detail.name === 'failed' || detail.name === 'token') setTimeout(() => call.start(), 15000);
  });
  // An ordinary browser plays no sound before a click; streaming programs do. Until then the picture runs silently.
  audio.addEventListener('loadedmetadata', () => audio.play().catch(() => {
    for (const kind of ['pointerdown', 'keydown']) addEventListener(kind, () => audio.play().catch(() => {}), { once: true });
  }));
  addEventListener('pagehide', () => call.end());
  addEventListener('pageshow', (event) => { if (event.persisted) location.reload(); });
  call.start();
}
