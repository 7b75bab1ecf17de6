"""What a trained encoder is worth: suites of tasks, their metrics, and what the encoder costs."""
