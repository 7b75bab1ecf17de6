"""What learns from results: Gaussian processes, networks, and how results are made learnable."""
