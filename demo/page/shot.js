// A picture by the camera: seen as in a mirror, taken as others see it.

import { NoCamera } from '/camera.js';

export const hasCamera = () => Boolean(navigator.mediaDevices?.getUserMedia);

export class Shot {
  #video; #stream = null; #asked = 0;

  constructor(video) {
    this.#video = video;
  }

  /** Resolves when a picture is seen; false when the camera was closed before. */
  async open() {
    this.close();
    const asked = ++this.#asked;
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'user', width: { ideal: 1920 }, height: { ideal: 1440 } } });
    } catch (error) {
      throw new NoCamera(error.name, {
        NotAllowedError: 'The browser keeps the camera from this page. Open the sign beside the address, allow the camera, and try again; or choose a picture.',
        NotFoundError: 'No camera was found. Plug one in and try again, or choose a picture.',
      }[error.name] ?? 'The camera could not be opened; another program may hold it. Close that and try again, or choose a picture.');
    }
    if (asked !== this.#asked) {
      stream.getTracks().forEach((track) => track.stop());
      return false;
    }
    this.#stream = stream;
    this.#video.srcObject = stream;
    this.#video.hidden = false;
    await this.#video.play().catch(() => {});
    return asked === this.#asked;
  }

  /** What is seen now, as JPEG. */
  shot() {
    const { videoWidth: width, videoHeight: height } = this.#video;
    const canvas = Object.assign(document.createElement('canvas'), { width, height });
    canvas.getContext('2d').drawImage(this.#video, 0, 0);
    return new Promise((done, fail) => canvas.toBlob((blob) => (blob ? done(blob) : fail(new NoCamera('none', 'The camera gives no picture yet. Try again.'))), 'image/jpeg', 0.95));
  }

  close() {
    this.#asked++;
    this.#stream?.getTracks().forEach((track) => track.stop());
    this.#stream = null;
    this.#video.srcObject = null;
    this.#video.hidden = true;
  }
}
