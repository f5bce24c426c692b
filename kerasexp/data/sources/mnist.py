"""MNIST: 60,000 and 10,000 handwritten digits at 28x28 (LeCun, Cortes, Burges; CC BY-SA 3.0)."""

from __future__ import annotations

from kerasexp.config.data_section import DataSource
from kerasexp.data.dataset_lookup import PublishedDataset, find_dataset
from kerasexp.data.source import Source, source_from_arrays
from kerasexp.data.sources.npz import read_splits

URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
NAMES = ("mnist.npz",)


def load_mnist(data: DataSource) -> Source:
    """Load MNIST from $KERASEXP_DATA or Keras's cache, downloading it to that cache if needed.

    Raises:
        MissingData: the file is in neither place, and the download fails.
        UserError: the file is damaged.
    """
    found, place = find_dataset(PublishedDataset("MNIST", NAMES, URL, f"sha256:{SHA256}"), data.path)
    splits, value_range, _ = read_splits(found)
    return source_from_arrays(f"MNIST from {place}", splits, data.class_names, value_range)
