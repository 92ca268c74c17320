"""Synthesised speech with exact phoneme times, and the face that belongs to it."""
