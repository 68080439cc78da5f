"""Several processes that work as one: how they find each other, hear of each other's end, and wait for each other."""
