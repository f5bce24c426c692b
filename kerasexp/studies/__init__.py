"""Studies: many runs one after the other or side by side, and their table."""
