"""The queue: it is kept in a file, in an order, and its jobs run one after another in processes of their own."""

import json
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from many_runs import write_run

from kerasexp.browser import job_queue, job_worker
from kerasexp.browser.job_queue import JobQueue
from kerasexp.browser.job_worker import JobWorker
from kerasexp.browser.run_index import RunIndex
from kerasexp.errors import RunError, UserError
from kerasexp.runs.directory import RunDirectory
from kerasexp.storage import is_locked


@pytest.fixture
def queue() -> JobQueue:
    Path("runs").mkdir()
    return JobQueue(Path("runs"))


@pytest.fixture
def programs(monkeypatch):
    """Let jobs run Python text in place of kerasexp; the text is the name of the experiment."""
    monkeypatch.setattr(job_worker, "job_command", lambda job, place: [sys.executable, "-c", job.experiment])


def add(queue: JobQueue, program: str = "", name: str = "some"):
    return queue.add(name, "run", program, (), ("run", program))


def statuses(queue: JobQueue) -> list[str]:
    return [job.status for job in queue.read().jobs]


def wait_for(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def run_all(queue: JobQueue, worker: JobWorker, until=("finished", "failed", "interrupted")) -> None:
    def have_ended() -> bool:
        worker.step()
        return all(status in until for status in statuses(queue))

    wait_for(have_ended)


def test_jobs_are_kept_in_their_order(queue):
    first, second, third = (add(queue, name=name) for name in "abc")
    assert [job.name for job in JobQueue(queue.root).read().jobs] == ["a", "b", "c"]
    queue.move(third.id, up=True)
    queue.move(first.id, up=True)
    assert [job.name for job in queue.read().jobs] == ["a", "c", "b"]
    queue.move(first.id, up=False)
    assert [job.name for job in queue.read().jobs] == ["c", "a", "b"]
    queue.remove([first.id])
    assert [job.name for job in queue.read().jobs] == ["c", "b"]
    with pytest.raises(UserError, match="no such job"):
        queue.remove([first.id])
    # A number is never that of another job.
    queue.remove([second.id, third.id])
    assert add(queue).id == third.id + 1


def test_the_queue_is_no_run(queue):
    add(queue)
    index = RunIndex(queue.root)
    index.refresh()
    assert index.rows(["path"]) == []


@pytest.mark.parametrize("text", ["", "[]", "{", '{"jobs": [{}], "at_once": 1, "next": 1}', '{"jobs": 3}'])
def test_a_damaged_queue_is_an_empty_one(queue, text):
    add(queue)
    (queue.folder / "queue.json").write_text(text)
    assert queue.read().jobs == ()
    assert add(queue).id == 1


def test_a_newer_version_may_have_more_keys(queue):
    add(queue)
    file = queue.folder / "queue.json"
    content = json.loads(file.read_text())
    content["jobs"][0]["priority"] = 3
    file.write_text(json.dumps(content))
    assert statuses(queue) == ["waiting"]


def test_jobs_run_one_after_another_and_a_failure_stops_none(queue, programs):
    note = "import sys, time, pathlib; pathlib.Path('order').open('a').write('{} '); time.sleep(0.2); {}"
    add(queue, note.format("a", "print('that went wrong'); sys.exit(1)"))
    add(queue, note.format("b", ""))
    worker = JobWorker(queue)
    worker.is_paused = False
    worker.step()
    assert statuses(queue) == ["running", "waiting"]
    run_all(queue, worker)
    assert Path("order").read_text() == "a b "
    failed, finished = queue.read().jobs
    assert (failed.status, failed.code, finished.status, finished.code) == ("failed", 1, "finished", 0)
    assert queue.error_of(failed) == "that went wrong" and queue.error_of(finished) == ""
    # The directory of a run that has not begun is not left behind.
    assert failed.place is None and (queue.root / finished.place).is_dir()


def test_several_run_at_once(queue, programs):
    queue.set_at_once(2)
    for _ in range(3):
        add(queue, "import time; time.sleep(0.3)")
    worker = JobWorker(queue)
    worker.is_paused = False
    worker.step()
    assert statuses(queue) == ["running", "running", "waiting"]
    assert len({job.place for job in queue.read().jobs}) == 3
    run_all(queue, worker)
    for count in (0, 17):
        with pytest.raises(UserError, match="from 1 to 16"):
            queue.set_at_once(count)


def test_a_job_that_cannot_start_has_failed(queue, monkeypatch):
    def fail(*command, **more):
        raise FileNotFoundError(2, "no such program")

    monkeypatch.setattr(job_worker.subprocess, "Popen", fail)
    add(queue)
    worker = JobWorker(queue)
    worker.is_paused = False
    worker.step()
    (job,) = queue.read().jobs
    assert job.status == "failed" and "no such program" in queue.error_of(job)


def test_on_a_full_disk_a_job_is_not_started_again_and_again(queue, programs, monkeypatch):
    def fail(path: Path, content: object) -> None:
        raise RunError("the disk is full")

    add(queue, "import time; time.sleep(60)")
    worker = JobWorker(queue)
    worker.is_paused = False
    monkeypatch.setattr("kerasexp.browser.job_queue.write_json", fail)
    with pytest.raises(RunError):
        worker.step()
    assert worker.is_paused and not worker._processes and statuses(queue) == ["waiting"]


def test_a_failure_of_the_worker_is_named_once_and_it_goes_on(queue, monkeypatch, capsys):
    add(queue)
    worker, seen = JobWorker(queue), []
    worker.is_paused = False
    steps = iter(
        [ZeroDivisionError("unforeseen"), ZeroDivisionError("unforeseen"), OSError("disk full"), None, SystemExit]
    )

    def step() -> None:
        if (error := next(steps)) is not None:
            raise error

    monkeypatch.setattr(worker, "step", step)
    monkeypatch.setattr(worker, "_sleep", lambda seconds: seen.append(worker.failure))
    with pytest.raises(SystemExit):
        worker._work()
    assert seen == ["ZeroDivisionError: unforeseen"] * 2 + ["disk full", ""]
    printed = capsys.readouterr().err
    assert printed.count("Traceback") == 1 and printed.count("unforeseen") == 1
    assert printed.endswith("the queue: error: disk full\n")


def test_the_last_jobs_that_have_ended_are_kept(queue, monkeypatch):
    monkeypatch.setattr(job_queue, "MOST_ENDED", 3)
    jobs = [add(queue, name=name) for name in "abcdef"]
    for job in jobs:
        queue.log(job).write_text("printed")
    times = dict(zip("abcde", ("05", "01", "04", "02", "03"), strict=True))
    for job in jobs[:5]:
        queue.change(lambda content, job=job: content.changed(replace(job, status="failed", ended=times[job.name])))
    assert [job.name for job in queue.read().jobs] == ["a", "c", "e", "f"]
    assert [job.name for job in jobs if queue.log(job).exists()] == ["a", "c", "e", "f"]


def test_after_a_restart_nothing_begins_before_the_user_says_so(queue, programs):
    add(queue)
    worker = JobWorker(queue)
    assert worker.is_paused
    worker.step()
    assert statuses(queue) == ["waiting"]
    worker.is_paused = False
    run_all(queue, worker)
    assert statuses(queue) == ["finished"] and not JobWorker(queue).is_paused


def test_a_job_outlives_its_server(queue, programs):
    add(queue, "import time; time.sleep(2)")
    first = JobWorker(queue)
    first.is_paused = False
    first.step()
    (job,) = queue.read().jobs
    wait_for(lambda: is_locked(queue.lock(job)))
    # Another server knows the process by its lock.
    second = JobWorker(queue)
    second.step()
    (job,) = queue.read().jobs
    assert job.status == "running"
    with pytest.raises(UserError, match="is running; stop it first"):
        queue.remove([job.id])
    first._processes[job.id].wait()
    second.step()
    (job,) = queue.read().jobs
    assert (job.status, job.code, job.place) == ("finished", 0, "some/1")


def test_a_job_whose_process_was_killed_unseen_has_failed(queue, programs):
    job = add(queue, "import time; time.sleep(2)")
    # Of a job of the same number, in a queue whose file was damaged since.
    queue.code(job).write_text('{"code": 0}')
    first = JobWorker(queue)
    first.is_paused = False
    first.step()
    process = first._processes[queue.read().jobs[0].id]
    process.kill()
    process.wait()
    JobWorker(queue).step()
    assert statuses(queue) == ["failed"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals")
def test_a_running_job_is_interrupted_and_no_other_process(queue, programs):
    listen = "signal.signal(signal.SIGINT, lambda *_: sys.exit(130)); print('on', flush=True)"
    job = add(queue, f"import signal, sys, time; {listen}; time.sleep(60)")
    worker = JobWorker(queue)
    with pytest.raises(UserError, match="is not running now"):
        worker.stop(job.id)
    worker.is_paused = False
    worker.step()
    wait_for(lambda: queue.log_text(job) == "on")
    # The same number may be that of another process on another machine, which sees the lock too.
    here = queue.read().job(job.id)
    queue.change(lambda content: content.changed(replace(here, host="elsewhere")))
    with pytest.raises(UserError, match="runs on elsewhere; stop it there"):
        JobWorker(queue).stop(job.id)
    queue.change(lambda content: content.changed(here))
    # A server that has not started it stops it too.
    JobWorker(queue).stop(job.id)
    run_all(queue, worker)
    assert statuses(queue) == ["interrupted"]
    with pytest.raises(UserError, match="is not running now"):
        worker.stop(job.id)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals")
def test_a_job_is_interrupted_also_if_its_server_ignores_ctrl_c(queue, programs):
    """A shell lets what it starts in the background ignore SIGINT, and a process passes that on to those that it starts."""
    job = add(queue, "import time; print('on', flush=True); time.sleep(60)")
    worker = JobWorker(queue)
    worker.is_paused = False
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        worker.step()
    finally:
        signal.signal(signal.SIGINT, before)
    wait_for(lambda: queue.log_text(job) == "on")
    worker.stop(job.id)
    run_all(queue, worker)
    assert statuses(queue) == ["interrupted"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals")
def test_a_job_whose_guard_was_killed_is_stopped_by_its_directory(queue, monkeypatch):
    job, sent = add(queue), []
    queue.change(lambda content: content.changed(replace(job, status="running", place="some/1", process=4321)))
    run = RunDirectory(write_run(queue.root / "some/1", 1, "running"))
    monkeypatch.setattr(os, "kill", lambda process, number: sent.append((process, number)))
    with run.locked():
        JobWorker(queue).stop(job.id)
    assert sent == [(os.getpid(), signal.SIGINT)]
    with pytest.raises(UserError, match="does not run now"):
        JobWorker(queue).stop(job.id)


def test_a_log_shows_the_last_state_of_a_line_and_its_end(queue):
    job = add(queue)
    assert queue.log_text(job) == ""
    queue.log(job).write_bytes(b"epoch 1\r50 %\r100 %\nerror\xff\n")
    assert queue.log_text(job) == "100 %\nerror\ufffd"
    queue.log(job).write_bytes(b"x" * 300_000 + b"end")
    assert queue.log_text(job).endswith("end") and len(queue.log_text(job)) == 200_000
