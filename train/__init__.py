"""Training side of Vultus."""
