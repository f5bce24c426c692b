"""Searches: trials that keras-tuner proposes, their results, and the winner's confirmation."""
