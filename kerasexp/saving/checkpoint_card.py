"""The card of a checkpoint, its `README.md`: what the models beside it take and give."""

from __future__ import annotations

from kerasexp.saving.checkpoint import Checkpoint

LOADING = """
    import keras

    model = keras.models.load_model("model_raw.keras")
    image = keras.utils.img_to_array(keras.utils.load_img("image.png"))
    probabilities = model.predict(image[None])[0]  # in the order of the classes in classes.json
"""


def card_text(name: str, checkpoint: Checkpoint, raw: str, has_raw_model: bool, needs_kerasexp: bool) -> str:
    """Return the text of the card.

    Args:
        name: of the experiment.
        checkpoint: the checkpoint.
        raw: a sentence about the model of stored images, or why there is none.
        has_raw_model: whether there is one.
        needs_kerasexp: whether it has layers of kerasexp.
    """
    shape = ", ".join(map(str, checkpoint.model.input_shape[1:]))
    calibrated = (
        ", which `predict` and `model_raw.keras` calibrate by the temperature in `calibration.json`"
        if checkpoint.temperature is not None
        else ""
    )
    kind = "a probability of each label" if checkpoint.multi_label else "the probabilities of the classes"
    lines = [
        f"# {name}",
        "",
        f"`model.keras` takes uint8 images [n, {shape}] that are preprocessed as `preprocessing.json` says, and gives",
        f"{kind} of `classes.json`, float32 [n, {len(checkpoint.class_names)}]{calibrated}.",
        "",
        "## Stored images",
        "",
        f"{raw}",
    ]
    if has_raw_model:
        importing = (
            "\n    import kerasexp.data.preprocess_layer  # it has a layer of kerasexp" if needs_kerasexp else ""
        )
        lines.append(importing + LOADING.rstrip())
    return "\n".join(lines) + "\n"
