"""The classifiers of keras.applications: what is known of each without building it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ApplicationFacts:
    """A network of keras.applications.

    Attributes:
        function: its function in keras.applications.
        parameters: millions below the top, at `alpha` 1.
        top1: accuracy in percent on ImageNet's validation images, as Keras's documentation gives it.
        side: of the square images that its ImageNet weights were trained on.
        smallest: the smallest side of an image.
        alphas: the factors of width that have ImageNet weights; empty for a network of one width.
    """

    function: str
    parameters: float
    top1: float
    side: int
    smallest: int = 32
    alphas: tuple[float, ...] = ()


APPLICATIONS = {
    "resnet50": ApplicationFacts("ResNet50", 23.6, 74.9, 224),
    "resnet101": ApplicationFacts("ResNet101", 42.7, 76.4, 224),
    "resnet152": ApplicationFacts("ResNet152", 58.4, 76.6, 224),
    "resnet50_v2": ApplicationFacts("ResNet50V2", 23.6, 76.0, 224),
    "resnet101_v2": ApplicationFacts("ResNet101V2", 42.6, 77.2, 224),
    "resnet152_v2": ApplicationFacts("ResNet152V2", 58.3, 78.0, 224),
    "mobilenet": ApplicationFacts("MobileNet", 3.2, 70.4, 224, alphas=(0.25, 0.5, 0.75, 1.0)),
    "mobilenet_v2": ApplicationFacts("MobileNetV2", 2.3, 71.3, 224, alphas=(0.35, 0.5, 0.75, 1.0, 1.3, 1.4)),
    "mobilenet_v3_small": ApplicationFacts("MobileNetV3Small", 0.9, 68.1, 224, alphas=(0.75, 1.0)),
    "mobilenet_v3_large": ApplicationFacts("MobileNetV3Large", 3.0, 75.6, 224, alphas=(0.75, 1.0)),
    "nasnet_mobile": ApplicationFacts("NASNetMobile", 4.3, 74.4, 224),
    "nasnet_large": ApplicationFacts("NASNetLarge", 84.9, 82.5, 331),
    "efficientnet_b0": ApplicationFacts("EfficientNetB0", 4.0, 77.1, 224),
    "efficientnet_b1": ApplicationFacts("EfficientNetB1", 6.6, 79.1, 240),
    "efficientnet_b2": ApplicationFacts("EfficientNetB2", 7.8, 80.1, 260),
    "efficientnet_b3": ApplicationFacts("EfficientNetB3", 10.8, 81.6, 300),
    "efficientnet_b4": ApplicationFacts("EfficientNetB4", 17.7, 82.9, 380),
    "efficientnet_b5": ApplicationFacts("EfficientNetB5", 28.5, 83.6, 456),
    "efficientnet_b6": ApplicationFacts("EfficientNetB6", 41.0, 84.0, 528),
    "efficientnet_b7": ApplicationFacts("EfficientNetB7", 64.1, 84.3, 600),
    "efficientnet_v2_b0": ApplicationFacts("EfficientNetV2B0", 5.9, 78.7, 224),
    "efficientnet_v2_b1": ApplicationFacts("EfficientNetV2B1", 6.9, 79.8, 240),
    "efficientnet_v2_b2": ApplicationFacts("EfficientNetV2B2", 8.8, 80.5, 260),
    "efficientnet_v2_b3": ApplicationFacts("EfficientNetV2B3", 12.9, 82.0, 300),
    "efficientnet_v2_s": ApplicationFacts("EfficientNetV2S", 20.3, 83.9, 384),
    "efficientnet_v2_m": ApplicationFacts("EfficientNetV2M", 53.2, 85.3, 480),
    "efficientnet_v2_l": ApplicationFacts("EfficientNetV2L", 117.7, 85.7, 480),
    "densenet121": ApplicationFacts("DenseNet121", 7.0, 75.0, 224),
    "densenet169": ApplicationFacts("DenseNet169", 12.6, 76.2, 224),
    "densenet201": ApplicationFacts("DenseNet201", 18.3, 77.3, 224),
    "convnext_tiny": ApplicationFacts("ConvNeXtTiny", 27.8, 81.3, 224),
    "convnext_small": ApplicationFacts("ConvNeXtSmall", 49.5, 82.3, 224),
    "convnext_base": ApplicationFacts("ConvNeXtBase", 87.6, 85.3, 224),
    "convnext_large": ApplicationFacts("ConvNeXtLarge", 196.2, 86.3, 224),
    "convnext_xlarge": ApplicationFacts("ConvNeXtXLarge", 348.1, 86.7, 224),
    "inception_v3": ApplicationFacts("InceptionV3", 21.8, 77.9, 299, smallest=75),
    "inception_resnet_v2": ApplicationFacts("InceptionResNetV2", 54.3, 80.3, 299, smallest=75),
    "xception": ApplicationFacts("Xception", 20.9, 79.0, 299, smallest=71),
    "vgg16": ApplicationFacts("VGG16", 14.7, 71.3, 224),
    "vgg19": ApplicationFacts("VGG19", 20.0, 71.3, 224),
}
# `minimalistic` networks have ImageNet weights for this factor of width alone.
MINIMALISTIC_ALPHA = 1.0
# Their top flattens the maps, so that its weights are for images of one size.
FLATTENING = ("vgg16", "vgg19")
# Names by the keys that their sections have.
WITH_MINIMALISTIC = ("mobilenet_v3_small", "mobilenet_v3_large")
WITH_ALPHA = ("mobilenet", "mobilenet_v2")
PLAIN = tuple(name for name in APPLICATIONS if name not in (*WITH_ALPHA, *WITH_MINIMALISTIC))
