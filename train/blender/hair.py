# SPDX-License-Identifier: GPL-3.0-or-later
"""Procedural hair in head space: every style returns strands (n, k, 3) and radii (n, k), metres, on the rest head."""

import numpy as np
from scipy.spatial import cKDTree

from train.blender.surface import step, unit

# Hairline: azimuth from the front in degrees → height above the eyes, metres, for a head of 125 mm from eyes to crown.
AZIMUTH = np.array([0, 18, 34, 46, 56, 64, 71, 78, 88, 100, 114, 130, 150, 180.0])
HAIRLINE = {
    "f": np.array([0.0660, 0.0655, 0.0610, 0.0510, 0.0360, 0.0200, 0.0080, 0.0020, 0.0140, 0.0000, -0.0260, -0.0530, -0.0650, -0.0670]),
    "m": np.array([0.0600, 0.0615, 0.0635, 0.0520, 0.0330, 0.0130, -0.0120, -0.0200, 0.0110, 0.0000, -0.0300, -0.0560, -0.0700, -0.0720]),
}


class Scalp:
    """Where hair grows, and what it must not enter."""

    def __init__(self, surface, ears, hairline, rng):
        v = surface.vertices
        self.surface, self.rng = surface, rng
        self.top = v[:, 1].max()
        self.scale = self.top / 0.125
        skull = v[(v[:, 1] > 0.02) & (abs(v[:, 0]) < 0.02)]
        self.front, self.back = skull[:, 2].max(), skull[:, 2].min()
        self.mid = 0.5 * (self.front + self.back)
        self.side = abs(v[(v[:, 1] > 0.04 * self.scale)][:, 0]).max()
        self.ears, self.line = ears, HAIRLINE[hairline]

    def azimuth(self, p):
        return np.degrees(np.arctan2(abs(p[:, 0]), p[:, 2] - self.mid))

    def depth(self, p):
        """Metres above the hairline (negative below it), wavering a little as real hairlines do."""
        waver = 0.0022 * np.sin(p[:, 0] * 620 + 1.0) * np.cos(p[:, 2] * 480) + 0.0015 * np.sin(p[:, 0] * 210)
        return p[:, 1] - self.scale * np.interp(self.azimuth(p), AZIMUTH, self.line) + waver

    def height(self, p):
        return p[:, 1] / self.scale

    def roots(self, count, soft=0.006):
        """Random roots and normals; density falls to nothing over ± `soft` metres round the hairline."""
        v, t = self.surface.vertices, self.surface.triangles
        t = t[(v[t][:, :, 1].min(1) > -0.09) & (self.ears[t].max(1) < 0.3)]
        corner = v[t]
        cross = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
        weight = np.linalg.norm(cross, axis=1) * (self.depth(corner.mean(1)) > -0.02)
        pick = self.rng.choice(len(t), size=count * 3, p=weight / weight.sum())
        mix = self.rng.dirichlet([1, 1, 1], size=len(pick))
        p, n = (corner[pick] * mix[..., None]).sum(1), unit(cross[pick])
        keep = self.rng.random(len(p)) < step(-soft, soft, self.depth(p))
        return p[keep][:count], n[keep][:count]


def grow(scalp, roots, normals, flow, length, points, clearance, hold=0.3):
    """Integrate guides. flow(position, normal, t) is the wanted direction; clearance (n,) or function of t keeps them off the skin."""
    path = np.empty((len(roots), points, 3))
    path[:, 0] = p = roots.copy()
    direction, normal, pace = normals.copy(), normals, np.broadcast_to(length, len(roots)) / (points - 1)
    for k in range(1, points):
        t = k / (points - 1)
        direction = unit(0.45 * direction + 0.55 * unit(flow(p, normal, t)))
        p = p + direction * pace[:, None]
        near, normal, _ = scalp.surface.nearest(p)
        away = ((p - near) * normal).sum(1)
        need = (clearance(t) if callable(clearance) else clearance) * min(1.0, 4 * t)
        gap = need - away
        p = p + normal * np.where(gap > 0, gap, gap * (hold(p) if callable(hold) else hold))[:, None]
        path[:, k] = p
    return path


