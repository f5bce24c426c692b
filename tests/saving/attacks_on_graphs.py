"""Attacks by the graph of a model's config: memory and time.

A docstring says what Keras 3.15 itself does with the file in safe mode, if that is more than an error.
"""

import json

import numpy as np
from attacks import HUGE, attack
from model_files import called_twice, resize, sequential, within

# Memory and time


@attack("'logits' declares 1,440,000,000 weights")
def a_huge_dense_layer(file):
    """Keras draws all weights, in 6 GB twice over."""
    file.change("logits", units=10_000_000, use_bias=False)


@attack("'conv' declares 1,600,000,004 weights")
def a_huge_kernel(file):
    file.change("conv", kernel_size=[20_000, 20_000], padding="same")


@attack("'relu' declares 64,128,064 weights")
def a_slope_for_each_of_many_places(file):
    file.replace("conv", "ZeroPadding2D", padding=[4000, 4000])
    file.replace("norm", "MaxPooling2D", pool_size=[1, 1])
    file.replace("relu", "PReLU")


@attack("the output of 'relu' for one image is (60000, 60000, 4)")
def a_huge_enlargement(file):
    """Keras loads it; its first prediction takes 57 GB."""
    file.replace("relu", "UpSampling2D", size=[10_000, 10_000])
    file.replace("flatten", "GlobalMaxPooling2D")
    file.change_weights(lambda weights: resize(weights, (4, 3), data=np.ones((4, 3))))


@attack("the output of 'relu' for one image is (1000000, 1000000, 4)")
def a_huge_resizing(file):
    file.replace("relu", "Resizing", height=10**6, width=10**6)
    file.replace("flatten", "GlobalMaxPooling2D")
    file.change_weights(lambda weights: resize(weights, (4, 3), data=np.ones((4, 3))))


@attack("'relu' computes more than 268,435,456 numbers for one image on its way")
def a_resizing_that_pads_first(file):
    """Keras pads 6x6 to 6 x 402,653,184 before it makes 1 x 67,108,864 of it."""
    file.replace("relu", "Resizing", height=1, width=2**24, pad_to_aspect_ratio=True)
    file.replace("flatten", "GlobalMaxPooling2D")
    file.change_weights(lambda weights: resize(weights, (4, 3), data=np.ones((4, 3))))


@attack("'norm' computes more than 268,435,456 numbers for one image on its way")
def a_dilation_of_a_depthwise_convolution(file):
    """TensorFlow pads the sides to multiples of the dilation."""
    file.replace("norm", "DepthwiseConv2D", kernel_size=1, dilation_rate=100_000)


@attack("the output of 'images' for one image is")
def a_huge_input(file):
    file.change("images", batch_shape=[None, 10**6, 10**6, 1])


@attack("the outputs of all layers for one image have more than 17,179,869,184 numbers together")
def many_large_outputs(file):
    """Each may be a gigabyte, and all may be needed at the end."""
    layer = {"module": "keras.layers", "registered_name": None}
    wide = {**layer, "class_name": "ZeroPadding2D", "config": {"name": "wide", "padding": [4000, 4000]}}
    others = ({**layer, "class_name": "ReLU", "config": {"name": f"relu{number}"}} for number in range(70))
    within(file, [wide, *others])


@attack("'logits' declares 768,000,003 weights")
def a_mean_for_each_of_many_places(file):
    """Keras creates 256 million means and variances while it builds the layer."""
    file.replace("conv", "UpSampling2D", size=[2000, 2000])
    file.replace("norm", "Normalization", axis=[1, 2, 3], mean=0.5, variance=1.0)


@attack("'logits' declares 1,440,000,000 weights")
def a_huge_dense_layer_in_a_sequential_model(file):
    file.change("logits", units=10_000_000, use_bias=False)
    file.make_sequential()


@attack("'inner' declares 5,000,000 weights")
def a_huge_dense_layer_in_a_sequential_model_within_the_model(file):
    dense = {"module": "keras.layers", "class_name": "Dense", "registered_name": None}
    within(
        file,
        [{**dense, "config": {"name": "wide", "units": 4}}, {**dense, "config": {"name": "inner", "units": 10**6}}],
    )


@attack("relu: level18: level17: level16: level15: models are nested deeper than 4")
def sequential_models_in_each_other(file):
    start = {"module": "keras.layers", "class_name": "InputLayer", "registered_name": None}
    start["config"] = {"batch_shape": [None, 6, 6, 4], "dtype": "float32", "name": "start"}
    inner = {"module": "keras.layers", "class_name": "ReLU", "registered_name": None, "config": {"name": "leaf"}}
    for level in range(19):
        inner = sequential([start, inner], f"level{level}")
    within(file, [inner])


