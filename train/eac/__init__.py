"""EAC: the transformer that turns a mel window, an emotion and an intensity into 64 expression coefficients."""
