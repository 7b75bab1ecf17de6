"""Evaluation suites: each module is a list of frozen `Task` rows, and no code beside them."""
