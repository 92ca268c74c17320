// Hears the received voice: its level in pieces of 256 samples, and the context's time of each piece. Runs on the audio thread.

const PIECE = 256;

registerProcessor('ear', class extends AudioWorkletProcessor {
  #sum = 0; #count = 0; #peak = 0;

  process([[samples]]) {
    for (let i = 0; i < 128; i++) {
      const value = samples ? samples[i] : 0;
      this.#sum += value * value;
      this.#peak = Math.max(this.#peak, Math.abs(value));
      if (++this.#count === PIECE) {
        this.port.postMessage([currentTime + (i + 1 - PIECE) / sampleRate, Math.sqrt(this.#sum / PIECE), this.#peak]);
        this.#sum = this.#count = this.#peak = 0;
      }
    }
    return true;
  }
});
