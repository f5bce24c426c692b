"""Image-classification experiments as YAML files, trained with Keras 3."""

__version__ = "0.2.0"
