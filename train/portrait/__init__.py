"""Default avatars: who they are, their geometry, and how a picture becomes an `.avatar` file. Nothing here imports Blender."""
