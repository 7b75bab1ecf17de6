"""How far apart architectures are: edit distances of their graphs, for a pair or for millions."""
