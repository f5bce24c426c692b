"""Datasets: sources, label edits, splits, preprocessing, image cache, augmentation, tf.data pipeline."""
