"""What a proposal is worth: improvement, hypervolume, rank, first proposals."""
