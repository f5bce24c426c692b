"""`check`: everything that is wrong with an experiment, without training."""

from __future__ import annotations

from kerasexp.commands.options import ExperimentFile, Overrides, TrustCode


def check(experiment: ExperimentFile, overrides: Overrides = None, trust_code: TrustCode = False):
    """Find what is wrong without training.

    Keys, ranges, files, classes, shapes and memory are checked, and every problem is listed. The data come first, in a moment;
    where they are in order, the models are built with TensorFlow, which takes some seconds.

    Example: python -m kerasexp check experiments/part1_scans.yaml
    """
    from kerasexp.config import Search, load
    from kerasexp.console import standard_console

    resolved = load(experiment, overrides or ())
    from kerasexp.custom.trust import approve

    approve(resolved, experiment, trust_code)
    if trust_code:
        from kerasexp.saving.teacher_checkpoints import trust_teachers

        trust_teachers(resolved)
    if isinstance(resolved, Search):
        from kerasexp.search.check import check_corners

        check_corners(resolved, standard_console())
        print(f"{resolved.name}: no problem was found at the corners of the space")
    else:
        from kerasexp.runs.check import check_all

        check_all(resolved, standard_console())
