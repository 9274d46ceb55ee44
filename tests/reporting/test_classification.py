import numpy as np
import pandas as pd
import pytest

from medpipe.reporting.classification import classification_figure


@pytest.fixture
def table() -> pd.DataFrame:
    # Five positives of which three are called so, three negatives of which one is
    return pd.DataFrame(
        {
            "target": [1, 1, 1, 1, 1, 0, 0, 0],
            "class_probability": [0.95, 0.85, 0.7, 0.45, 0.2, 0.62, 0.3, 0.05],
            "positive": [True, True, True, False, False, True, False, False],
        }
    )


@pytest.fixture
def curve() -> pd.DataFrame:
    points = pd.DataFrame({"false_positive_rate": [0, 0, 1 / 3, 1 / 3, 1], "sensitivity": [0, 0.6, 0.6, 0.8, 1.0]})
    rates = np.linspace(0, 1, 11)
    band = pd.DataFrame({"false_positive_rate": rates, "sensitivity": rates, "low": rates / 2, "high": 1.0})
    return pd.concat([points, band], ignore_index=True)


METRICS = {"auc": 0.8, "auc_low": 0.5, "auc_high": 1.0, "brier": 0.19, "operating_threshold": 0.5}


def texts(axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_the_confusion_matrix_counts_every_finding(table, curve):
    confusion = classification_figure(METRICS, table, curve, classes=("benign", "malignant")).axes[2]
    assert texts(confusion) == ["2\n67%", "1\n33%", "2\n40%", "3\n60%"]
    assert [label.get_text() for label in confusion.get_yticklabels()] == ["benign", "malignant"]
    assert "0.50" in confusion.get_title()


def test_the_operating_point_lies_on_the_curve(table, curve):
    roc = classification_figure(METRICS, table, curve).axes[0]
    point = next(line for line in roc.lines if line.get_marker() == "o")
    assert (float(point.get_xdata()[0]), float(point.get_ydata()[0])) == pytest.approx((1 / 3, 3 / 5))
    assert "AUC 0.800 (0.500 to 1.000)" in roc.get_legend().get_texts()[1].get_text()


def test_reliability_shows_the_findings_of_each_bin(table, curve):
    reliability = classification_figure(METRICS, table, curve, n_bins=2).axes[1]
    assert texts(reliability) == ["4", "4"]
    means, shares = reliability.lines[1].get_data()
    np.testing.assert_allclose(means, [(0.45 + 0.2 + 0.3 + 0.05) / 4, (0.95 + 0.85 + 0.7 + 0.62) / 4])
    np.testing.assert_allclose(shares, [0.5, 0.75])


def test_reliability_of_few_findings_has_a_wide_interval(table, curve):
    reliability = classification_figure(METRICS, table, curve, n_bins=2).axes[1]
    intervals = np.array([segment[:, 1] for segment in reliability.collections[0].get_segments()])
    # Two of four and three of four, by scipy.stats.binomtest(k, 4).proportion_ci(method="wilson").
    np.testing.assert_allclose(intervals, [[0.15003899, 0.84996101], [0.30064184, 0.95441274]], atol=1e-4)


def test_one_class_only_says_that_there_is_no_curve(table, curve):
    figure = classification_figure({"operating_threshold": 0.5}, table[table["target"] == 0], curve.iloc[:0])
    assert any("not defined" in text for text in texts(figure.axes[0]))
    assert texts(figure.axes[2])[2:] == ["none", "none"]
