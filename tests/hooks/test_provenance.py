import os
import pwd
import sys
from pathlib import Path

from medpipe.hooks.provenance import run_tags
from medpipe.schedule.processes import JOB_VARIABLE, RUN_VARIABLE


def test_a_scheduled_run_is_tagged_with_its_job(monkeypatch):
    monkeypatch.setenv(JOB_VARIABLE, "imaging_weekly")
    monkeypatch.setenv(RUN_VARIABLE, "cafe01")
    tags = run_tags("imaging", None, Path())
    assert (tags["schedule"], tags["schedule.run"]) == ("imaging_weekly", "cafe01")


def test_another_run_is_not(monkeypatch):
    monkeypatch.delenv(JOB_VARIABLE, raising=False)
    assert "schedule" not in run_tags("imaging", None, Path())


def test_the_command_is_kept_without_passwords(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["kedro", "run", "--params=smiles_source.path=http://me:s3cr3t@host/x"])
    command = run_tags("molecules", "test", tmp_path)["kedro.command"]
    assert command == "kedro run --params=smiles_source.path=http://me:***@host/x"


def test_a_user_without_a_name_is_told_by_number(tmp_path, monkeypatch):
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", lambda number: {}[number])
    assert run_tags("molecules", "test", tmp_path)["mlflow.user"] == str(os.getuid())
