"""What a run recorded as pandas DataFrames: trials, proposals, history; and as files."""
