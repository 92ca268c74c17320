# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the uncompressed 32-bit multi-part OpenEXR files that Blender writes for render passes."""

import struct

import numpy as np


def read(data):
    """{channel name: (H, W) float32} of a file's bytes; rows from the top."""
    if data[:4] != b"\x76\x2f\x31\x01":
        raise ValueError("not an OpenEXR file")
    at, parts = 8, []
    while data[at]:
        part = {}
        while data[at]:
            name, at = text(data, at)
            kind, at = text(data, at)
            (size,) = struct.unpack_from("<i", data, at)
            part[name], at = data[at + 4 : at + 4 + size], at + 4 + size
        at += 1
        if part["compression"] != b"\0":
            raise ValueError("a compressed OpenEXR file")
        left, top, right, bottom = struct.unpack("<4i", part["dataWindow"])
        names, channel = [], 0
        while part["channels"][channel]:
            name, channel = text(part["channels"], channel)
            if struct.unpack_from("<i", part["channels"], channel)[0] != 2:
                raise ValueError(f"channel {name} is not of 32-bit floats")
            names.append(name)
            channel += 16
        parts.append((names, top, np.empty((bottom - top + 1, len(names), right - left + 1), np.float32)))
    at += 1 + 8 * sum(len(rows) for _, _, rows in parts)  # the tables of offsets: chunks follow in order
    for _ in range(sum(len(rows) for _, _, rows in parts)):
        part, y, size = struct.unpack_from("<3i", data, at)
        _, top, rows = parts[part]
        rows[y - top] = np.frombuffer(data, "<f4", size // 4, at + 12).reshape(rows.shape[1:])
        at += 12 + size
    return {name: rows[:, i] for names, _, rows in parts for i, name in enumerate(names)}


def text(data, at):
    end = data.index(b"\0", at)
    return data[at:end].decode(), end + 1
