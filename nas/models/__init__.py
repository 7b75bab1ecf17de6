"""Architecture to torch module: embeddings, layers of mixed heads, and the heads on top."""
