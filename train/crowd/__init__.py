"""Random people for the training of the learned generator: who they are, how they are photographed, and what they do. No Blender here."""
