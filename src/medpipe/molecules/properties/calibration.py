"""How certain a prediction is: spread of the members to a standard deviation, logits to probabilities; from val."""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

_MIN_OF_A_CLASS = 5
"""With fewer molecules of either class in val, logits are left as they are."""
_MIN_SHARE = 1e-3  # of the error's variance: the least that a calibrated variance has


def fit_deviation(errors: FloatArray, spread: FloatArray, variance: float) -> tuple[float, float]:
    """Variance of a prediction = a spread^2 + b, with the a and b under which the errors are most likely (normal).

    The offset is what all members miss alike, such as the noise of the measurement. After Levi et al., "Evaluating and
    calibrating uncertainty prediction in regression tasks" (Sensors, 2022), who scale; the offset is ours.

    Args:
        errors: Of val, (n,).
        spread: Standard deviation over the members, (n,).
        variance: Of the target in train: that of a prediction of which val says nothing.

    Returns:
        a and b, neither below 0.
    """
    from scipy.optimize import minimize

    square, spread2 = errors**2, spread**2
    unit = float(square.mean()) if len(errors) and square.any() else variance
    if not len(errors) or not spread2.any():
        return 0.0, unit
    relative = spread2 / spread2.mean()

    def likelihood(shares: FloatArray) -> float:
        expected = unit * (shares[0] * relative + shares[1])
        return float(np.mean(np.log(expected) + square / expected))

    found = minimize(likelihood, [0.5, 0.5], bounds=[(0, None), (_MIN_SHARE, None)], method="L-BFGS-B")
    return float(found.x[0] * unit / spread2.mean()), float(found.x[1] * unit)


def fit_logits(logits: FloatArray, targets: FloatArray) -> tuple[float, float]:
    """Slope and intercept under which logits of val become probabilities (Platt, 1999, with his smoothed targets).

    Args:
        logits: (n,).
        targets: 0 or 1, (n,).

    Returns:
        Slope above 0, and intercept; (1, 0) where val cannot say.
    """
    from sklearn.linear_model import LogisticRegression

    n_positive = int(targets.sum())
    n_negative = len(targets) - n_positive
    if min(n_positive, n_negative) < _MIN_OF_A_CLASS:
        return 1.0, 0.0
    smooth = np.where(targets == 1, (n_positive + 1) / (n_positive + 2), 1 / (n_negative + 2))
    # Logistic regression takes classes, not shares: each molecule enters once as either, weighted by its share
    model = LogisticRegression(C=np.inf).fit(
        np.tile(logits, 2)[:, None], np.repeat([1, 0], len(logits)), np.concatenate([smooth, 1 - smooth])
    )
    slope = float(model.coef_[0, 0])
    return (slope, float(model.intercept_[0])) if slope > 0 else (1.0, 0.0)
