"""The images on which an export is compared with the checkpoint, and the probabilities expected for them."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from kerasexp.config.data_section import DataSource
from kerasexp.data.image_decoding import decode_image
from kerasexp.data.image_files import file_conversion
from kerasexp.data.image_formats import supported_format
from kerasexp.data.preprocessing import preprocess, resize
from kerasexp.data.source import BrokenImage
from kerasexp.errors import RunError
from kerasexp.evaluation.ensemble import Ensemble
from kerasexp.evaluation.file_predictions import ImageFile, preprocessed
from kerasexp.export.export_plan import ExportPlan
from kerasexp.saving.checkpoint import Checkpoint
from kerasexp.saving.raw_images import CHANNELS, as_stored
from kerasexp.saving.raw_model import placed_aside

# Number of images, and batch sizes; the last batch of five is smaller.
COMPARED, BATCHES = 32, (1, 5)
# Bytes of the raw images together, where all have one size: fewer are compared where they are large.
MOST_BYTES = 2**28
# Formats of files that the signature `encoded` decodes as we do, and metadata that it does not read: an orientation may be there.
ENCODED = {"JPEG": None, "PNG": b"eXIf", "WEBP": b"EXIF"}


@dataclass(frozen=True)
class Comparison:
    """Images with what the checkpoint says of them.

    Attributes:
        images: uint8 [height, width, channels], as the exported model takes them.
        files: the same as files, where the exported model takes raw images; None for one that it need not decode.
        expected: float32 [n, classes].
        origin: where they come from.
    """

    images: Sequence[np.ndarray]
    files: list[bytes | None]
    expected: np.ndarray
    origin: str


def comparison(plan: ExportPlan, ensemble: Ensemble) -> Comparison:
    """Return the images of a plan, or else scikit-learn's digits, with the probabilities of the checkpoint or checkpoints.

    Raises:
        RunError: none of the images can be read.
    """
    checkpoint = ensemble.members[0]  # all have its preprocessing
    if plan.raw:
        images, files, origin = _raw_images(plan, checkpoint)
        convert = file_conversion(checkpoint.value_range)
        small = np.stack([preprocess(convert(image), checkpoint.preprocessing) for image in images])
    else:
        images, origin = _model_images(plan, checkpoint)
        files, small = [], images
    found = [_scores(member, small) for member in ensemble.members]
    is_single = len(found) == 1
    # The network alone is exported as it is; a mean is one of calibrated probabilities.
    expected = found[0] if is_single and not plan.raw else ensemble.mean(found)
    return Comparison(images, files, expected.astype(np.float32), origin)


def _scores(member: Checkpoint, images: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([member.model.predict_on_batch(batch) for batch in batches(images, max(BATCHES))])


def batches(images: Sequence[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """Yield the images in batches of at most this size; those of a batch have one shape."""
    start = 0
    while start < len(images):
        stop = start + 1
        while stop < min(start + size, len(images)) and images[stop].shape == images[start].shape:
            stop += 1
        yield np.stack(images[start:stop])
        start = stop


def largest_difference(
    predict: Callable[[np.ndarray], np.ndarray], images: Sequence[np.ndarray], expected: np.ndarray, size: int
) -> float:
    """Return the largest difference between predicted and expected probabilities; NaN if any is NaN.

    Args:
        predict: from uint8 [n, height, width, channels] to [n, classes]; it may reuse the array that it returns.
        images: uint8 [height, width, channels].
        expected: float32 [n, classes].
        size: of a batch; the last one may be smaller.

    Raises:
        ValueError: the output has another shape.
    """
    got = np.concatenate([np.array(predict(batch)) for batch in batches(images, size)])
    if got.shape != expected.shape:
        raise ValueError(f"the output has shape {list(got.shape)} instead of {list(expected.shape)}")
    return float(np.abs(got - expected).max())


def _model_images(plan: ExportPlan, checkpoint: Checkpoint) -> tuple[np.ndarray, str]:
    """Return images as model input, uint8 [n, height, width, channels], and their origin."""
    if plan.images is None:
        framed = [preprocess(digit, checkpoint.preprocessing) for digit in _digits()]
        return _with_noise(np.stack(framed)), _digits_origin()
    files, images = spread(plan.images, COMPARED), []
    for file, image in zip(files, preprocessed(files, checkpoint), strict=True):
        if isinstance(image, BrokenImage):
            print(f"left out: {file.name}: {image}", file=sys.stderr)
        else:
            images.append(image)
    return np.stack(_some(images, files, plan)), _files_origin(images, plan)


def _raw_images(plan: ExportPlan, checkpoint: Checkpoint) -> tuple[list[np.ndarray], list[bytes | None], str]:
    """Return raw images, uint8 [height, width, 3], the same as files, and their origin.

    Where the exported model takes one size, images of another are resized to it. Files are None where the export takes none.
    """
    if plan.images is None:
        size = plan.size or checkpoint.stored_size or tuple(2 * side + 3 for side in checkpoint.preprocessing.size)
        images = [as_raw(image, size) for image in spread(_with_noise(_digits()), _count(size))]
        images = [image for image in images if not placed_aside(checkpoint.preprocessing, image)]
        images = [as_stored(image, checkpoint.value_range) for image in images]
        takes_files = plan.format.load_encoded is not None
        return images, [_as_png(image) if takes_files else None for image in images], _digits_origin()
    chosen, images, files = spread(plan.images, _count(plan.size)), [], []
    convert = file_conversion(checkpoint.value_range)
    for file in chosen:
        try:
            content = file.read()
            image = as_raw(decode_image(content), plan.size)
            if placed_aside(checkpoint.preprocessing, convert(image)):
                print(
                    f"not compared: {file.name}: its ink is symmetric, and may be placed one pixel aside",
                    file=sys.stderr,
                )
                continue
            images.append(image)
            files.append(content if _is_decoded_alike(content) else None)
        except (BrokenImage, OSError) as broken:
            print(f"left out: {file.name}: {broken}", file=sys.stderr)
    return _some(images, chosen, plan), files, _files_origin(images, plan)


def as_raw(image: np.ndarray, size: tuple[int, int] | None) -> np.ndarray:
    """Return an image, uint8 [height, width, 1 or 3], as uint8 [height, width, 3], resized to a size if it has another."""
    if image.shape[2] != CHANNELS:
        image = np.repeat(image, CHANNELS, axis=2)
    if size is None or image.shape[:2] == tuple(size):
        return image
    return np.rint(resize(image, *size)).clip(0, 255).astype(np.uint8)


def _count(size: tuple[int, int] | None) -> int:
    """Return how many raw images are compared; `size` is that of all of them."""
    return COMPARED if size is None else min(max(MOST_BYTES // (math.prod(size) * CHANNELS), 2), COMPARED)


def _is_decoded_alike(content: bytes) -> bool:
    kind = supported_format(content)
    return kind in ENCODED and (ENCODED[kind] is None or ENCODED[kind] not in content)


def _as_png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", image[..., ::-1])[1].tobytes()


def _some(images: list[np.ndarray], files: Sequence[ImageFile], plan: ExportPlan) -> list[np.ndarray]:
    if not images:
        raise RunError(f"{plan.images_from}: none of the {len(files)} images can be read")
    return images


def _files_origin(images: list[np.ndarray], plan: ExportPlan) -> str:
    return f"{len(images)} of the {len(plan.images)} images of {plan.images_from}"


def _digits_origin() -> str:
    return f"{COMPARED // 2} of scikit-learn's digits, plain and with increasing noise"


def _digits() -> np.ndarray:
    from kerasexp.data.sources.digits import load_digits

    return np.stack(spread(load_digits(DataSource(source="digits")).splits["test"].array, COMPARED // 2))


def _with_noise(images: np.ndarray) -> np.ndarray:
    """Return images, and the same with noise, which lowers the model's confidence.

    With all probabilities close to 0 and 1, a comparison would not show a difference.
    """
    noise = np.random.default_rng(0).integers(0, 256, images.shape)
    share = np.linspace(0, 1, len(images) + 1)[1:, None, None, None]
    return np.concatenate([images, np.rint((1 - share) * images + share * noise).astype(np.uint8)])


def spread(items: Sequence[Any], count: int) -> list[Any]:
    """Return at most `count` items of a sequence, evenly spaced from the first to the last."""
    return [items[place] for place in np.linspace(0, len(items) - 1, min(count, len(items))).astype(int)]
