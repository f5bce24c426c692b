"""Attacks by the layers of a model's config: code, other files, and what is no layer of Keras.

A docstring says what Keras 3.15 itself does with the file in safe mode, if that is more than an error.
"""

import pickle

from attacks import HUGE, Payload, attack
from keras import layers
from model_files import within

# Code, and other files


@attack("relu: a layer of class 'Lambda' is not accepted")
def a_lambda_layer(file):
    code = layers.Lambda(lambda x: (open("executed", "w").close(), x)[1]).get_config()["function"]
    file.replace("relu", "Lambda", function=code)


@attack("relu: activation: {'class_name': '__lambda__'")
def a_lambda_as_activation(file):
    file.change("relu", activation=layers.Lambda(lambda x: open("executed", "w").close()).get_config()["function"])


@attack("relu: activation: {'module': 'keras.config'")
def a_function_that_is_no_activation(file):
    """Keras calls it: from then on the whole process computes with another epsilon."""
    function = {"module": "keras.config", "class_name": "function", "config": "set_epsilon", "registered_name": None}
    file.change("relu", activation=function)


@attack("logits: kernel_initializer: 'Lambda' is from 'keras.layers'")
def a_lambda_as_initializer(file):
    code = layers.Lambda(lambda shape, dtype: open("executed", "w").close()).get_config()
    file.change(
        "logits",
        kernel_initializer={
            "module": "keras.layers",
            "class_name": "Lambda",
            "config": code,
            "registered_name": None,
        },
    )


@attack("relu: 'Popen' is from 'subprocess'")
def a_class_that_is_not_of_keras(file):
    file.replace("relu", "Popen", module="subprocess", args=["touch", "executed"])


@attack("logits: 'Dense' is from 'keras.layers', registered as 'mine>Dense'")
def a_class_of_a_registered_name(file):
    """If a program has registered such a class, Keras uses it."""
    file.layer("logits")["registered_name"] = "mine>Dense"


@attack("relu: a layer of class 'TFSMLayer' is not accepted")
def a_tensorflow_program(file):
    file.replace("relu", "TFSMLayer", filepath="program", call_endpoint="serve")


@attack("relu: a layer of class 'TorchModuleWrapper' is not accepted")
def a_pickled_torch_module(file):
    file.replace("relu", "TorchModuleWrapper")
    file.change("relu", module=pickle.dumps(Payload()).hex())


@attack("relu: a layer of class 'StringLookup' is not accepted")
def a_table_read_from_a_file(file):
    file.replace("relu", "StringLookup", vocabulary="/etc/passwd", num_oov_indices=1)


@attack("relu: a layer of class 'TimeDistributed' is not accepted")
def a_layer_around_a_lambda(file):
    code = layers.Lambda(lambda x: open("executed", "w").close()).get_config()
    file.replace("relu", "TimeDistributed", layer={"module": "keras.layers", "class_name": "Lambda", "config": code})


@attack("config.json: 'Model' is not a functional or sequential model")
def another_kind_of_model(file):
    file.config["class_name"] = "Model"


@attack("config.json: 'Sequential' is from 'keras.src.models.functional'")
def a_functional_model_said_to_be_sequential(file):
    file.config["class_name"] = "Sequential"


@attack("config.json: 'Sequential' is from 'keras', registered as 'mine>Sequential'")
def a_sequential_model_of_a_registered_name(file):
    file.make_sequential()
    file.config["registered_name"] = "mine>Sequential"


@attack("relu: a layer of class 'Lambda' is not accepted")
def a_lambda_in_a_sequential_model(file):
    code = layers.Lambda(lambda x: (open("executed", "w").close(), x)[1]).get_config()["function"]
    file.replace("relu", "Lambda", function=code)
    file.make_sequential()


