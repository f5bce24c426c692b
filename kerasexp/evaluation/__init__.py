"""Predictions from one pass over a split, and everything computed from them: numbers only."""
