"""Sounds that are not speech: the mouth stays shut. And what rooms and microphones do to speech."""

import numpy as np
import scipy.signal as signal

RATE = 16000


def _coloured(rng, count, slope):
    spectrum = np.fft.rfft(rng.standard_normal(count))
    hertz = np.maximum(np.fft.rfftfreq(count, 1 / RATE), 30.0) / 1000.0
    out = np.fft.irfft(spectrum * hertz**-slope, count)
    return out / out.std()


def hiss(rng, count):
    return _coloured(rng, count, rng.uniform(0.0, 1.2))


def hum(rng, count):
    t = np.arange(count) / RATE
    base = rng.choice([50.0, 60.0, rng.uniform(60, 250)])
    tones = sum(
        rng.uniform() / h**0.5 * np.sin(2 * np.pi * base * h * t + rng.uniform(0, 6.3)) for h in range(1, 14)
    )
    return tones + rng.uniform(0.1, 0.6) * hiss(rng, count)


def knocks(rng, count):
    out = 0.02 * hiss(rng, count)
    for _ in range(rng.integers(4, 4 + count // 2500)):
        length = int(rng.integers(40, 1800))
        at = int(rng.integers(0, max(1, count - length)))
        length = min(length, count - at)
        ring = np.sin(2 * np.pi * rng.uniform(80, 3000) * np.arange(length) / RATE) * rng.uniform(0, 1.5)
        out[at : at + length] += (rng.standard_normal(length) + ring) * np.exp(
            -np.arange(length) / (length / 4)
        ) * rng.uniform(0.3, 3)
    return out


def music(rng, count):
    """Plucked or sustained chords with a pulse; sometimes drums."""
    out = np.zeros(count)
    beat = int(RATE * rng.uniform(0.2, 0.7))
    root = rng.uniform(80, 220)
    sustained = rng.uniform() < 0.4
    scale = [0, 2, 4, 5, 7, 9, 11, 12, 14, 16, 19]
    for at in range(0, count, beat):
        for _ in range(rng.integers(1, 4)):
            length = min(int(beat * rng.uniform(0.8, 4)), count - at)
            pitch = root * 2 ** (rng.choice(scale) / 12)
            t = np.arange(length) / RATE
            if sustained:
                shape = np.minimum(1, t / 0.05) * np.minimum(1, (length / RATE - t) / 0.05)
                vibrato = 0.004 * pitch * np.sin(2 * np.pi * 5.5 * t) / 5.5
            else:
                shape, vibrato = np.exp(-t * rng.uniform(2, 9)), 0.0
            for h in range(1, 7):
                if pitch * h < 7500:
                    out[at : at + length] += shape * np.sin(2 * np.pi * (pitch * t + vibrato) * h) / h ** rng.uniform(0.7, 1.6)
        if rng.uniform() < 0.3:
            length = min(3000, count - at)
            out[at : at + length] += 2 * rng.standard_normal(length) * np.exp(-np.arange(length) / 500)
    return out + 0.01 * hiss(rng, count)


def wind(rng, count):
    steps = rng.uniform(size=count // 3200 + 2) ** 3
    return hiss(rng, count) * np.interp(np.arange(count), np.arange(len(steps)) * 3200, steps)


def throb(rng, count):
    t = np.arange(count) / RATE
    return hiss(rng, count) * (1 + 0.9 * np.sin(2 * np.pi * rng.uniform(0.2, 5) * t)) ** 2


def breath(rng, count):
    """In and out through an open throat: band-passed noise in slow swells."""
    out = np.zeros(count)
    at = int(rng.uniform(0, 1) * RATE)
    while at < count:
        length = min(int(rng.uniform(0.5, 1.6) * RATE), count - at)
        centre = rng.uniform(500, 2200)
        b, a = signal.butter(2, [centre * 0.6 / 8000, min(centre * 2.2, 7500) / 8000], "band")
        out[at : at + length] += signal.lfilter(b, a, rng.standard_normal(length)) * np.hanning(length) ** 0.7
        at += length + int(rng.uniform(0.2, 1.5) * RATE)
    return out + 0.01 * hiss(rng, count)


KINDS = dict(hiss=hiss, hum=hum, knocks=knocks, music=music, wind=wind, throb=throb, breath=breath)


def quiet_clip(rng, seconds, kind=None):
    """One second or more of something that is not speech, at 0.07 RMS. float32."""
    count = int(seconds * RATE)
    name = kind or list(KINDS)[rng.integers(len(KINDS))]
    out = KINDS[name](rng, count)
    return (0.07 * out / (np.sqrt((out**2).mean()) + 1e-9)).astype(np.float32)


def room(rng):
    """An impulse response: the direct sound, and noise that dies away within 0.1 … 0.7 s."""
    decay = rng.uniform(0.1, 0.7)
    count = int(RATE * decay)
    out = rng.standard_normal(count) * 10 ** (-3 * np.arange(count) / count)
    out[: int(RATE * 0.002)] = 0
    out *= 10 ** (-rng.uniform(0, 15) / 20) / np.sqrt((out**2).sum())
    out[0] = 1.0
    return out


def colour(rng):
    """A microphone's frequency response as a linear-phase filter of 257 taps; sometimes a telephone's band."""
    grid = np.linspace(0, 8000, 129)
    gain = np.interp(
        grid, [0, 200, 500, 1000, 2000, 4000, 8000], np.cumsum(rng.normal(0, 2.5, 7)) + rng.normal(0, 1.5, 7)
    )
    gain -= gain[8:60].mean()
    if rng.uniform() < 0.15:
        gain = gain - 40.0 * (grid < 300) - 40.0 * (grid > 3400)
    elif rng.uniform() < 0.15:
        gain = gain - 50.0 * (grid > rng.uniform(3800, 7000))  # what a low-rate codec leaves
    return signal.firwin2(257, grid, 10 ** (np.clip(gain, -50, 18) / 20), fs=RATE)


def through_room_and_microphone(rng, pcm):
    """A copy of a clip as another microphone in another place would have it, aligned to within a millisecond."""
    out = np.asarray(pcm, np.float64)
    if rng.uniform() < 0.6:
        out = signal.fftconvolve(out, room(rng))[: len(pcm)]
    if rng.uniform() < 0.85:
        out = signal.fftconvolve(out, colour(rng))[128 : 128 + len(pcm)]
    if rng.uniform() < 0.15:
        out = np.tanh(out * rng.uniform(1, 6)) / 3
    loud = np.abs(pcm) > 0.01
    level = np.sqrt((out[loud] ** 2).mean()) if loud.any() else 1.0
    return (0.045 * out / (level + 1e-6)).astype(np.float32)
