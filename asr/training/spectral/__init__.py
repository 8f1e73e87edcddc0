"""Augmentation of the power spectrum: voices, tempo, rooms, channels and noise, at little cost."""
