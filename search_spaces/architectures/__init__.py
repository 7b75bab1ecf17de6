"""One architecture: its layers, dictionaries, graph, hash, size and features."""
