"""The networks of keras.applications: preprocessing, training, saving, loading, counting and explanations.

All of them take many minutes, so a few are tested each day, in turn. KERASEXP_FULL=1 tests all, and
KERASEXP_BACKBONES=vgg16,xception these.
"""

import gc
import os
from datetime import date

import keras
import numpy as np
import pytest
from pydantic import TypeAdapter

from kerasexp.config.application_facts import APPLICATIONS as FACTS
from kerasexp.config.data_section import Preprocessing
from kerasexp.config.model_section import Application, Model
from kerasexp.config.section_base import is_section, members, tags
from kerasexp.config.training_section import FineTune
from kerasexp.evaluation.interpretation import feature_maps, first_and_last_kernels, grad_cam
from kerasexp.models import build_model, family_of, logits_model
from kerasexp.models.applications import NETWORKS
from kerasexp.models.flops import flops
from kerasexp.saving.checkpoint import load_checkpoint, write_sidecars
from kerasexp.training.fine_tuning import blocks_of, freeze_below

# Keras's networks take seconds to build.
slow = pytest.mark.slow

# Of the rotating sample: how many a day; larger networks, in millions of parameters, need several GiB.
A_DAY, MOST_PARAMETERS = 3, 70
EXPLAINED = ["resnet50", "mobilenet_v3_small", "efficientnet_b0", "convnext_tiny"]


def chosen() -> list[str]:
    """The networks that are tested today."""
    if asked := os.environ.get("KERASEXP_BACKBONES"):
        return asked.split(",")
    if os.environ.get("KERASEXP_FULL"):
        return list(FACTS)
    small = [name for name, facts in FACTS.items() if facts.parameters <= MOST_PARAMETERS]
    first = date.today().toordinal() * A_DAY
    return [small[(first + number) % len(small)] for number in range(A_DAY)]


CHOSEN = chosen()


@pytest.fixture(autouse=True)
def memory():
    """Keras keeps the graph of each training; those of all networks together take many GiB."""
    yield
    keras.backend.clear_session()
    gc.collect()


def section(name: str, **keys) -> Application:
    return TypeAdapter(Model).validate_python({"name": name, "weights": None, **keys})


def images_for(name: str) -> tuple[Preprocessing, np.ndarray]:
    side = FACTS[name].smallest
    images = np.random.default_rng(0).integers(0, 256, (3, side, side, 3)).astype(np.uint8)
    return Preprocessing(size=[side, side], channels=3), images


def built(name: str, **keys) -> keras.Model:
    keras.utils.set_random_seed(0)
    return build_model(section(name, **keys), images_for(name)[0], 3, "ours")


def test_every_network_of_keras_has_its_name_and_its_section():
    functions = {name for name in dir(keras.applications) if name[0].isupper()}
    assert {facts.function for facts in FACTS.values()} == functions
    sections = [kind for kind in members(Model) if is_section(kind) and issubclass(kind, Application)]
    assert sorted(word for kind in sections for word in tags(kind)) == sorted(FACTS)


@slow
@pytest.mark.parametrize("name", CHOSEN)
def test_it_is_trained_saved_loaded_and_predicts(name, tmp_path):
    print("KERASEXP_BACKBONES=" + ",".join(CHOSEN))
    model, (how, images) = built(name), images_for(name)
    network = section(name)
    millions = (model.count_params() - 3 * (model.get_layer("logits").kernel.shape[0] + 1)) / 1e6
    assert millions == pytest.approx(FACTS[name].parameters, abs=0.06)
    assert model.input.dtype == "uint8" and model.layers[1].name == "rescaling"
    assert flops(model) > 1e6

    blocks = blocks_of(model, family_of(network))
    assert 5 <= len(blocks) <= 110 and all(len(layers) <= 36 for layers in blocks.values())
    freeze_below(model, family_of(network), FineTune(unfreeze=1))
    *frozen, last = blocks.values()
    assert all(not layer.trainable for layers in frozen for layer in layers) and all(layer.trainable for layer in last)
    for layer in model.layers:
        layer.trainable = True

    # The logits alone are random at first; a step by plain SGD needs no memory for moments.
    trained = logits_model(model)
    trained.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    first = model.get_layer(next(iter(blocks.values()))[0].name).get_weights()[0]
    assert np.isfinite(trained.train_on_batch(images, np.array([0, 1, 2])))
    assert (model.get_layer(next(iter(blocks.values()))[0].name).get_weights()[0] != first).any()

    expected = model.predict(images, verbose=0)
    model.save(tmp_path / "model.keras")
    write_sidecars(tmp_path, ["a", "b", "c"], {}, how)
    del trained, model
    np.testing.assert_allclose(
        load_checkpoint(tmp_path).model.predict(images, verbose=0), expected, rtol=1e-4, atol=1e-5
    )
    stock = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(stock.predict(images, verbose=0), expected, rtol=1e-4, atol=1e-5)


