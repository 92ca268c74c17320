// The part of the page that turns the camera on and says what it sees.

import { Camera } from '/camera.js';

const $ = (id) => document.getElementById(id);

export class Mirror {
  camera = new Camera($('camera'));

  /** `session` begins a call where there is none, and gives its id. */
  constructor({ session }) {
    this.session = session;
    $('mirror').addEventListener('click', () => (this.camera.on ? this.stop() : this.start()));
    $('neutral').addEventListener('click', () => this.camera.calibrate());
    $('own-lips').addEventListener('change', () => this.camera.lips(this.lips));
    this.camera.addEventListener('seen', ({ detail }) => this.seen(detail));
    this.camera.addEventListener('ended', ({ detail }) => this.ended(detail));
  }

  get lips() {
    return $('own-lips').checked ? 'camera' : 'voice';
  }

  async start() {
    $('mirror').disabled = true;
    $('camera-answer').textContent = '';
    $('camera-words').textContent = 'waiting for the camera';
    try {
      await this.camera.start(await this.session(), this.lips);
      $('glass').hidden = $('neutral').hidden = false;
      $('mirror-words').hidden = true;
      $('mirror').textContent = 'Stop mirroring';
      $('mirror').setAttribute('aria-pressed', true);
      $('camera-words').textContent = 'looking for a face';
    } catch (error) {
      $('camera-words').textContent = 'off';
      $('camera-answer').textContent = error.message;
    }
    $('mirror').disabled = false;
  }

  stop() {
    this.camera.stop();
  }

  seen({ face, calibrated }) {
    $('face-box').hidden = !face;
    if (face) {
      const [left, top, right, bottom] = face.map((share) => `${(100 * share).toFixed(1)}%`);
      Object.assign($('face-box').style, { left, top, right: `calc(100% - ${right})`, bottom: `calc(100% - ${bottom})` });
    }
    // Twice a second at most would be enough; the text changes only where it says something else.
    const words = !face ? 'no face in the picture' : calibrated < 1 ? 'look straight ahead, at rest' : 'mirroring you';
    if ($('camera-words').textContent !== words) $('camera-words').textContent = words;
  }

  ended(why) {
    $('glass').hidden = $('neutral').hidden = $('face-box').hidden = true;
    $('mirror-words').hidden = false;
    $('mirror').textContent = 'Mirror me';
    $('mirror').setAttribute('aria-pressed', false);
    $('camera-words').textContent = 'off';
    $('camera-answer').textContent = why;
  }
}
