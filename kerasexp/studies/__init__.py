"""Studies: several runs, one after the other or at once, and their table."""
