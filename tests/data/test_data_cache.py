"""The cache of prepared data between runs."""

import numpy as np

from kerasexp.config.augmentation_section import Augmentation
from kerasexp.config.data_section import Data
from kerasexp.data.prepared_data import DataCache, data_key, prepare

DIGITS = Data(source="digits")


def test_the_last_data_are_kept_whatever_the_augmentation():
    cache, prepared = DataCache(), prepare(DIGITS)
    assert cache.get(DIGITS) is None
    cache.keep(DIGITS, prepared)
    assert cache.get(DIGITS.model_copy(update={"augmentation": Augmentation(rotation=5), "oversample": 1})) is prepared
    other = DIGITS.model_copy(update={"split_seed": 1})
    assert cache.get(other) is None
    cache.keep(other, prepare(other))
    assert cache.get(DIGITS) is None
    assert not np.array_equal(cache.get(other).splits["test"].labels, cache.get(other).splits["val"].labels)


def test_given_data_are_never_dropped():
    prepared = prepare(DIGITS)
    cache, other = DataCache({data_key(DIGITS): prepared}), DIGITS.model_copy(update={"split_seed": 1})
    cache.keep(other, prepare(other))
    assert cache.get(DIGITS) is prepared and cache.get(other) is not None