@slow
@pytest.mark.parametrize("name", ["mobilenet_v3_small", "convnext_tiny", "xception", "efficientnet_b0"])
def test_layers_have_the_same_names_each_time(name):
    names = [[operation.name for operation in built(name).operations] for _ in range(2)]
    assert names[0] == names[1]
    keras.backend.clear_session()
    facts, network = FACTS[name], NETWORKS[name]
    function = getattr(keras.applications, facts.function)
    theirs = function(weights=None, include_top=False, input_shape=(96, 96, 3), **network.arguments)
    assert {layer.name for layer in theirs.layers[1:]} <= {*names[0]}


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("mobilenet", "mobilenet"),
        ("mobilenet_v2", "mobilenet_v2"),
        ("nasnet_mobile", "nasnet"),
        ("resnet50", "resnet50"),
        ("resnet101_v2", "resnet_v2"),
        ("densenet121", "densenet"),
        ("inception_v3", "inception_v3"),
        ("inception_resnet_v2", "inception_resnet_v2"),
        ("xception", "xception"),
        ("vgg16", "vgg16"),
        ("vgg19", "vgg19"),
    ],
)
def test_preprocessing_equals_that_of_keras(name, module):
    _, images = images_for(name)
    expected = getattr(keras.applications, module).preprocess_input(images.astype(np.float32))
    inputs = keras.Input(images.shape[1:], dtype="uint8")
    ours = keras.Model(inputs, NETWORKS[name].preprocess(inputs))(images)
    np.testing.assert_allclose(np.asarray(ours), expected, atol=1e-3)


@slow
@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("mobilenet_v3_small", "conv"),
        ("efficientnet_v2_b0", "stem_conv"),
        ("efficientnet_v2_s", "stem_conv"),
        ("convnext_tiny", "convnext_tiny_stem"),
    ],
)
def test_preprocessing_equals_that_of_the_layers_that_keras_puts_in_front(name, first):
    _, images = images_for(name)
    theirs = getattr(keras.applications, FACTS[name].function)(weights=None, include_top=False, input_shape=(32, 32, 3))
    expected = keras.Model(theirs.input, theirs.get_layer(first).input)(images.astype(np.float32))
    ours = built(name)
    found = keras.Model(ours.input, ours.get_layer(first).input)(images)
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), atol=1e-3)


@slow
def test_the_first_efficientnets_standardise_images_whatever_their_weights():
    """As Keras does with its published weights: by ImageNet's means and deviations."""
    _, images = images_for("efficientnet_b0")
    ours = built("efficientnet_b0")
    found = keras.Model(ours.input, ours.get_layer("stem_conv_pad").input)(images)
    expected = (images / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(np.asarray(found), expected, atol=1e-3)


@slow
@pytest.mark.parametrize(
    ("name", "keys"),
    [("mobilenet", {"alpha": 0.25}), ("mobilenet_v2", {"alpha": 0.35}), ("mobilenet_v3_large", {"minimalistic": True})],
)
def test_narrower_networks_have_fewer_parameters(name, keys):
    assert built(name, **keys).count_params() < 0.6 * FACTS[name].parameters * 1e6


@slow
@pytest.mark.parametrize("name", EXPLAINED)
def test_it_can_be_explained(name):
    model, (_, images) = built(name), images_for(name)
    heat = grad_cam(model, images, np.array([0, 1, 2]))
    assert heat.shape == (3, 32, 32) and np.isfinite(heat).all()
    assert 2 <= len(feature_maps(model, images[0])) <= 6
    assert len(first_and_last_kernels(model)) == 2
