"""What trained models answer to people and programs."""
