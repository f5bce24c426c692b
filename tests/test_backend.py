"""Keras with the backend and the defaults that networks are built with, whatever a user's own settings are."""

import json
import os
import subprocess
import sys

import keras
import pytest

from kerasexp.backend import import_tensorflow
from kerasexp.errors import UserError

PRINT = """
from kerasexp.backend import import_tensorflow
import_tensorflow()
import keras
print(keras.config.backend(), keras.config.image_data_format(), keras.config.floatx(), keras.config.epsilon())
"""


def test_settings_of_a_user_change_no_network(tmp_path):
    settings = {"backend": "torch", "image_data_format": "channels_first", "floatx": "float16", "epsilon": 0.1}
    (tmp_path / "keras.json").write_text(json.dumps(settings))
    theirs = {**os.environ, "KERAS_HOME": str(tmp_path), "KERAS_BACKEND": "jax"}
    answer = subprocess.run([sys.executable, "-c", PRINT], env=theirs, capture_output=True, text=True)
    assert answer.stdout.split() == ["tensorflow", "channels_last", "float32", "1e-07"], answer.stderr


IN_TWO_THREADS = """
import sys, threading, time
from kerasexp.backend import import_tensorflow
first = threading.Thread(target=import_tensorflow)
first.start()
while not {"tensorflow", "keras"} <= sys.modules.keys():
    time.sleep(0.001)
import_tensorflow()
first.join()
"""


def test_threads_wait_for_the_import_of_another():
    answer = subprocess.run([sys.executable, "-c", IN_TWO_THREADS], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr


def test_keras_with_another_backend_is_refused(monkeypatch):
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    with pytest.raises(UserError, match="with the backend jax, and kerasexp needs tensorflow: set KERAS_BACKEND"):
        import_tensorflow()
