// Whether pictures come too slowly, and where they are lost: at the server, or on their way and in this browser.

const WANTED = 0.84; // share of the pictures that must come: 21 of 25
const PATIENCE = 4; // seconds in a row before it is said, and before it is taken back

export class Strain {
  #server = null; #slow = 0; #well = 0; #where = '';

  /** A `stats` message of the session: what the server drew, and what it had to leave out. */
  server({ fps, dropped }) {
    const left = this.#server ? dropped - this.#server.dropped : 0;
    this.#server = { fps, dropped, strained: left > 0 && left >= (1 - WANTED) * (fps + left) };
  }

  /** Pictures shown in the last second → where it is too slow: '', 'server' or 'here'. A hidden page shows none, which says nothing. */
  shown(frames, visible) {
    if (!visible || !this.#server) return this.#where;
    const due = Math.max(this.#server.fps, 1);
    const where = this.#server.strained ? 'server' : frames < WANTED * due ? 'here' : '';
    this.#slow = where ? this.#slow + 1 : 0;
    this.#well = where ? 0 : this.#well + 1;
    if (this.#slow >= PATIENCE) this.#where = where;
    if (this.#well >= PATIENCE) this.#where = '';
    return this.#where;
  }

  clear() {
    this.#server = null;
    this.#slow = this.#well = 0;
    this.#where = '';
  }
}
