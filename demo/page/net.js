// The one place that speaks HTTP to the server and knows the bearer token. The token comes in the address's fragment (#token=…), which
// browsers never send to a server or write into a Referer, or is typed by the user when the server asks for it.

let token = fromFragment();

function fromFragment() {
  return new URLSearchParams(location.hash.slice(1)).get('token') ?? '';
}

addEventListener('hashchange', () => { token = fromFragment() || token; });

export function setToken(value) {
  token = value.trim();
  // Kept in the fragment, so that a reload and the overlay's link still have it.
  history.replaceState(null, '', token ? `#token=${encodeURIComponent(token)}` : location.pathname + location.search);
}

export const fragment = () => (token ? `#token=${encodeURIComponent(token)}` : '');
export const hasToken = () => token !== '';
export const authorization = () => (token ? { Authorization: `Bearer ${token}` } : {});

/** Sub-protocols for a WebSocket: browsers cannot set headers there, so the token travels as one. */
export const protocols = () => (token ? ['vultus.v1', `bearer.${token}`] : ['vultus.v1']);

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
  try {
    response = await fetch(path, { ...options, headers: { ...authorization(), ...options.headers } });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Refusal(0, 'The server does not answer.');
  }
  if (response.ok) return response;
  let message = `The server answered ${response.status}.`;
  try {
    const { error } = await response.json();
    if (typeof error === 'string' && error) message = error;
  } catch { /* no JSON: the status has to do */ }
  throw new Refusal(response.status, message, Number(response.headers.get('Retry-After')) || 0);
}

/** A portrait's address for <img>. With a token the picture has to be fetched, since <img> sends no headers. */
export async function picture(address) {
  if (!token) return address;
  return URL.createObjectURL(await (await request(address)).blob());
}
