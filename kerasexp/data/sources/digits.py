"""scikit-learn's 1,797 real handwritten digits (Alpaydin and Kaynak 1998), available without a download."""

from __future__ import annotations

import numpy as np

from kerasexp.config.data_section import DataSource
from kerasexp.data.source import Source, source_from_arrays

TEST_FRACTION = 0.2


def load_digits(data: DataSource) -> Source:
    """Load the digits, upsampled from 8x8 to 20x20 and centred in 28x28 like MNIST; a fixed fifth is the test split."""
    import cv2
    from sklearn.datasets import load_digits as load_sklearn_digits
    from sklearn.model_selection import train_test_split

    digits = load_sklearn_digits()
    images = np.zeros((len(digits.images), 28, 28, 1), np.uint8)
    for image, small in zip(images, digits.images, strict=True):
        large = cv2.resize((small * (255 / 16)).astype(np.float32), (20, 20), interpolation=cv2.INTER_CUBIC)
        image[4:24, 4:24, 0] = np.rint(large.clip(0, 255))
    train, test = train_test_split(
        np.arange(len(images)), test_size=TEST_FRACTION, stratify=digits.target, random_state=0
    )
    splits = {
        split: (images[part], digits.target[part])
        for split, part in (("train", np.sort(train)), ("test", np.sort(test)))
    }
    return source_from_arrays("scikit-learn's 1,797 digits", splits, data.class_names)
