"""A seeded fuzzer: valid input, changed a little, through the command line, in a guarded process.

A *door* is a place where something comes in from outside (`doors/`); it changes valid material by
`values`, `texts`, `trees` and `databases`, and says which commands get it. `guard` runs each
command in a fork of a process that has everything imported; `judge` says what it did wrong.
`session` starts that process and asks for one case after another.
"""
