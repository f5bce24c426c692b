"""Comparisons: finished runs side by side, and which differences are significant."""
