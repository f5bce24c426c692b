"""What a run of W&B is given, and when it says that all has arrived; none of it needs W&B."""

from __future__ import annotations

import glob
from pathlib import Path

from kerasexp.tracking.tracker import RecordFile
from kerasexp.tracking.wandb_tracker import WandbRun


class FakeRun:
    """A run that takes patterns of files, as W&B's own does."""

    id, url = "id0", "https://wandb.example/id0"

    def __init__(self, folder: Path):
        self.dir, self.saved = str(folder), []

    def define_metric(self, name, step_metric=None):
        pass

    def save(self, pattern, base_path, policy):
        assert Path(pattern).is_relative_to(base_path)
        self.saved += glob.glob(pattern)

    def finish(self, exit_code):
        self.exit_code = exit_code


def test_files_are_found_in_a_folder_whose_name_is_a_pattern(tmp_path):
    folder = tmp_path.resolve() / "[2024] thesis"
    (folder / "plots").mkdir(parents=True)
    (folder / "plots" / "curves.png").write_bytes(b"content")
    made = FakeRun(folder)
    run = WandbRun(made, "running", None)
    run.send_file(RecordFile("plots/curves.png", "1", folder / "plots" / "curves.png"))
    run.send_file(RecordFile("requirements.txt", "1", text="keras\n"))
    assert made.saved == [str(folder / "plots" / "curves.png"), str(folder / "requirements.txt")]


def test_online_only_the_end_of_a_run_says_that_all_has_arrived(tmp_path):
    assert WandbRun(FakeRun(tmp_path), "running", tmp_path).is_confirmed
    made = FakeRun(tmp_path)
    run = WandbRun(made, "running", None)
    run.set_status("running", None)
    assert not run.is_confirmed
    run.set_status("finished", 1.0)
    assert run.is_confirmed and made.exit_code == 0
