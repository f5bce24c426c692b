"""Rules of networks that may start from weights: their sizes, widths, resizing and files."""

import pytest
from problems_found import broken


@pytest.mark.parametrize(
    ("model", "key", "message"),
    [
        (
            "{name: mobilenet, alpha: 0.3}",
            "model.alpha",
            "of mobilenet are for 0.25, 0.5, 0.75, 1.0; or write weights: null",
        ),
        ("{name: mobilenet, alpha: 0.3, weights: null}", None, ""),
        ("{name: mobilenet_v2, alpha: 1.4}", None, ""),
        ("{name: mobilenet_v3_small, alpha: 0.5}", "model.alpha", "are for 0.75, 1.0"),
        ("{name: mobilenet_v3_small, alpha: 0.75, minimalistic: true}", "model.alpha", "of minimalistic are for 1.0"),
        ("{name: xception}", "data.preprocessing.size", "xception takes 71 pixels a side and more"),
        (
            "{name: vgg16, head: {zero_shot: {outputs: {cat: [281]}}}}",
            "data.preprocessing.size",
            "the ImageNet outputs of vgg16 are for images of [224, 224]",
        ),
        ("{name: vgg16, resize: [224, 224], head: {zero_shot: {outputs: {cat: [281]}}}}", None, ""),
        (
            "{name: vgg16, resize: [256, 256], head: {zero_shot: {outputs: {cat: [281]}}}}",
            "model.resize",
            "the ImageNet outputs of vgg16 are for images of [224, 224]",
        ),
        ("{name: resnet50, head: {zero_shot: {outputs: {cat: [281]}}}}", None, ""),
    ],
)
def test_networks_of_keras_have_imagenet_weights_for_some_widths_and_sizes(model, key, message):
    found = broken(f"model: {model}\ndata: {{preprocessing: {{size: [64, 64], channels: 3}}}}")
    assert list(found) == ([] if key is None else [key]) and all(message in text for text in found.values())


@pytest.mark.parametrize("name", ["resnet50", "mobilenet_v2", "efficientnet_v2_b0"])
@pytest.mark.parametrize(
    ("preprocessing", "keys"),
    [
        ("{size: [32, 40], channels: 3}", []),
        ("{size: [31, 40], channels: 3}", ["size"]),
        ("{size: [64, 64], channels: 1}", ["channels"]),
        ("{}", ["channels", "size"]),
    ],
)
def test_networks_of_keras_take_colour_and_32_pixels_a_side(name, preprocessing, keys):
    found = broken(f"model: {{name: {name}}}\ndata: {{preprocessing: {preprocessing}}}")
    assert list(found) == [f"data.preprocessing.{key}" for key in keys]


@pytest.mark.parametrize(
    ("size", "resize", "message"),
    [
        ("[64, 48]", "[128, 96]", None),
        ("[64, 48]", "[64, 48]", None),
        ("[20, 20]", "[32, 32]", None),
        ("[64, 48]", "[128, 40]", "smaller than data.preprocessing.size [64, 48]; it enlarges only"),
        ("[20, 20]", "[31, 31]", "mobilenet_v2 takes 32 pixels a side and more"),
    ],
)
def test_images_are_resized_inside_the_model_to_larger_ones(size, resize, message):
    found = broken(
        f"model: {{name: mobilenet_v2, resize: {resize}}}\ndata: {{preprocessing: {{size: {size}, channels: 3}}}}"
    )
    assert list(found) == ([] if message is None else ["model.resize"])
    assert message is None or message in found["model.resize"]


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("{name: resnet18}", None),
        ("{name: resnet18, weights: some.keras}", None),
        ("{name: resnet18, weights: some.weights.h5}", None),
        (
            "{name: resnet18, weights: some.pt}",
            "'some.pt'; allowed: null, a file that ends with one of .keras, .weights.h5, .h5, or imagenet",
        ),
        ("{name: resnet18, weights: part1_scans}", "got 'part1_scans'; allowed: null, a file"),
        ("{name: cnn, weights: part1_scans}", None),
        ("{name: cnn, weights: part1_scan}", "got 'part1_scan'; did you mean 'part1_scans'?; allowed: null, a file"),
        ("{name: cnn, weights: imagenet}", "got 'imagenet'"),
    ],
)
def test_weights_are_of_a_kind_that_is_read(model, message):
    found = broken(f"model: {model}")
    assert list(found) == ([] if message is None else ["model.weights"])
    assert message is None or message in found["model.weights"]


@pytest.mark.parametrize(
    ("model", "channels", "key"),
    [
        ("", 3, None),
        ("", 1, "data.preprocessing.channels"),
        (", width: 16", 3, "model.width"),
        (", stem: small", 3, "model.stem"),
    ],
)
def test_imagenet_weights_of_a_resnet18_are_for_the_published_one(model, channels, key):
    found = broken(
        f"model: {{name: resnet18, weights: imagenet{model}}}\ndata: {{preprocessing: {{channels: {channels}}}}}"
    )
    assert list(found) == ([] if key is None else [key])
