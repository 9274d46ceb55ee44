import shutil
import subprocess
import sys

import pytest

from medpipe.schedule.export import UNIT, crontab_lines, systemd_unit
from medpipe.schedule.jobs import Job
from tests.schedule.fakes import make_job

AWKWARD = "a project of 100 %s & $HOME"


@pytest.fixture
def awkward(tmp_path):
    folder = tmp_path / AWKWARD
    folder.mkdir()
    return folder


def test_the_unit_names_everything_by_its_full_path(project):
    unit = systemd_unit(project, "lidc", user="trainer")
    assert f"WorkingDirectory={project}\n" in unit
    assert f"ExecStart={sys.executable} -m medpipe schedule run --env=lidc\n" in unit
    lines = ("User=trainer", "Restart=on-failure", "KillMode=mixed", "OOMPolicy=continue", "WantedBy=multi-user.target")
    for line in lines:
        assert f"\n{line}\n" in unit


def test_systemd_takes_the_unit(awkward, tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not here")
    file = tmp_path / UNIT
    file.write_text(systemd_unit(awkward))
    done = subprocess.run(["systemd-analyze", "verify", file], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert UNIT not in done.stderr  # no warning about it either


def test_passwords_of_the_environment_stay_there(project, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    text = systemd_unit(project) + crontab_lines(project, {})
    assert "hidden" not in text
    assert 'Environment="OMP_NUM_THREADS=2"' in text
    assert "\nOMP_NUM_THREADS=2\n" in text


def test_one_line_of_crontab_a_job(project):
    jobs = {
        "weekly": make_job("imaging", cron="0 3 * * sun"),
        "seconds": make_job("imaging", cron="*/2 * * * * *"),
        "off": make_job("imaging", enabled=False, cron="0 3 * * *"),
    }
    lines = crontab_lines(project, {name: Job(**job) for name, job in jobs.items()}, "lidc").splitlines()
    command = f"{sys.executable} -m medpipe schedule once weekly --env=lidc >> data/.schedule/cron.log 2>&1"
    assert f"0 3 * * sun cd {project} && mkdir -p data/.schedule && {command}" in lines
    assert [line for line in lines if line.startswith(("# seconds:", "# off:"))] == [
        "# seconds: '*/2 * * * * *' has seconds, which cron does not know",
        "# off: switched off",
    ]


def test_a_shell_runs_the_line_of_an_awkward_folder(awkward):
    (line,) = [
        line
        for line in crontab_lines(awkward, {"weekly": Job(**make_job("imaging", cron="0 3 * * sun"))}).splitlines()
        if line.startswith("0 3")
    ]
    command = line.removeprefix("0 3 * * sun ").replace("\\%", "%")  # which cron does
    done = subprocess.run(["sh", "-n", "-c", command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    subprocess.run(["sh", "-c", command.replace(" once ", " export ")], check=False)  # ends with a message at once
    assert "systemd" in (awkward / "data" / ".schedule" / "cron.log").read_text()
