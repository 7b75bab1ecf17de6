"""Which results are better than which with several objectives: fronts, and their volume."""
