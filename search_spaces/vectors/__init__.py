"""Architectures as points: embeddings, encodings by name, Weisfeiler-Lehman counts."""