def nearest(targets, points, count, target_side=None, side=None):
    """(distances, indices) of the `count` nearest targets of each point; the other side of a parting is far away."""
    if side is not None:
        targets, points = np.c_[targets, target_side], np.c_[points, side]
    return cKDTree(targets).query(points, count)


def multiply(guides, guide_roots, roots, rng, side=None, guide_side=None, clump=0.5, clumps=None, frizz=0.002, strays=0.04, stray=0.006):
    """Children between the three nearest guides (of the same side of a parting), gathered into clumps, with frizz and fly-aways."""
    distance, index = nearest(guide_roots, roots, 3, guide_side, side)
    weight = 1 / (distance + 0.002) ** 2
    weight /= weight.sum(1, keepdims=True)
    strands = roots[:, None] + ((guides - guides[:, :1])[index] * weight[..., None, None]).sum(1)
    count, points, _ = strands.shape
    t = np.linspace(0, 1, points)
    if clumps:
        centre = rng.choice(count, clumps, replace=False)
        own = centre[nearest(roots[centre], roots, 1, None if side is None else side[centre], side)[1]]
        pull = (clump * rng.uniform(0.4, 1, count))[:, None] * t[None] ** 1.2
        strands = strands + pull[..., None] * (strands[own] - strands)
    phase, rate = rng.uniform(0, 2 * np.pi, (count, 1, 3)), rng.uniform(0.6, 2.2, (count, 1, 3))
    strands = strands + frizz * rng.uniform(0.2, 1, (count, 1, 1)) * np.sin(rate * 2 * np.pi * t[None, :, None] + phase) * (t**0.8)[None, :, None]
    loose = rng.random(count) < strays
    strands[loose] += rng.normal(0, stray, (loose.sum(), 1, 3)) * (t**1.3)[None, :, None]
    return strands


def taper(count, points, rng, radius):
    t = np.linspace(0, 1, points)
    return radius * rng.uniform(0.7, 1.2, (count, 1)) * (1 - 0.7 * t**3)[None]


