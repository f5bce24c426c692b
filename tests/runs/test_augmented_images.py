"""The page of augmented training images: those of the first epoch, as the network saw them."""

from pathlib import Path

import numpy as np
import pytest

from kerasexp.config import load_experiment
from kerasexp.data.epoch_sampling import Sampling
from kerasexp.data.pipeline import training_batches
from kerasexp.data.prepared_data import prepare
from kerasexp.report.report_missing_parts import Unavailable
from kerasexp.runs.augmented_images import MOST, augmented_images

PLOTS = "report.plots=true"


def test_they_are_the_first_images_of_the_training_itself(tiny_yaml):
    experiment = load_experiment(tiny_yaml, [PLOTS, "seed=3"])
    data = prepare(experiment.data)
    found = augmented_images(experiment, data, "")
    train, augmentation = data.splits["train"], experiment.data.augmentation
    batches = list(training_batches(train, Sampling.of(experiment), 3, augmentation, experiment.training.epochs))
    expected = np.concatenate([images for images, _ in batches[:3]]), np.concatenate([some for _, some in batches[:3]])
    assert len(found.images) == MOST == 24
    np.testing.assert_array_equal(found.images, expected[0])
    np.testing.assert_array_equal(found.labels.argmax(axis=1), expected[1])
    assert (found.labels.sum(axis=1) == 1).all() and not found.excluded


def test_a_small_training_split_shows_all_of_its_images_once(tiny_yaml):
    experiment = load_experiment(tiny_yaml, [PLOTS, "data.labels.at_most=15"])
    data = prepare(experiment.data)
    assert len(augmented_images(experiment, data, "").images) == len(data.splits["train"]) < MOST


def test_without_augmentation_or_plots_there_are_none(tiny_yaml):
    data = prepare(load_experiment(tiny_yaml).data)
    for changes in (["data.augmentation=null", PLOTS], ["report.plots=false"]):
        assert augmented_images(load_experiment(tiny_yaml, changes), data, "") is None


def test_without_the_images_the_plot_says_why(tiny_yaml):
    with pytest.raises(Unavailable, match="gone"):
        augmented_images(load_experiment(tiny_yaml, [PLOTS]), None, "gone")


def test_excluded_classes_are_marked(tiny_yaml):
    experiment = load_experiment(tiny_yaml, [PLOTS, "training.loss=scl_nl"])
    assert augmented_images(experiment, prepare(experiment.data), "").excluded


@pytest.mark.slow
@pytest.mark.plots
def test_a_run_shows_them_also_drawn_again(cli, tiny_yaml):
    run = Path(cli("run", tiny_yaml, "--set", "training.epochs=1", "--set", PLOTS).last_line)
    plot = run / "plots" / "augmented.png"
    before = plot.read_bytes()
    assert "Augmented training images" in (run / "report.html").read_text()
    plot.unlink()
    assert cli("report", run).code == 0 and plot.read_bytes() == before
