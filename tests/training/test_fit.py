import signal
import subprocess
import sys

import pandas as pd
import pytest
import torch

from medpipe.training.fit import LAST
from tests.training.regression import VALIDATE_EVERY, Regression, course, train


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> tuple[Regression, pd.DataFrame]:
    return train(tmp_path_factory.mktemp("whole"))


def kill(folder, step: int, checkpoint_every: int = 5) -> None:
    """A training in a process of its own, which SIGKILL ends at a step."""
    command = [sys.executable, "-m", "tests.training.regression", str(folder), str(step), str(checkpoint_every)]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


def assert_same_state(one: torch.nn.Module, other: torch.nn.Module) -> None:
    torch.testing.assert_close(dict(one.state_dict()), dict(other.state_dict()), rtol=0, atol=0)


def test_history_holds_every_logged_value(whole):
    losses = course(whole[1], "loss")
    assert list(whole[1].columns) == ["step", "name", "value"]
    assert losses["step"].tolist() == list(range(30))
    assert losses["value"].iloc[-5:].mean() < losses["value"].iloc[:5].mean()
    assert course(whole[1], "val_loss")["step"].tolist() == [3, 7, 11, 15, 19, 23, 27]


@pytest.mark.parametrize(("step", "checkpoint_every"), [(17, 5), (9, VALIDATE_EVERY)])
def test_a_killed_training_goes_on_to_the_same_weights_and_history(tmp_path, whole, step: int, checkpoint_every: int):
    """Killed within an epoch, and with the last checkpoint where validation was due."""
    kill(tmp_path, step, checkpoint_every)
    resumed, history = train(tmp_path, checkpoint_every_n_steps=checkpoint_every)
    assert len(resumed.seen) == 30 - (step - step % checkpoint_every)
    assert_same_state(resumed, whole[0])
    pd.testing.assert_frame_equal(course(history), course(whole[1]))


def test_checkpoints_of_another_run_are_not_used(tmp_path):
    train(tmp_path, max_steps=6)
    assert (tmp_path / LAST).exists()
    _, history = train(tmp_path, max_steps=6, run_key="b")
    assert course(history, "loss")["step"].tolist() == list(range(6))


def test_speed_is_in_the_history(tmp_path):
    _, history = train(tmp_path, log_every_n_steps=5)
    speed = history[history["name"].str.startswith("speed_")].pivot(index="step", columns="name", values="value")
    assert speed.index.tolist() == [4, 9, 14, 19, 24, 29]
    torch.testing.assert_close(
        torch.tensor(speed["speed_samples_per_s"].to_numpy()), torch.tensor(8 * speed["speed_steps_per_s"].to_numpy())
    )
    assert speed["speed_data_wait_share"].between(0, 1).all()


def test_slow_data_show_in_the_share_of_waiting(tmp_path, monkeypatch):
    import time

    from tests.training.regression import Numbers

    read = Numbers.__getitem__
    monkeypatch.setattr(Numbers, "__getitem__", lambda self, step: (time.sleep(0.05), read(self, step))[1])
    _, history = train(tmp_path, max_steps=6, log_every_n_steps=6)
    assert course(history, "speed_data_wait_share")["value"].item() > 0.5


def test_the_order_of_the_data_does_not_depend_on_the_workers(tmp_path, whole):
    """Nor does the chance of dropout, although a loader that starts draws a random number."""
    module, _ = train(tmp_path, n_workers=2)
    torch.testing.assert_close(module.seen, whole[0].seen, rtol=0, atol=0)
    assert_same_state(module, whole[0])


def test_compiled_training_learns_the_same_under_the_same_names(tmp_path):
    eager, compiled = (
        train(tmp_path / name, max_steps=6, compile=name == "compiled") for name in ("eager", "compiled")
    )
    assert list(compiled[0].state_dict()) == list(eager[0].state_dict())
    first = [course(history, "loss")["value"].iloc[0] for _, history in (eager, compiled)]
    assert first[0] == pytest.approx(first[1], rel=0.5)  # inductor draws other dropout masks


def test_a_compiled_training_resumes(tmp_path):
    train(tmp_path, max_steps=6, compile=True)
    resumed, history = train(tmp_path, max_steps=12, compile=True)
    assert len(resumed.seen) == 7
    assert course(history, "loss")["step"].tolist() == list(range(12))
