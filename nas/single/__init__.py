"""One model at a time, without a search: train, confirm, score, export."""
