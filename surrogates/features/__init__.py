"""Architectures as columns of numbers, categories and places for models to learn from."""
