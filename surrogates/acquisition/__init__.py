"""What a proposal is worth: improvement, hypervolume, domination, first proposals."""
