"""ChemNet: the 512 numbers by which the Fréchet ChemNet distance sees a molecule (Preuer et al., JCIM 58, 1736, 2018).

The weights ship with the package ``fcd-torch``; they are read as plain tensors (``weights_only``), and none of that
package's code runs. Two strided convolutions without bias read the SMILES string, one symbol a position, padded to 350;
one LSTM reads their output from the padding backwards, a second one forwards again, and its last state is the answer.

Blank positions give exact zeros after the convolutions. The first LSTM therefore goes through the same states for
every molecule until it meets the string, and the second sees the same input after the string: these parts are computed
once, not once a molecule. Molecules are batched by length, so no batch pads beyond its longest string.
"""

import re
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from medpipe.core.progress import track

if TYPE_CHECKING:
    import torch

N_POSITIONS = 350
N_STEPS = 88  # 350 positions after two strides of 2
N_FEATURES = 512
_SYMBOLS = (
    *("C", "N", "O", "H", "F", "Cl", "P", "B", "Br", "S", "I", "Si"),
    *("#", "(", ")", "+", "-", "1", "2", "3", "4", "5", "6", "7", "8", "=", "[", "]", "@"),
    *("c", "n", "o", "s", "X", "."),
)
_ID = {symbol: i for i, symbol in enumerate(_SYMBOLS)}
_UNKNOWN, _END = _ID["X"], _ID["."]
_TWO_LETTERS = re.compile(r".[ril]|.", re.DOTALL)  # Br, Cl, Si: a letter with r, i or l after it
_WEIGHTS = "ChemNet_v0.13_pretrained.pt"
_STRIDE, _KERNEL = 2, 4


def encode(smiles: str) -> list[int]:
    """Symbol numbers of a SMILES string with the end mark; of several molecules joined by dots, only the first."""
    symbols = _TWO_LETTERS.findall(smiles.split(".")[0])[: N_POSITIONS - 1]
    return [_ID.get(symbol, _UNKNOWN) for symbol in symbols] + [_END]


def weights_path() -> Path:
    """The file of ChemNet's weights in the installed package ``fcd-torch``.

    Raises:
        FileNotFoundError: If the package is not installed.
    """
    spec = find_spec("fcd_torch")
    path = Path(spec.submodule_search_locations[0], _WEIGHTS) if spec and spec.submodule_search_locations else None
    if path is None or not path.exists():
        raise FileNotFoundError(f"{_WEIGHTS}: not found; the Fréchet ChemNet distance needs the package fcd-torch")
    return path


def activations(smiles: Sequence[str], *, device: str = "cpu", batch: int = 512) -> npt.NDArray[np.float32]:
    """ChemNet's activations of canonical SMILES strings.

    Args:
        smiles: Canonical SMILES, (n,).
        device: Device of torch.
        batch: Molecules at a time.

    Returns:
        (n, 512).
    """
    import torch

    network = _network(device)
    encoded = [encode(text) for text in smiles]
    order = sorted(range(len(encoded)), key=lambda i: len(encoded[i]))
    batches = [
        rows[start : start + batch]
        for _, group in groupby(order, key=lambda i: n_filled_steps(len(encoded[i])))
        for rows in [list(group)]
        for start in range(0, len(rows), batch)
    ]
    result = np.empty((len(encoded), N_FEATURES), dtype=np.float32)
    with torch.inference_mode():
        for rows in track(batches, "ChemNet", len(encoded), size=len):
            result[rows] = network.read([encoded[i] for i in rows]).cpu().numpy()
    return result


