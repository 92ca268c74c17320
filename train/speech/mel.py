"""The mel front-end, stated once: what the engine computes while streaming, computed here for a whole clip.

16 kHz mono. Periodic Hann window of 1280 samples, hop 160, FFT 1280; power |X|² / Σw²; 80 triangular filters (HTK mel,
20 … 8000 Hz, each row sums to 1); natural logarithm of (· + 1e-9); normalised (x + 9) / 4.
Column m is centred on sample 160·m + 80; video frame t owns columns 4t … 4t + 3. Samples outside the clip are zeros.
"""

import numpy as np

RATE, WINDOW, HOP, MELS = 16000, 1280, 160, 80
FLOOR = 1e-9
SILENT = (np.log(FLOOR) + 9.0) / 4.0  # a column of digital silence


def filters(mels=MELS, low=20.0, high=8000.0):
    """(mels, WINDOW / 2 + 1), float64."""
    to_mel = lambda hz: 2595.0 * np.log10(1.0 + hz / 700.0)  # noqa: E731
    edges = 700.0 * (10.0 ** (np.linspace(to_mel(low), to_mel(high), mels + 2) / 2595.0) - 1.0)
    bins = np.arange(WINDOW // 2 + 1) * RATE / WINDOW
    left, centre, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rows = np.maximum(0.0, np.minimum((bins - left) / (centre - left), (right - bins) / (right - centre)))
    for row, middle in zip(rows, edges[1:-1]):
        if row.sum() == 0.0:  # the narrow low filters fall between two bins
            row[int(round(middle * WINDOW / RATE))] = 1.0
    return rows / rows.sum(1, keepdims=True)


_FILTERS = filters()
_HANN = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(WINDOW) / WINDOW)


def log_mel(pcm, columns=None):
    """PCM in [-1, 1] -> normalised columns (M, 80), float32. M defaults to all columns of whole video frames."""
    pcm = np.asarray(pcm, np.float64)
    if columns is None:
        columns = len(pcm) // 640 * 4
    before = WINDOW // 2 - 80
    padded = np.zeros(before + max(len(pcm), columns * HOP) + WINDOW)
    padded[before : before + len(pcm)] = pcm
    out = np.empty((columns, MELS), np.float32)
    for start in range(0, columns, 2048):  # blocks keep the memory small on long clips
        stop = min(columns, start + 2048)
        at = (np.arange(start, stop) * HOP)[:, None] + np.arange(WINDOW)
        power = np.abs(np.fft.rfft(padded[at] * _HANN)) ** 2 / (_HANN**2).sum()
        out[start:stop] = (np.log(power @ _FILTERS.T + FLOOR) + 9.0) / 4.0
    return out
