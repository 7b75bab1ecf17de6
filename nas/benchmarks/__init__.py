"""Benchmarks: a part of the system beside its peers, on data kept for it."""
