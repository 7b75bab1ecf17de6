"""glue-mini: nine generated tasks with the files, labels and metrics of GLUE, and a corpus.

A small language (a few hundred words, four domains) is spoken by a grammar that turns events into
sentences. `write_glue_mini` writes it down as the official files; see `nas.data.glue` for reading.
"""

from nas.data.glue_mini.writing import write_glue_mini

__all__ = ["write_glue_mini"]
