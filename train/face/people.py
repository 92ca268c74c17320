"""Random people for the identity basis, and the weighted PCA over them."""

import numpy as np

from .source import Source

FACE_WORDS = ("eye", "nose", "mouth", "chin", "cheek", "head", "forehead", "ear", "neck")
# Changes that break likeness or only move the head as a whole.
LEFT_OUT = {"head-angle-out", "head-trans-out", "head-trans-up", "head-trans-forward", "neck-trans-out", "nose-trans-out", "mouth-trans-out"}
TIMID = ("eye-height", "eye-bag", "eyefold", "neck-double", "head-age", "epicanthus")


def face_changes(source: Source):
    return [
        c
        for c in source.meta["local_changes"]
        if any(w in c for w in FACE_WORDS) and not c.startswith("measure") and c not in LEFT_OUT and "forearm" not in c
        and not any(w in c for w in ("arm", "breast"))
    ]


def sample(source: Source, rng: np.random.Generator):
    """One person: (phenotypes, local changes). Teen to old, both sexes and between, all builds and origins."""
    phenotype = {k: 0.5 for k in source.meta["phenotypes"]}
    origin = rng.dirichlet([0.45, 0.45, 0.45])
    age = rng.uniform(0.58, 1.0) if rng.random() < 0.85 else rng.uniform(0.46, 0.58)
    phenotype.update(
        gender=float(rng.random() < 0.5) if rng.random() < 0.7 else rng.random(),
        age=age,
        muscle=rng.uniform(0.2, 0.9),
        weight=rng.uniform(0.1, 0.95),
        height=rng.uniform(0.3, 0.7),
        proportions=rng.uniform(0.2, 0.9),
        african=origin[0],
        asian=origin[1],
        caucasian=origin[2],
    )
    spread = rng.uniform(0.08, 0.26)
    changes = {}
    for c in face_changes(source):
        x = rng.normal(0, spread * (0.4 if any(t in c for t in TIMID) else 1.0))
        if c.startswith("r-"):
            x = changes["l-" + c[2:]] + rng.normal(0, 0.03)
        changes[c] = float(np.clip(x, -0.75, 0.75))
    return phenotype, changes


def population(source: Source, count, seed):
    """Blendshape coefficients (count, S) of `count` people."""
    rng = np.random.default_rng(seed)
    return np.stack([source.coefficients(*sample(source, rng)) for _ in range(count)])


def weighted_pca(coefficients, basis, weight, rank):
    """PCA of `coefficients @ basis` in the norm that weighs vertex v by `weight[v]`.

    `basis` is (S, V, 3). Returns (mean coefficients, components (rank, V, 3) for unit-variance scores, scores (n, rank),
    variance share per component of the weighted total).
    """
    n, (s, v, _) = len(coefficients), basis.shape
    mean = coefficients.mean(0)
    centred = coefficients - mean
    flat = basis.reshape(s, -1)
    heavy = flat * np.repeat(np.sqrt(weight), 3)
    gram = heavy.astype(np.float64) @ heavy.T.astype(np.float64)
    # Covariance in weighted vertex space has the same spectrum as R G R' with R R' the coefficient covariance.
    left, scale, _ = np.linalg.svd(centred.T / np.sqrt(n), full_matrices=False)
    root = left * scale
    values, vectors = np.linalg.eigh(root.T @ gram @ root)
    values, vectors = values[::-1].clip(0), vectors[:, ::-1][:, :rank]
    mixing = root @ vectors  # (S, rank): unit-variance scores
    components = (mixing.T @ flat).reshape(rank, v, 3)
    scores = centred @ gram @ mixing / values[:rank]
    return mean, components, scores, values[:rank] / values.sum()
