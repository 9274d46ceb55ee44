"""``medpipe schedule`` as typed."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from medpipe.cli.schedule import schedule
from tests.scratch import environment, make_project


def medpipe(folder, *arguments):
    command = [sys.executable, "-m", "medpipe", "schedule", *arguments]
    return subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=900)


@pytest.fixture(scope="module")
def untouched(tmp_path_factory):
    """A scratch project in which nothing has run."""
    return make_project(tmp_path_factory.mktemp("schedule") / "project")


def test_a_job_runs_the_real_pipeline(project, molecules):
    """What `molecules` left is unchanged, so the run is short; that it ends well shows the command to be right."""
    with (project / "conf" / "test" / "schedules.yml").open("a") as file:
        file.write('again: {cron: "0 0 1 1 *", pipelines: [molecules], min_new: 0, enabled: false}\n')
    done = medpipe(project, "once", "again", "--env=test")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "again: finished: each due time trains: min_new is 0" in done.stdout
    found = json.loads(medpipe(project, "status", "--env=test", "--json").stdout)
    (last,) = [job["last"] for job in found["jobs"] if job["name"] == "again"]
    assert last["outcome"] == "finished"
    log = (project / last["log"]).read_text()
    assert "-m medpipe run --pipeline=molecules --env=test\n" in log
    assert "train_gan" in log


def test_the_scheduler_ends_well_when_told_to(untouched):
    command = [sys.executable, "-m", "medpipe", "schedule", "run"]
    scheduler = subprocess.Popen(command, cwd=untouched, env=environment(), stderr=subprocess.PIPE, text=True)
    lock = untouched / "data" / ".schedule" / "scheduler.lock"
    deadline = time.monotonic() + 300
    while not (lock.exists() and lock.read_text()) and time.monotonic() < deadline:
        time.sleep(0.1)
    os.kill(scheduler.pid, signal.SIGTERM)
    _, errors = scheduler.communicate(timeout=60)
    assert scheduler.returncode == 0, errors


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["once", "nightly"], "Error: schedules.yml: there is no job 'nightly'; there are imaging_weekly, "),
        (["status", "--env=nowhere"], "Error: --env 'nowhere'"),
        (["export", "launchd"], "'systemd', 'cron'"),
    ],
)
def test_wrong_input_is_told_without_a_traceback(untouched, monkeypatch, arguments, said):
    monkeypatch.chdir(untouched)
    done = CliRunner().invoke(schedule, arguments)
    assert done.exit_code in (1, 2)
    assert said in done.output


def test_outside_of_a_project_there_is_no_schedule(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(schedule, ["status"])
    assert done.exit_code == 1
    assert "no Kedro project lies here or above" in done.output


def test_every_command_of_the_group_shows_what_it_does(untouched, monkeypatch):
    monkeypatch.chdir(untouched)
    unit, lines, table, runs = (
        CliRunner().invoke(schedule, arguments).output
        for arguments in (["export", "systemd"], ["export", "cron"], ["status"], ["status", "--runs=3"])
    )
    assert f"WorkingDirectory={untouched}" in unit
    assert "schedule once imaging_weekly" in lines
    assert "imaging_weekly" in table
    assert "outcome" in runs


def test_the_status_tells_a_slip_in_the_name_of_a_pipeline(untouched, monkeypatch):
    monkeypatch.chdir(untouched)
    file = untouched / "conf" / "local" / "schedules.yml"
    file.write_text('nightly: {cron: "0 3 * * *", pipelines: [imagin]}\n')
    done = CliRunner().invoke(schedule, ["status"])
    file.unlink()
    assert done.exit_code == 1
    assert "schedules.yml: job 'nightly': field 'pipelines': 'imagin' is none of" in done.output
