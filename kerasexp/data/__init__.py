"""From a source to arrays: sources, label edits, splits, preprocessing, packed cache, tf.data."""