def n_filled_steps(length: int) -> int:
    """Steps after both convolutions that see a string of ``length`` symbols; the rest is blank."""
    return min((length // _STRIDE + 1) // _STRIDE + 1, N_STEPS)


@cache
def _network(device: str) -> "ChemNet":
    import torch

    return ChemNet(torch.load(weights_path(), weights_only=True, map_location="cpu"), device)


class ChemNet:
    """The network, for batches of strings with the same number of filled steps.

    Args:
        layers: ``(kind, (weights, arguments, other))`` for each layer as stored by fcd-torch: two convolutions and
            two LSTMs.
        device: Device of torch.
    """

    def __init__(self, layers: Sequence[Any], device: str) -> None:
        import torch

        states = [{name: tensor.to(device) for name, tensor in state.items()} for _, (state, _, _) in layers]
        self.device = device
        self._kernels = [state["weight"] for state in states[:2]]
        self._first, self._second = (_Lstm(state) for state in states[2:])
        with torch.inference_mode():
            blank = torch.zeros(1, self._first.n_inputs, device=device)
            step = self._first.project(blank)
            self._blank_states = [self._first.start(1)]
            for _ in range(N_STEPS):
                self._blank_states.append(self._first.step(step, self._blank_states[-1]))

    def read(self, encoded: Sequence[Sequence[int]]) -> "torch.Tensor":
        """Activations (b, 512) of ``b`` strings that fill the same number of steps."""
        import torch

        n, filled = len(encoded), n_filled_steps(max(map(len, encoded)))
        outputs = self._first_outputs(self._convolve(self._one_hot(encoded))[:, :, :filled], filled)
        state = self._second.start(n)
        for step in range(filled):
            state = self._second.step(self._second.project(outputs[step]), state)
        if filled < N_STEPS:
            blank = torch.cat([self._blank_states[N_STEPS - step][0] for step in range(filled, N_STEPS)])
            for gates in self._second.project(blank):
                state = self._second.step(gates, state)
        return state[0]

    def _one_hot(self, encoded: Sequence[Sequence[int]]) -> "torch.Tensor":
        """(b, 35, 350): 1/35 where a symbol stands."""
        import torch

        rows = np.repeat(np.arange(len(encoded)), [len(text) for text in encoded])
        positions = np.concatenate([np.arange(len(text)) for text in encoded])
        values = np.zeros((len(encoded), len(_SYMBOLS), N_POSITIONS), dtype=np.float32)
        values[rows, np.concatenate([np.asarray(text) for text in encoded]), positions] = 1 / len(_SYMBOLS)
        return torch.from_numpy(values).to(self.device)

    def _convolve(self, values: "torch.Tensor") -> "torch.Tensor":
        """(b, 32, 88): two convolutions of stride 2 and kernel 4, padded as in Keras ("same"), each with SELU."""
        from torch.nn.functional import conv1d, pad, selu

        for kernel in self._kernels:
            missing = _KERNEL - (values.shape[2] % _STRIDE or _STRIDE)
            values = selu(conv1d(pad(values, (missing // 2, missing - missing // 2)), kernel, stride=_STRIDE))
        return values

    def _first_outputs(self, values: "torch.Tensor", filled: int) -> list["torch.Tensor"]:
        """Outputs (b, 128) of the first LSTM at each filled step, which it reads from the last to the first."""
        n = values.shape[0]
        hidden, cell = self._blank_states[N_STEPS - filled]
        state = (hidden.expand(n, -1), cell.expand(n, -1))
        outputs = []
        for step in reversed(range(filled)):
            state = self._first.step(self._first.project(values[:, :, step]), state)
            outputs.append(state[0])
        return outputs[::-1]


class _Lstm:
    """One LSTM layer, a step at a time."""

    def __init__(self, state: dict[str, "torch.Tensor"]) -> None:
        self._input = state["weight_ih_l0"].T.contiguous()
        self._recurrent = state["weight_hh_l0"].T.contiguous()
        self._bias = state["bias_ih_l0"] + state["bias_hh_l0"]
        self.n_inputs = self._input.shape[0]

    def start(self, n: int) -> tuple["torch.Tensor", "torch.Tensor"]:
        """Hidden and cell state (n, h) before the first step."""
        zeros = self._recurrent.new_zeros(n, self._recurrent.shape[0])
        return zeros, zeros

    def project(self, values: "torch.Tensor") -> "torch.Tensor":
        """What the input adds to the gates, (n, 4 h)."""
        return values @ self._input + self._bias

    def step(
        self, gates: "torch.Tensor", state: tuple["torch.Tensor", "torch.Tensor"]
    ) -> tuple["torch.Tensor", "torch.Tensor"]:
        """Next hidden and cell state; ``gates`` is (n, 4 h), or (4 h,) for all alike."""
        import torch

        hidden, cell = state
        into, forget, new, out = torch.addmm(gates, hidden, self._recurrent).chunk(4, dim=1)
        cell = torch.sigmoid(forget) * cell + torch.sigmoid(into) * torch.tanh(new)
        return torch.sigmoid(out) * torch.tanh(cell), cell