@attack("config.json has 5,009 layers; at most 2,000 are accepted")
def thousands_of_layers_in_a_sequential_model(file):
    file.make_sequential()
    entries, relu = file.config["config"]["layers"], file.layer("relu")
    entries[-4:-4] = [{**relu, "config": {**relu["config"], "name": f"relu{number}"}} for number in range(5000)]


@attack("norm: two layers have this name")
def a_sequential_model_that_comes_back_to_a_layer(file):
    file.make_sequential()
    file.config["config"]["layers"].insert(-1, file.layer("norm"))


@attack("again: each layer must be called once, and an input never")
def an_input_in_the_middle(file):
    file.make_sequential()
    start = json.loads(json.dumps(file.layer("images")).replace('"images"', '"again"'))
    file.config["config"]["layers"].insert(3, start)


@attack("config.json: the sequential model has no input layer")
def a_sequential_model_without_input(file):
    """Keras builds it from `build_input_shape`, of any size."""
    file.make_sequential()
    del file.config["config"]["layers"][0]
    file.config["config"]["build_input_shape"] = [None, HUGE, HUGE, 1]


@attack("config.json: the sequential model has no input layer")
def a_sequential_model_of_nothing(file):
    file.make_sequential()
    file.config["config"]["layers"] = []


@attack("config.json: got 7, and expected an object")
def a_number_in_a_sequential_model(file):
    file.make_sequential()
    file.config["config"]["layers"].append(7)


@attack("logits: kernel_initializer: 'Orthogonal' is not accepted")
def an_initializer_that_takes_hours(file):
    """Keras factorises a matrix of the kernel's size before it loads the kernel."""
    orthogonal = {"module": "keras.initializers", "class_name": "Orthogonal", "config": {}, "registered_name": None}
    file.change("logits", kernel_initializer=orthogonal)


@attack("logits: Dense takes no 'lora_rank'")
def weights_beside_the_weights(file):
    file.change("logits", lora_rank=HUGE)


@attack("'logits' declares 435 weights; model.weights.h5 holds 415 for it and the layers after it")
def a_layer_too_many_for_the_weights(file):
    file.replace("relu", "Conv2D", filters=4, kernel_size=1)


@attack("config.json has 5,009 layers; at most 2,000 are accepted")
def thousands_of_layers(file):
    entries, relu = file.config["config"]["layers"], json.dumps(file.layer("relu"))
    chain = ["relu", *(f"relu{number}" for number in range(5000))]
    for before, name in zip(chain, chain[1:], strict=False):
        entry = json.loads(relu.replace('"norm"', f'"{before}"').replace('"name": "relu"', f'"name": "{name}"'))
        entries.insert(-4, entry)
    file.layer("flatten")["inbound_nodes"] = json.loads(
        json.dumps(file.layer("flatten")["inbound_nodes"]).replace('"relu"', f'"{chain[-1]}"')
    )


@attack("relu: level18: level17: level16: level15: models are nested deeper than 4")
def calls_that_double_at_each_level(file):
    """Keras loads it; its first prediction would take a million steps."""
    relu, entries = file.layer("relu"), file.config["config"]["layers"]
    inner = {**relu, "name": "leaf", "config": {**relu["config"], "name": "leaf"}}
    for level in range(20):
        inner = called_twice(inner, "relu" if level == 19 else f"level{level}")
    entries[entries.index(relu)] = {**inner, "inbound_nodes": relu["inbound_nodes"]}


@attack("relu: is called on 10,000 tensors; at most 256 are accepted")
def a_sum_of_thousands(file):
    file.replace("relu", "Add")
    file.call("relu").update(args=[file.call("relu")["args"] * 10_000])


@attack("refers to 'probabilities', which is not a layer before it")
def a_graph_that_bites_its_tail(file):
    calls = json.dumps(file.layer("conv")["inbound_nodes"])
    file.layer("conv")["inbound_nodes"] = json.loads(calls.replace("rescaling", "probabilities"))


@attack("config.json cannot be read: maximum recursion depth exceeded")
def deep_json(file):
    file.config = b"[" * 1_000_000


@attack("config.json has 8,000,002 bytes")
def long_json(file):
    """Keras creates 200 MB of objects."""
    file.config = b"[" + b"{}," * 2_666_666 + b"{}]"
