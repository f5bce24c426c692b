"""One pass over a split, and everything that is computed from it."""
