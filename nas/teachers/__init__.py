"""Trained encoders to search inside of: reading one, its space, cutting it, what it teaches."""
