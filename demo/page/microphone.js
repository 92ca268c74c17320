// The microphone: asking for it, which one, and what to say when there is none. `?raw` switches the browser's echo cancellation, noise
// suppression and gain control off, for measuring and for good microphones.

const RAW = new URLSearchParams(location.search).has('raw');

/** `kind`: refused · none · busy · insecure; the message says what to do. */
export class NoMicrophone extends Error {
  constructor(kind, message) {
    super(message);
    this.kind = kind;
  }
}

export async function open(device = '') {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new NoMicrophone('insecure', 'Browsers give the microphone only to pages that come by https, or from this machine (localhost).');
  }
  const audio = { echoCancellation: !RAW, noiseSuppression: !RAW, autoGainControl: !RAW, channelCount: 1 };
  // "ideal", not "exact": a microphone that was unplugged since gives way to the usual one.
  if (device) audio.deviceId = { ideal: device };
  try {
    return await navigator.mediaDevices.getUserMedia({ audio });
  } catch (error) {
    switch (error.name) {
      case 'NotAllowedError':
      case 'SecurityError':
        throw new NoMicrophone('refused', 'The browser keeps the microphone from this page. Open the sign beside the address, allow the microphone, and try again.');
      case 'NotFoundError':
      case 'OverconstrainedError':
        throw new NoMicrophone('none', 'No microphone was found. Plug one in and try again, or let a sound file speak.');
      default:
        throw new NoMicrophone('busy', 'The microphone could not be opened; another program may hold it. Close that and try again.');
    }
  }
}

/** The microphones there are, as `{id, label}`; labels are known only after one was opened. */
export async function list() {
  const all = await navigator.mediaDevices?.enumerateDevices?.() ?? [];
  return all
    .filter(({ kind, deviceId }) => kind === 'audioinput' && deviceId && deviceId !== 'default' && deviceId !== 'communications')
    .map(({ deviceId, label }) => ({ id: deviceId, label: label || 'Microphone' }));
}

export function onchange(listener) {
  navigator.mediaDevices?.addEventListener?.('devicechange', listener);
}
