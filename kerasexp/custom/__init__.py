"""A user's own code: which of it may run, its import, its calls, and its copies."""
