"""MNIST: 60,000 and 10,000 handwritten digits at 28x28 (LeCun, Cortes, Burges; CC BY-SA 3.0)."""

from __future__ import annotations

import os
from pathlib import Path

from kerasexp.config.data import DataSource
from kerasexp.config.files import data_folder
from kerasexp.data.download import download
from kerasexp.data.pictures import MissingData, Source, from_arrays
from kerasexp.data.sources.npz import read_splits

URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"


def load_mnist(data: DataSource) -> Source:
    """Load MNIST from $KERASEXP_DATA, from Keras's cache, or by downloading it into that cache.

    Raises:
        MissingData: it is in neither place, and the download fails.
        UserError: the file is there and damaged.
    """
    keras_home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    cached = keras_home / "datasets" / "mnist.npz"
    folder = data_folder()
    places = [*([folder / "mnist.npz"] if folder else []), cached]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        try:
            found = download(URL, cached, SHA256)
        except MissingData as failed:
            looked = " or ".join(str(place) for place in places)
            raise MissingData(f"MNIST is not at {looked}, and {failed}") from None
    place = "Keras's cache" if found == cached else "$KERASEXP_DATA"
    return from_arrays(f"MNIST from {place}", read_splits(found), data.class_names)
