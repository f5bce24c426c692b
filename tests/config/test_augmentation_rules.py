"""Augmentations that do not go with other keys."""

import pytest
from problems_found import broken

MIXED = "data: {augmentation: {mixup: 0.2}}"
KEY = "data.augmentation.mixup"
LOSSES = "losses that take mixed labels: cross_entropy, logit_adjusted, binary_cross_entropy"


@pytest.mark.parametrize(
    "loss",
    ["focal", "class_balanced", "ldam", "scl_nl", "scl_exp", "forward", "unbiased", "non_negative", "gradient_ascent"],
)
def test_losses_of_one_class_refuse_mixed_labels_and_name_those_that_take_them(loss):
    found = broken(f"{MIXED}\ntraining: {{loss: {loss}}}")
    assert list(found) == [KEY] and f"training.loss: {loss}" in found[KEY] and LOSSES in found[KEY]


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ("decode: argmin", "decode: argmin"),
        ("loss: {class_weights: balanced}", "class_weights"),
        ("loss: {triplet: {}}", "training.loss.triplet"),
        ("loss: {center: {}}", "training.loss.center"),
        ("batch_size: 8, class_batches: {classes: 2, images: 4}", "class_batches"),
        ("batch_size: 1", "batch_size is 1"),
    ],
)
def test_what_needs_images_of_one_class_is_refused(training, message):
    found = broken(f"{MIXED}\ntraining: {{{training}}}")
    assert list(found) == [KEY] and message in found[KEY]


@pytest.mark.parametrize(
    "text",
    [
        "training: {loss: {label_smoothing: 0.1}, optimizer: adamw}",
        "training: {loss: logit_adjusted}",
        "training: {decode: logit_adjusted}",
    ],
)
def test_others_take_them(text):
    assert broken(f"{MIXED}\n{text}") == {}


def test_several_labels_an_image_take_weights_too():
    text = "data: {source: npz, path: x.npz, multi_label: true, augmentation: {cutmix: 1}}\n"
    assert broken(f"{text}training: {{loss: {{name: binary_cross_entropy, class_weights: balanced}}}}") == {}


def test_the_key_is_the_one_that_is_set():
    assert list(broken("data: {augmentation: {cutmix: 1}}\ntraining: {loss: focal}")) == ["data.augmentation.cutmix"]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("mix_share: 0.5", "is for mixup and cutmix, which are off; set mixup or cutmix, or leave it out"),
        ("erase_sides: [0.5, 0.5]", "is for erase, which is off; set erase, or leave it out"),
        ("erase_fill: black", "is for erase, which is off; set erase, or leave it out"),
        ("hue: 0.1", "is for images in colour, and data.preprocessing.channels is 1; leave it out"),
    ],
)
def test_keys_without_effect_are_refused(key, message):
    assert broken(f"data: {{augmentation: {{{key}}}}}") == {f"data.augmentation.{key.split(':')[0]}": message}


def test_an_erased_rectangle_has_its_sides_in_order():
    assert (
        "must not be above"
        in broken("data: {augmentation: {erase: 1, erase_sides: [0.5, 0.2]}}")["data.augmentation.erase_sides"]
    )


def test_a_field_of_displacements_has_a_bounded_number_of_nodes():
    text = "data: {{preprocessing: {{size: [28, {}]}}, augmentation: {{elastic: {{}}}}}}"
    assert broken(text.format(64)) == {}
    found = broken(text.format(80))
    assert found == {"data.augmentation.elastic.sigma": "got 4; an image of 80 pixels takes 5 and more"}


def test_the_message_names_file_and_key(cli, tiny_yaml):
    tiny_yaml.write_text(tiny_yaml.read_text().replace("rotation: 5", "rotation: 5, mixup: 0.2"))
    answer = cli("run", tiny_yaml, "--set", "training.loss=focal")
    assert answer.code == 2 and KEY in answer.err and "tiny.yaml" in answer.err and LOSSES in answer.err
