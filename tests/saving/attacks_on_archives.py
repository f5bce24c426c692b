"""Attacks by a model's weights, and by its archive.

A docstring says what Keras 3.15 itself does with the file in safe mode, if that is more than an error.
"""

import functools
import pickle
import struct
import zipfile

import h5py
import numpy as np
from attacks import Payload, attack
from model_files import CONFIG, KERNEL, patched, relink, resize, write_zip

# Weights


@attack("model.weights.h5: '/layers/dense' is a link to another place")
def weights_in_another_file(file):
    file.change_weights(lambda weights: relink(weights, h5py.ExternalLink("/tmp/other.h5", "/layers/dense")))


@attack("model.weights.h5: '/layers/dense' is a link to another place")
def weights_by_a_soft_link(file):
    file.change_weights(lambda weights: relink(weights, h5py.SoftLink("/layers/conv2d")))


@attack("is compressed, chunked or in another file")
def an_array_that_lies_in_another_file(file):
    def change(weights):
        del weights[KERNEL]
        weights.create_dataset(KERNEL, (144, 3), "f4", external=[("/etc/passwd", 0, 144 * 12)])

    file.change_weights(change)


@attack("is compressed, chunked or in another file")
def an_array_put_together_from_others(file):
    def change(weights):
        del weights[KERNEL]
        layout = h5py.VirtualLayout((144, 3), "f4")
        layout[:] = h5py.VirtualSource("/tmp/other.h5", "secret", (144, 3))
        weights.create_virtual_dataset(KERNEL, layout)

    file.change_weights(change)


@attack("is compressed, chunked or in another file")
def arrays_that_unpack_to_gigabytes(file):
    """Keras creates the layer, and unpacks 3 MB to 3 GB."""
    file.change("logits", units=5_000_000)
    file.change_weights(lambda weights: resize(weights, (144, 5_000_000), chunks=(144, 50_000), compression=1))


@attack("declares 2,880,000,000 bytes that are not in the file")
def arrays_of_which_nothing_is_there(file):
    """Keras creates the layer, and fills 3 GB with zeros."""
    file.change("logits", units=5_000_000)
    file.change_weights(lambda weights: resize(weights, (144, 5_000_000)))


@attack("'/layers/dense/vars/0' is not an array of numbers")
def words_as_weights(file):
    file.change_weights(lambda weights: resize(weights, (144, 3), dtype=h5py.string_dtype()))


@attack("is reached by two paths")
def a_group_that_holds_itself(file):
    file.change_weights(lambda weights: weights["layers"].__setitem__("again", weights))


@attack("model.weights.h5: its arrays have 8,001,")
def arrays_that_share_their_bytes(file):
    """A hundred arrays at the offset of one."""
    places = []

    def change(weights):
        places.append(weights.create_dataset("optimizer/0", data=np.ones(20_000, "f4")).id.get_offset())
        for number in range(1, 100):
            weights.create_dataset(f"optimizer/{number}", (20_000,), "f4")

    file.change_weights(change)
    size = (80_000).to_bytes(8, "little")
    file.weights = file.weights.replace(b"\xff" * 8 + size, places[0].to_bytes(8, "little") + size)


@attack("its weights do not fit its layers")
def weights_of_another_shape(file):
    file.change_weights(lambda weights: resize(weights, (9, 48), data=np.zeros((9, 48), "f4")))


@attack("model.weights.h5 is not an HDF5 file of weights")
def weights_cut_off(file):
    file.weights = file.weights[:3000]


# The archive


@attack("the member 'config.json' unpacks from 65,233 to 67,108,864 bytes")
def a_bomb_of_a_config(file):
    """Keras unpacks it; at most 4 GiB."""
    file.config = b" " * 2**26
    file.pack = functools.partial(write_zip, compression=zipfile.ZIP_DEFLATED)


@attack("the member 'config.json' appears twice")
def two_configs(file):
    file.others = [(CONFIG, b"{}")]


@attack("the member '../config.json' points outside the archive")
def a_member_outside(file):
    file.others = [("../config.json", b"{}")]


@attack("the member 'metadata.json' is encrypted")
def an_encrypted_member(file):
    file.pack = patched(b"PK\x01\x02", 8, b"\x01")


@attack("the member 'config.json' overlaps 'metadata.json'")
def members_that_overlap(file):
    file.pack = patched(b"PK\x01\x02", 20, (500).to_bytes(4, "little"))


@attack("config.json cannot be read: Bad CRC-32")
def a_damaged_config(file):
    file.pack = patched(b"PK\x01\x02", 16, bytes(4), which=1)


@attack("has data before its first member, 'metadata.json', which is at byte 25")
def an_archive_behind_a_program(file):
    def pack(path, members):
        write_zip(path, members)
        path.write_bytes(b"#!/bin/sh\ntouch executed\n" + path.read_bytes())

    file.pack = pack


@attack("is not a readable zip archive: its directory has")
def an_archive_of_a_million_members(file):
    """Keras creates a million objects, in 4 s and 280 MB."""

    def pack(path, members):
        entry = struct.pack("<4s4B4HL2L5H2L", b"PK\1\2", 20, 3, 20, *[0] * 8, 1, *[0] * 6) + b"a"
        end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65535, 65535, len(entry) * 10**6, 0, 0)
        path.write_bytes(entry * 10**6 + end)

    file.pack = pack


@attack("is not a Keras model: it lacks model.weights.h5")
def weights_in_another_format(file):
    """Keras reads NumPy's archives as well."""
    file.weights, file.others = None, [("model.weights.npz", pickle.dumps(Payload()))]


@attack("metadata.json is compressed; Keras stores it uncompressed")
def compressed_members(file):
    file.pack = functools.partial(write_zip, compression=zipfile.ZIP_DEFLATED)
