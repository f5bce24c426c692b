"""What Python programs and notebooks use; `kerasexp/__init__.py` has the public names."""
