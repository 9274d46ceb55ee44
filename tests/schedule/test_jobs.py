import pytest
from kedro.framework.cli.project import _split_params

from medpipe.core.errors import InputError
from medpipe.schedule.jobs import Job, Retries, load_jobs
from tests.schedule.fakes import make_job, write_jobs
from tests.scratch import PROJECT

WEEKLY = {"cron": "0 3 * * sun", "pipelines": ["imaging"]}


@pytest.mark.parametrize("env", [None, "test"])
def test_the_project_s_own_schedules_are_right(env):
    from kedro.framework.project import configure_project, pipelines

    configure_project("medpipe")
    assert load_jobs(PROJECT, env, list(pipelines))


def test_an_environment_changes_single_jobs(project):
    write_jobs(project, {"a": make_job("imaging"), "b": make_job("molecules")})
    (project / "conf" / "test" / "schedules.yml").write_text("b: {cron: '* * * * * *', pipelines: [imaging]}\n")
    jobs = load_jobs(project, "test")
    assert [jobs["a"].pipelines, jobs["b"].pipelines] == [("imaging",), ("imaging",)]
    assert jobs["b"].min_new == 1


@pytest.mark.parametrize(
    ("job", "field", "value"),
    [
        ({**WEEKLY, "cron": "0 3 * *"}, "cron", "0 3 * *"),
        ({**WEEKLY, "cron": "0 3 30 2 *"}, "cron", "never due"),
        ({**WEEKLY, "pipelines": []}, "pipelines", "[]"),
        ({**WEEKLY, "pipelines": ["imagin"]}, "pipelines", "'imagin' is none of imaging, molecules"),
        ({"cron": "0 3 * * *"}, "pipelines", "required"),
        ({**WEEKLY, "timeout": 5}, "timeout", "5"),
        ({**WEEKLY, "timeout_s": -5}, "timeout_s", "-5"),
        ({**WEEKLY, "misfire_grace_s": float("inf")}, "misfire_grace_s", "inf"),
        ({**WEEKLY, "retries": {"factor": 1e300}}, "retries.factor", "1e+300"),
        ({**WEEKLY, "min_new": 0.5}, "min_new", "0.5"),
        ({**WEEKLY, "retries": {"times": -1}}, "retries.times", "-1"),
        ({**WEEKLY, "retries": {"first_wait_s": 9, "longest_wait_s": 3}}, "", "longest_wait_s 3"),
        ({**WEEKLY, "env": "nowhere"}, "env", "'nowhere'"),
        ({**WEEKLY, "parameters": {"trian.trainer.seed": 1}}, "parameters", "'trian'"),
        ({**WEEKLY, "parameters": {"train.names": [1, 2]}}, "parameters", "train.names is [1, 2]"),
        ("weekly", "", "'weekly'"),
    ],
)
def test_a_bad_job_is_told_by_name_field_and_value(project, job, field, value):
    write_jobs(project, {"good": WEEKLY, "nightly": job})
    with pytest.raises(InputError, match=r"schedules\.yml: job 'nightly'") as error:
        load_jobs(project, pipelines=["imaging", "molecules"])
    assert field in str(error.value)
    assert value in str(error.value)
    assert "'good'" not in str(error.value)


@pytest.mark.parametrize("text", ["a: {cron: [", "a: {cron: '* * * * *', pipelines: [x]}\na: {}", None])
def test_a_file_that_cannot_be_read_is_named(project, text):
    if text is not None:
        (project / "conf" / "base" / "schedules.yml").write_text(text)
    with pytest.raises(InputError, match=r"schedules\.yml"):
        load_jobs(project)


def test_an_unknown_environment_is_told(project):
    write_jobs(project, {"a": WEEKLY})
    with pytest.raises(InputError, match="'nowhere'"):
        load_jobs(project, "nowhere")


def test_kedro_reads_the_options_back():
    parameters = {"train": {"rate": 1e-3, "name": "007"}, "train.flag": True, "other": None, "text": "a=b: c"}
    job = Job(cron="0 3 * * *", pipelines=("imaging",), parameters=parameters)
    *_, env, params = job.run_options("imaging", "test")
    read = _split_params(None, None, params.removeprefix("--params="))
    assert env == "--env=test"
    assert read == job.nested_parameters()
    assert read["train"] == {"rate": 1e-3, "name": "007", "flag": True}


def test_a_job_s_own_environment_wins():
    job = Job(cron="0 3 * * *", pipelines=("imaging",), env="lidc")
    assert job.run_options("imaging", "test") == ["--pipeline=imaging", "--env=lidc"]


def test_waits_grow_and_end():
    retries = Retries(times=4, first_wait_s=10, factor=3, longest_wait_s=60)
    assert [retries.wait_s(attempt) for attempt in range(1, 6)] == [10, 30, 60, 60, None]
