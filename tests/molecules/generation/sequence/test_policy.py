import pytest
import torch

from medpipe.molecules.generation.sequence.policy import (
    leave_one_out_advantages,
    policy_loss,
    returns,
    token_rewards,
    verdicts,
)

SAID = torch.tensor([[True, True, True], [True, False, False]])


def test_the_verdict_is_that_of_the_last_token() -> None:
    assert verdicts(torch.tensor([[1.0, 2, 3], [4, 5, 6]]), SAID).tolist() == [3, 4]


def test_rewards_add_up_to_the_worth_of_the_whole() -> None:
    worth = torch.randn(2, 3)
    rewards = token_rewards(worth, SAID)
    torch.testing.assert_close(rewards.sum(1), verdicts(worth, SAID))
    assert rewards[~SAID].tolist() == [0, 0]


@pytest.mark.parametrize(("decay", "expected"), [(0.0, [1, 2, 4]), (1.0, [7, 6, 4]), (0.5, [3, 4, 4])])
def test_returns(decay: float, expected: list[float]) -> None:
    assert returns(torch.tensor([[1.0, 2, 4]]), decay).tolist() == [expected]


def test_the_baseline_is_the_mean_of_the_others() -> None:
    gains = torch.tensor([[1.0, 5.0], [2.0, 9.0], [6.0, 0.0]])
    said = torch.tensor([[True, True], [True, True], [True, False]])
    assert leave_one_out_advantages(gains, said).tolist() == [[-3.0, -4.0], [-1.5, 4.0], [4.5, 0.0]]


def test_a_molecule_alone_at_a_token_learns_nothing_there() -> None:
    assert leave_one_out_advantages(torch.ones(2, 3), SAID)[:, 1:].tolist() == [[0, 0], [0, 0]]


def test_the_policy_gradient_is_right_on_a_problem_with_a_known_gradient() -> None:
    """For one token of a categorical distribution the gradient of the expected reward is p * (r - E r)."""
    torch.manual_seed(0)
    logits, reward = torch.tensor([0.1, -0.4, 0.8], requires_grad=True), torch.tensor([1.0, 3.0, -2.0])
    probabilities = logits.detach().softmax(0)
    tokens = torch.multinomial(probabilities, 200_000, replacement=True)
    said = torch.ones(len(tokens), 1, dtype=torch.bool)
    advantages = leave_one_out_advantages(reward[tokens][:, None], said)
    policy_loss(logits.log_softmax(0)[tokens][:, None], advantages).backward()
    expected = probabilities * (reward - probabilities @ reward)
    torch.testing.assert_close(-logits.grad, expected, atol=0.01, rtol=0)