@attack("relu: inner: a layer of class 'Lambda' is not accepted")
def a_lambda_in_a_sequential_model_within_the_model(file):
    code = layers.Lambda(lambda x: (open("executed", "w").close(), x)[1]).get_config()
    entry = {
        "module": "keras.layers",
        "class_name": "Lambda",
        "registered_name": None,
        "config": {**code, "name": "inner"},
    }
    within(file, [entry])


@attack("a layer of class ['Dense'] is not accepted")
def a_class_that_is_a_list(file):
    file.make_sequential()
    file.layer("logits")["class_name"] = ["Dense"]


@attack("model.weights.h5 is not an HDF5 file of weights")
def a_pickle_as_weights(file):
    file.weights = pickle.dumps(Payload()) + bytes(10_000)


@attack("also holds 'assets/evil.txt', 'assets/more.txt', which a Keras model of ordinary layers does not have")
def members_beside_the_model(file):
    """Keras unpacks the whole archive into a temporary folder."""
    file.others = [("assets/evil.txt", b"x"), ("assets/more.txt", bytes(1000))]


# Layers of ours

NEAREST = {"module": "kerasexp.models.nearest_neighbours_layer", "registered_name": "kerasexp>NearestNeighbours"}
MAPPING = {"module": "kerasexp.models.label_mapping_layer", "registered_name": "kerasexp>LabelMapping"}


@attack("'probabilities' declares 4,000,000,000 weights")
def a_billion_neighbours(file):
    file.replace("probabilities", "NearestNeighbours", **NEAREST, examples=HUGE, neighbours=1, classes=3)


@attack("Keras cannot build 'probabilities'")
def votes_of_many_for_many(file):
    """Each image would need 64 million numbers."""
    file.replace("probabilities", "NearestNeighbours", **NEAREST, examples=9, neighbours=2**13, classes=2**13)


@attack("Keras cannot build 'probabilities'")
def outputs_that_are_not_there(file):
    file.replace("probabilities", "LabelMapping", **MAPPING, groups=[[0], [HUGE], [2]], combine="max")


@attack("probabilities: groups: 'x' is not accepted")
def a_group_of_words(file):
    file.replace("probabilities", "LabelMapping", **MAPPING, groups=[["x"]], combine="max")


@attack("probabilities: 'LabelMapping' is from 'keras.layers'")
def a_layer_of_ours_said_to_be_keras(file):
    file.replace("probabilities", "LabelMapping", groups=[[0], [1], [2]], combine="max")


# Operations, which are no layers


def operation(file, name: str, kind: str, *arguments, **options):
    """Put an operation in place of a layer, as `x + 3` writes it."""
    layer = file.layer(name)
    tensor = layer["inbound_nodes"][0]["args"][0]
    layer |= {"module": "keras.src.ops.numpy", "class_name": kind, "registered_name": kind, "config": {"name": name}}
    given = [tensor if argument == "tensor" else argument for argument in arguments]
    layer["inbound_nodes"] = [{"args": given, "kwargs": options}]


@attack("relu: the operation 'Repeat' is not accepted; those that are: Add, Multiply")
def an_operation_that_takes_memory(file):
    operation(file, "relu", "Repeat", "tensor", 1000000)


@attack("relu: the operation Add must be called on two tensors, or on a tensor and a number")
def an_operation_on_an_array(file):
    array = {"class_name": "__numpy__", "config": {"value": [1.0], "dtype": "float32"}}
    operation(file, "relu", "Add", "tensor", [array])


@attack("relu: the operation Add must be called on two tensors, or on a tensor and a number")
def an_operation_with_options(file):
    operation(file, "relu", "Add", "tensor", 3.0, where="here")


@attack("relu: is called on '__lambda__'; only tensors are accepted")
def an_operation_on_code(file):
    operation(file, "relu", "Multiply", {"class_name": "__lambda__", "config": {}}, 3.0)


@attack("relu: offset: 1e+300 is not a number or list of numbers of a size that layers have")
def an_operation_with_a_huge_number(file):
    operation(file, "relu", "Add", "tensor", 1e300)
