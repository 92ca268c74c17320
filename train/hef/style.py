"""Which style vectors a network may be given in use: near the middle of those that it learnt from.

Shape, colours and light of a hundred people can be learnt by heart. Held to half a standard deviation around their means, those words cost held-out
people nothing (they gain), and faces that are unlike all of them are drawn without patches. Expression, pose and strength may be all that was seen.
"""

import numpy as np

from .vary import BETA, GAMMA, POSE

# Of a standard deviation.
REACH = 0.5
# δ begins after α (80) and β (64); σ̂ is the last word.
DELTA, SIGMA = 144, 257


def style_sigma(people):
    """"driven", where σ̂ is the motion network's; else the number that it was in every row, for a network knows nothing of another (`style_sigma` in a weights file)."""
    seen = np.concatenate([person.file.get_tensor("style").numpy()[:, SIGMA] for person in people.people])
    return float(seen[0]) if (seen == seen[0]).all() else "driven"


def style_range(people):
    """(low, high), 258 numbers each, of the rows of data.People.

    # Errors
    ValueError: a style is not finite.
    """
    styles = np.concatenate([person.file.get_tensor("style").numpy() for person in people.people])
    if not np.isfinite(styles).all():
        raise ValueError("a style of the shards is not finite")
    low, high, mean, reach = styles.min(0), styles.max(0), styles.mean(0), REACH * styles.std(0)
    for part in (slice(0, BETA), slice(DELTA, POSE)):
        low[part], high[part] = mean[part] - reach[part], mean[part] + reach[part]
    # In a mirror left is right.
    beta, other = slice(BETA, DELTA), people.other.numpy() + BETA
    low[beta], high[beta] = np.minimum(low[beta], low[other]), np.maximum(high[beta], high[other])
    for i in (1, 2, 3):
        high[POSE + i] = max(high[POSE + i], -low[POSE + i])
        low[POSE + i] = -high[POSE + i]
    return low, high