def cropped(scalp, count, top, side, forward, lift, tousle, part=None, fade=0.0, volume=0.006, clump=0.55, radius=1.0e-4, cluster=22):
    """Short hair. `forward` (3,) is the wanted flow on top, `lift` how much it stands, `tousle` how far clumps disagree, `part` the x of
    a side parting, `fade` how much shorter the sides get towards the ears."""
    rng, points = scalp.rng, 14
    guide, normal = scalp.roots(900)
    root, _ = scalp.roots(count, soft=0.0045)
    upper = step(0.042, 0.090, scalp.height(guide))
    edge = 0.5 + 0.5 * step(0.0, 0.020, scalp.depth(guide))
    temple = step(0.045, -0.03, scalp.height(guide))
    length = (side * (1 - fade * temple) * (1 - upper) + top * upper) * edge * rng.uniform(0.85, 1.15, len(guide))
    sides = np.sign(guide[:, 0] - part) if part is not None else None
    # neighbouring guides share a random lean: locks, not noise
    seeds = guide[rng.choice(len(guide), 90, replace=False)]
    own = nearest(seeds, guide, 1)[1]
    lean = rng.normal(0, tousle, (len(seeds), 3))[own] + rng.normal(0, 0.3 * tousle, guide.shape)
    rise = rng.uniform(0.3, 1.2, len(seeds))[own]
    on_top = np.tile(np.asarray(forward, float), (len(guide), 1))
    if part is not None:
        on_top[:, 0] = abs(on_top[:, 0]) * sides
    at_side = np.tile([0.0, -1.0, -0.35], (len(guide), 1))
    fringe = step(0.02, 0.06, guide[:, 2] - scalp.mid) * upper

    def flow(p, n, t):
        wanted = upper[:, None] * on_top + (1 - upper[:, None]) * at_side + lean * (0.4 + 0.6 * upper[:, None])
        wanted = unit(wanted - (wanted * n).sum(1, keepdims=True) * n)
        stand = lift * (0.35 + 0.65 * upper + 0.6 * fringe) * rise * (1 - t) ** 1.5 + 0.12
        return wanted + stand[:, None] * n

    room = (0.0015 + volume * upper * rise)
    guides = grow(scalp, guide, normal, flow, length, points, lambda t: room * np.sin(np.pi * (0.15 + 0.55 * t)), hold=0.25)
    mine = np.sign(root[:, 0] - part) if part is not None else None
    strands = multiply(guides, guide, root, rng, mine, sides, clump=clump, clumps=count // cluster, frizz=0.0014, strays=0.05, stray=0.0035)
    return strands, taper(len(strands), points, rng, radius)


def afro(scalp, count, reach=0.052, radius=1.15e-4):
    """Tight coils that end on a soft ellipsoid round the head, so that the outline is a shape and not an offset of the skull."""
    rng, points = scalp.rng, 24
    root, normal = scalp.roots(count, soft=0.008)
    centres = rng.choice(len(root), len(root) // 9, replace=False)
    own = centres[nearest(root[centres], root, 1)[1]]
    middle = np.array([0.0, 0.052 * scalp.scale, scalp.mid + 0.002])
    axes = np.array([scalp.side + reach, 0.078 * scalp.scale + reach, 0.5 * (scalp.front - scalp.back) + reach * 0.75])
    out = unit(unit((root[own] - middle) / axes) * 0.75 + normal[own] * 0.55 + 0.22 * rng.normal(size=root.shape)[own])
    # distance from the root to the ellipsoid along `out`
    a, b = out / axes, (root - middle) / axes
    aa, ab, bb = (a * a).sum(1), (a * b).sum(1), (b * b).sum(1)
    length = (-ab + np.sqrt(np.maximum(ab * ab - aa * (bb - 1), 0))) / aa
    length = np.clip(length, 0.006, 0.085) * rng.uniform(0.78, 1.06, len(centres))[np.searchsorted(np.sort(centres), own)]
    length *= 0.30 + 0.70 * step(-0.002, 0.030, scalp.depth(root[own]))
    t = np.linspace(0, 1, points)
    one = unit(np.cross(out, [0.3, 1.0, 0.2]))
    two = np.cross(out, one)
    pick = lambda low, high: rng.uniform(low, high, len(root))[own][:, None]
    coil = pick(0.0018, 0.0040) * np.minimum(1, t * 5)[None]
    turn = pick(2.6, 4.6) * 2 * np.pi * t[None] + pick(0, 2 * np.pi) + rng.normal(0, 0.5, (len(root), 1))
    start = root[:, None] + (root[own] - root)[:, None] * (0.55 * t)[None, :, None]
    strands = start + out[:, None] * (length[:, None] * t)[..., None] + one[:, None] * (coil * np.cos(turn))[..., None] + two[:, None] * (coil * np.sin(turn))[..., None]
    return strands, taper(len(strands), points, rng, radius)


def bun(scalp, count, radius=1.0e-4):
    """Parted in the middle and drawn back over the ears to a knot low on the nape, which the head hides from the front."""
    rng, points = scalp.rng, 22
    knot = np.array([0.0, -0.015 * scalp.scale, scalp.back - 0.012])
    part = 0.004
    guide, normal = scalp.roots(1000, soft=0.003)
    root, _ = scalp.roots(count, soft=0.004)
    side, mine = np.where(guide[:, 0] > part, 1.0, -1.0), np.where(root[:, 0] > part, 1.0, -1.0)
    reach = np.linalg.norm(guide - knot, axis=1)
    loft = (0.003 + 0.006 * step(0.02, 0.09, scalp.height(guide))) * rng.uniform(0.8, 1.15, len(guide)) * (0.4 + 0.6 * step(0.0, 0.02, abs(guide[:, 0] - part)))

    def flow(p, n, t):
        wanted = unit(knot - p)
        spread = step(0.062, 0.015, abs(p[:, 0])) * step(scalp.mid - 0.04, scalp.mid + 0.03, p[:, 2])
        wanted = wanted + spread[:, None] * np.stack([1.5 * side, -0.3 * np.ones(len(p)), 0.55 * np.ones(len(p))], 1)
        return unit(wanted - 0.95 * (wanted * n).sum(1, keepdims=True) * n) + 0.2 * (1 - t) ** 6 * n

    guides = grow(scalp, guide, normal, flow, reach * 1.28 + 0.01, points, lambda t: loft * np.sin(np.pi * (0.2 + 0.6 * t)), hold=0.5)
    strands = multiply(guides, guide, root, rng, mine, side, clump=0.35, clumps=count // 36, frizz=0.0013, strays=0.05, stray=0.003)
    return strands, taper(len(strands), points, rng, radius)


def falling(scalp, count, length=(0.16, 0.27), width=(0.0045, 0.0095), turns=(3.0, 5.5), part=0.016, loft=1.0, locks=330, spread=0.0012, cut=(0.85, 1.1), radius=1.15e-4):
    """Long hair that falls beside the face. `length` in metres from the nape and from the crown, `width` and `turns` of the curls that the
    hair gathers into (narrow: straight locks), `part` the x of the parting, `loft` how far it stands off the head,
    `cut` how unequal it ends."""
    rng, points = scalp.rng, 44
    guide, normal = scalp.roots(260)
    root, _ = scalp.roots(count, soft=0.006)
    side = np.where(guide[:, 0] > part, 1.0, -1.0)
    mine = np.where(root[:, 0] > part, 1.0, -1.0)
    stand = (0.010 + 0.022 * step(-0.02, 0.09, scalp.height(guide))) * rng.uniform(0.5, 1.25, len(guide)) * loft
    stand *= 0.35 + 0.65 * step(0.0, 0.03, scalp.depth(guide))
    stand *= 0.30 + 0.70 * step(0.004, 0.050, abs(guide[:, 0] - part))

    def flow(p, n, t):
        top = step(0.060, 0.030, abs(p[:, 0]))
        rear = step(80, 140, scalp.azimuth(guide))
        wanted = np.stack([side * (0.35 + 1.0 * top) * (1 - 0.7 * rear), -0.35 - 1.4 * (1 - top), -0.30 - 0.2 * (1 - rear)], 1)
        fall = step(0.02, -0.04, p[:, 1])[:, None]
        wanted = wanted - (1 - fall) * (wanted * n).sum(1, keepdims=True) * n
        return (1 - fall) * unit(wanted) + fall * np.stack([0.10 * side, -np.ones(len(p)), -0.02 * np.ones(len(p))], 1) + 0.25 * (1 - t) ** 6 * n

    reach = np.interp(guide[:, 1], [-0.06, 0.12], length) * scalp.scale * rng.uniform(*cut, len(guide))
    guides = grow(scalp, guide, normal, flow, reach, points, lambda t: stand, hold=lambda p: 0.25 * step(-0.03, 0.02, p[:, 1]))
    strands = multiply(guides, guide, root, rng, mine, side, clump=0.0, frizz=0.002, strays=0.0)
    # gather into curls, each winding round its own centre line
    centres = rng.choice(len(root), locks, replace=False)
    own = nearest(root[centres], root, 1, mine[centres], mine)[1]
    t = np.linspace(0, 1, points)
    core = strands[centres]
    tangent = unit(np.gradient(core, axis=1))
    one = unit(np.cross(tangent, np.array([0.2, 0.1, 1.0])))
    two = np.cross(tangent, one)
    wind, wide = rng.uniform(*turns, len(centres))[:, None], rng.uniform(*width, len(centres))[:, None] * step(0.02, 0.30, t)[None]
    sense = rng.choice([-1.0, 1.0], len(centres))[:, None]
    turn = sense * 2 * np.pi * wind * t[None] + rng.uniform(0, 2 * np.pi, (len(centres), 1))
    wave = one * (wide * np.cos(turn))[..., None] + two * (wide * np.sin(turn))[..., None]
    pull = (0.85 * rng.uniform(0.75, 1, len(root)))[:, None] * step(0.0, 0.35, t)[None]
    apart = rng.normal(0, spread, (len(root), 1, 3))
    strands = strands + pull[..., None] * (core[own] - strands) + wave[own] * rng.uniform(0.8, 1.15, (len(root), 1, 1)) + apart * t[None, :, None]
    loose = rng.random(len(root)) < 0.05
    strands[loose] += rng.normal(0, 0.008, (loose.sum(), 1, 3)) * (t**1.2)[None, :, None]
    return strands, taper(len(strands), points, rng, radius)


STYLES = {
    "afro": lambda s, n: afro(s, n),
    "bun": lambda s, n: bun(s, n),
    "ringlets": lambda s, n: falling(s, n),
    "waves": lambda s, n: falling(s, n, length=(0.17, 0.29), width=(0.004, 0.011), turns=(1.2, 2.4), part=0.012, loft=0.75, locks=420, spread=0.0022),
    "straight": lambda s, n: falling(s, n, length=(0.17, 0.30), width=(0.0004, 0.0020), turns=(0.5, 1.2), part=0.004, loft=0.42, locks=700, spread=0.0022, cut=(0.93, 1.04)),
    "bob": lambda s, n: falling(s, n, length=(0.07, 0.185), width=(0.0010, 0.0040), turns=(0.5, 1.1), part=0.020, loft=0.65, locks=600, spread=0.0024, cut=(0.95, 1.03)),
    "buzz": lambda s, n: cropped(s, n, top=0.009, side=0.006, forward=(0.1, 0.1, 1.0), lift=1.3, tousle=0.3, fade=0.3, volume=0.002, clump=0.1, radius=1.1e-4),
    "crop": lambda s, n: cropped(s, n, top=0.030, side=0.010, forward=(0.2, 0.1, 1.0), lift=1.2, tousle=0.5, fade=0.45, radius=1.35e-4),
    "swept": lambda s, n: cropped(s, n, top=0.058, side=0.013, forward=(-0.28, 0.25, -0.80), lift=1.7, tousle=0.25, fade=0.5, volume=0.012),
    "pixie": lambda s, n: cropped(s, n, top=0.062, side=0.030, forward=(0.9, 0.1, 0.45), lift=1.0, tousle=0.28, part=0.028, volume=0.012),
    "tousled": lambda s, n: cropped(s, n, top=0.052, side=0.020, forward=(0.35, 0.1, 0.5), lift=1.2, tousle=0.7, volume=0.014),
}


def beard(surface, weight, rng, length=0.0105, count=5200):
    """Full short beard and moustache on the rest skin; `weight` (V,) is where it grows."""
    v, tri = surface.vertices, surface.triangles
    corner = v[tri]
    cross = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    chance = np.linalg.norm(cross, axis=1) * weight[tri].mean(1) ** 1.3
    pick = rng.choice(len(tri), size=count, p=chance / chance.sum())
    root = (corner[pick] * rng.dirichlet([1, 1, 1], size=count)[..., None]).sum(1)
    normal = unit(cross[pick])
    t = np.linspace(0, 1, 6)
    side = np.sign(root[:, 0])[:, None] * np.array([0.35, 0, 0])
    flow = unit(np.array([0, -1.0, 0.05]) + side + 0.35 * rng.normal(size=root.shape))
    flow = unit(flow - (flow * normal).sum(1, keepdims=True) * normal)
    size = (length * rng.uniform(0.55, 1.1, count) * (0.45 + 0.55 * weight[tri[pick]].mean(1)))[:, None, None]
    curve = normal[:, None] * (0.55 * t - 0.35 * t**2)[None, :, None] + flow[:, None] * (0.55 * t + 0.3 * t**2)[None, :, None]
    return root[:, None] + size * curve, taper(count, len(t), rng, 7.5e-5)
