"""The reader of source text: what goes wrong in a program, as far as it can be told without running it."""
