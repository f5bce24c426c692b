"""The networks of keras.applications, as Markdown: what helps to choose one."""

from __future__ import annotations

from kerasexp.config.application_facts import APPLICATIONS

INTRODUCTION = """\
# Backbones

`model: NAME` is a network of keras.applications with its own preprocessing inside, ImageNet weights by default, and a new top for
your classes. It takes images of three channels, grey ones too: `data: {preprocessing: {size: [224, 224], channels: 3}}`. Images
that are small for it lose most of their detail in its first layers, so make this size as large as your time allows, up to that of
its ImageNet images.
[Writing an experiment](writing-experiments.md#networks) says where weights are looked for, and how blocks are fine-tuned.

Parameters are without the top, in millions. Accuracy is the top-1 on ImageNet's validation images by Keras's documentation, at the
size in the next column; `smallest` is the least height and width that the network takes. `alpha` is a factor of the filters of
each layer, with the values that have ImageNet weights; MobileNets v3 also take `minimalistic: true`.

The ConvNeXts are pooled after their last normalisation, as Keras builds them without a top; the paper, and their ImageNet outputs
for `head.zero_shot`, pool before it.

This page is generated: `python docs/backbones.py > docs/backbones.md`.

| name | parameters | ImageNet | image size | smallest | `alpha` |
|---|---|---|---|---|---|
"""


def backbones() -> str:
    """Return the page: one row for each network, by its number of parameters."""
    rows = [
        f"| `{name}` | {facts.parameters} | {facts.top1} % | {facts.side} | {facts.smallest} | "
        f"{', '.join(map(str, facts.alphas))} |\n"
        for name, facts in sorted(APPLICATIONS.items(), key=lambda entry: entry[1].parameters)
    ]
    return INTRODUCTION + "".join(rows)


if __name__ == "__main__":
    print(backbones(), end="")
