"""From files to tensors: task readers, corpora, tokenizers, the prepared data of a run, batches."""
