"""What the state of a training holds of its callbacks."""

import keras

from kerasexp.training.training_state import callbacks_by_name


def test_a_users_callback_of_keras_displaces_none_of_the_experiment():
    ours, plateau, theirs = (
        keras.callbacks.EarlyStopping(),
        keras.callbacks.ReduceLROnPlateau(),
        keras.callbacks.EarlyStopping(),
    )
    names = {"EarlyStopping": ours, "ReduceLROnPlateau": plateau, "2_EarlyStopping": theirs}
    assert callbacks_by_name([ours, plateau, theirs]) == names
