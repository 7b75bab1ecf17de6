"""Tasks of one's own: files of any usual format, what their columns are, what is wrong."""
