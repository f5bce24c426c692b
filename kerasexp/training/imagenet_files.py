"""The files of ImageNet weights: found in Keras's cache and in $KERASEXP_DATA/models, else downloaded."""

from __future__ import annotations

import hashlib
import http.client
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kerasexp.backend import import_tensorflow
from kerasexp.config.application_files import WeightFile, weight_file, weight_sides
from kerasexp.config.model_section import Application
from kerasexp.config.yaml_paths import data_folder
from kerasexp.environment import keras_home
from kerasexp.errors import Problem, UserError

KEY = "model.weights"
TIMEOUT_SECONDS, PROBE_SECONDS = 10, 3
SHA256_DIGITS = 64


def imagenet_file(model: Application, height: int, width: int, with_top: bool) -> tuple[Path, str | None]:
    """Return the file of a network's ImageNet weights, and a sentence if it is that of another image size.

    A network that has weights for several image sizes takes those of its own, and those of the largest where its own are
    neither found nor downloaded. Below its top a network takes a file with the top where there is none without.

    Args:
        model: the network.
        height, width: of the images.
        with_top: whether the ImageNet classes are needed.

    Raises:
        UserError: the weights are nowhere and cannot be downloaded; the message says where to put them.
    """
    failures = []
    for side in weight_sides(model, height, width):
        files = [weight_file(model, side, top) for top in ((True,) if with_top else (False, True))]
        found = _found(files)
        if found is None:
            try:
                found = _downloaded(files[0])
            except OSError as error:
                failures.append(f"{files[0].name}, from {files[0].url}, could not be downloaded: {error}")
                continue
        return found, _note(model.name, side, height, width)
    raise _missing(failures)


def imagenet_origin(model: Application, side: int) -> str | None:
    """Return where a network's ImageNet weights would come from, as a phrase; None if they are not to be had.

    Nothing is downloaded; a server is asked for the size of the file, for at most a few seconds.

    Args:
        model: the network.
        side: of its images.
    """
    for own in weight_sides(model, side, side):
        files = [weight_file(model, own, top) for top in (False, True)]
        if (found := _found(files)) is not None:
            return f"found in {found.parent}"
    size = _size_at_server(files[0])
    return None if size is None else f"which the first `run` downloads ({size / 1e6:.0f} MB)"


def _size_at_server(file: WeightFile) -> int | None:
    """Return the length of a file that its server states; None without an answer."""
    try:
        request = urllib.request.Request(file.url, method="HEAD")
        with urllib.request.urlopen(request, timeout=PROBE_SECONDS) as answer:
            return int(answer.headers["Content-Length"])
    except (OSError, ValueError, TypeError, http.client.HTTPException):
        return None


def _note(name: str, side: int, height: int, width: int) -> str | None:
    if side == 0 or (height, width) == (side, side):
        return None
    return (
        f"the ImageNet weights of {name} are those for {side}x{side} images; there are none for {height}x{width} here"
    )


def folders() -> list[Path]:
    """Return the folders in which weights are looked for."""
    data = data_folder()
    return [keras_home() / "models", *([data / "models"] if data is not None else [])]


def _found(files: list[WeightFile]) -> Path | None:
    """Return the first of the files that is in one of the folders.

    In Keras's cache a file may be an incomplete download. In the user's folder it is what the user put there.
    """
    cache, *own = folders()
    for file in files:
        cached = cache / file.name
        if cached.is_file() and _is_complete(cached, file.checksum):
            return cached
        for folder in own:
            if (folder / file.name).is_file():
                return folder / file.name
    return None


def _is_complete(path: Path, checksum: str | None) -> bool:
    if checksum is None:
        return True
    with path.open("rb") as file:
        algorithm = "sha256" if len(checksum) == SHA256_DIGITS else "md5"
        return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest() == checksum


def _downloaded(file: WeightFile) -> Path:
    """Download a file to Keras's cache and return it; raises OSError."""
    import_tensorflow()
    import keras

    try:
        with _short_timeout():
            where = {"cache_subdir": "models", "cache_dir": str(keras_home())}
            return Path(keras.utils.get_file(file.name, file.url, file_hash=file.checksum, **where))
    except Exception as error:  # Keras raises plain Exception if there is no connection
        raise OSError(str(error)) from None


def _missing(failures: list[str]) -> UserError:
    cache, *own = folders()
    elsewhere = own[0] if own else "the folder models of $KERASEXP_DATA"
    advice = f"Put the file into {cache} or {elsewhere}; or write weights: null for random ones"
    return UserError(Problem(f"the ImageNet weights are in neither place: {'; '.join(failures)}. {advice}", key=KEY))


@contextmanager
def _short_timeout() -> Iterator[None]:
    """Limit the wait for a silent server; Keras would wait for minutes."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
