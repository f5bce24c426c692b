"""Searches: trials that keras-tuner proposes, their results, and the confirmation of the winner."""
