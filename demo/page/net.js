// The one place that speaks HTTP to the server and knows the bearer token. The token comes in the address's fragment (#token=…), which
// browsers never send to a server or write into a Referer, or is typed by the user when the server asks for it.

// What the fragment can mean, likeliest first: percent-encoded, as it should be, or typed as it is. The server knows which.
let tokens = fromFragment();

function fromFragment() {
  const written = location.hash.match(/^#token=(.*)$/s)?.[1] ?? '';
  let decoded = written;
  try { decoded = decodeURIComponent(written); } catch { /* a % of its own */ }
  return [...new Set([decoded, written].map((text) => text.trim()))].filter((text) => text);
}

addEventListener('hashchange', () => {
  const others = fromFragment();
  if (others.length) tokens = others;
});

/** Percent-encoded as everything takes it: headers and sub-protocols have no letters beyond ASCII, and sub-protocols no brackets. */
const encoded = () => encodeURIComponent((tokens[0] ?? '').toWellFormed()).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

export function setToken(value) {
  tokens = [value.trim()].filter((text) => text);
  // Kept in the fragment, so that a reload and the overlay's link still have it.
  history.replaceState(null, '', fragment() || location.pathname + location.search);
}

export const fragment = () => (hasToken() ? `#token=${encoded()}` : '');
export const hasToken = () => tokens.length > 0;
const authorization = () => (hasToken() ? { Authorization: `Bearer ${encoded()}` } : {});

/** Sub-protocols for a WebSocket: browsers cannot set headers there, so the token travels as one. */
export const protocols = () => (hasToken() ? ['vultus.v1', `bearer.${encoded()}`] : ['vultus.v1']);

/** What went wrong with a request. `status` 0 means that no answer came at all. */
export class Refusal extends Error {
  constructor(status, message, retryAfter = 0) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/** fetch, with the token, and with every answer that is not a success thrown as a Refusal that carries the server's own sentence. */
export async function request(path, options = {}) {
  let response;
  const sent = tokens[0];
  try {
    response = await fetch(path, { ...options, headers: { ...authorization(), ...options.headers } });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Refusal(0, 'The server does not answer.');
  }
  if (response.ok) return response;
  if (response.status === 401) {
    if (tokens[0] === sent && tokens.length > 1) tokens.shift(); // it was meant otherwise
    if (tokens[0] !== sent) return request(path, options);
  }
  let message = `The server answered ${response.status}.`;
  try {
    const { error } = await response.json();
    if (typeof error === 'string' && error) message = error;
  } catch { /* no JSON: the status has to do */ }
  throw new Refusal(response.status, message, Number(response.headers.get('Retry-After')) || 0);
}

/** A portrait's address for <img>. With a token the picture has to be fetched, since <img> sends no headers. */
export async function picture(address) {
  if (!hasToken()) return address;
  return URL.createObjectURL(await (await request(address)).blob());
}
