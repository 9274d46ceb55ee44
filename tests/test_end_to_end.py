"""Both pipelines through the real command line, with conf/test, on generated scans and real molecules."""

import json
import subprocess
import sys

import pandas as pd
import pytest

from tests.scratch import kedro, nodes_that_ran

IMAGING = ["provide_ct", "ingest_ct", "preprocess", "train_cnn", "train_reducer", "detect", "evaluate"]
TASKS = {
    "segmentation": ["train_segmenter", "segment", "evaluate_segmentation"],
    "classification": ["train_classifier", "classify", "evaluate_classification"],
    "findings": ["keep_models", "find_instances", "evaluate_instances", "write_report"],
}
MOLECULES = ["provide_smiles", "ingest_smiles", "encode", "train_gan", "sample", "score_novelty"]
CONTROL = ["train_gan", "sample_control", "score_control", "compare_with_control"]


def reporting(project, name):
    return project / "data" / "test" / "08_reporting" / name


def test_registry_lists_the_pipelines(project):
    done = kedro(project, "registry", "list")
    assert {"imaging", "imaging_cv", "imaging_inference", "molecules", "__default__"} <= set(done.stdout.split())


def test_imaging_runs_in_order_and_measures(project, imaging):
    ran = nodes_that_ran(imaging.output)
    assert [name for name in ran if name in IMAGING] == IMAGING
    metrics = json.loads(reporting(project, "detection_metrics.json").read_text())
    assert 0 <= metrics["cpm_low"] <= metrics["cpm"] <= metrics["cpm_high"] <= 1
    assert {"untrained_cpm", "sensitivity", "precision", "fp_per_scan"} <= set(metrics)


@pytest.mark.parametrize("task", TASKS)
def test_the_other_tasks_run_in_order(imaging, task):
    assert [name for name in nodes_that_ran(imaging.output) if name in TASKS[task]] == TASKS[task]


def test_segmentation_and_classification_are_measured(project, imaging):
    found = {
        name: json.loads(reporting(project, f"{name}_metrics.json").read_text())
        for name in ("segmentation", "instance", "classification")
    }
    assert 0 <= found["segmentation"]["roi_dice"] <= 1
    assert found["instance"]["n_detected"] + found["instance"]["n_missed"] == found["instance"]["n_findings"]
    assert found["classification"]["n_findings"] > 0


def test_the_report_is_one_page(project, imaging):
    page = reporting(project, "imaging_report.html").read_text()
    assert page.lstrip().lower().startswith("<!doctype html>")
    assert "PHANTOM-" not in page


@pytest.mark.parametrize("order", [MOLECULES, CONTROL])
def test_molecules_run_in_order(molecules, order):
    assert [name for name in nodes_that_ran(molecules.output) if name in order] == order


def test_generator_and_control_are_measured_alike(project, molecules):
    found, control = (
        json.loads(reporting(project, f"{name}_metrics.json").read_text()) for name in ("generation", "control")
    )
    assert {"valid", "valid_low", "novelty", "FCD_Test", "FCD_Test_floor", "SNN_Test", "IntDiv"} <= set(found)
    assert found["n"] == control["n"]
    comparison = pd.read_parquet(reporting(project, "generation_comparison.parquet")).set_index("metric")
    assert comparison.difference["valid"] == pytest.approx(found["valid"] - control["valid"])


def test_the_product_holds_what_is_novel_and_the_sample_all(project, molecules):
    folder = project / "data" / "test" / "07_model_output"
    generated, novel = (pd.read_parquet(folder / f"{name}.parquet") for name in ("generated", "novel_molecules"))
    counts = json.loads(reporting(project, "novel_metrics.json").read_text())
    found = json.loads(reporting(project, "generation_metrics.json").read_text())
    assert len(generated) == counts["n_drawn"] == found["n"]
    assert len(novel) == counts["n_kept"]
    assert counts["n_kept"] == pytest.approx(found["novelty"] * found["n_distinct"])
    assert "unfiltered" in generated.attrs["product"]
    assert "novel and valid only" in novel.attrs["product"]


def test_the_report_of_molecules_is_one_page(project, molecules):
    page = reporting(project, "molecules_report.html").read_text()
    assert page.lstrip().lower().startswith("<!doctype html>")
    assert "likelihood control" in page


@pytest.mark.parametrize(
    "name", ["ct_scans", "froc", "hits", "misses", "false_alarms", "segmentation", "classification"]
)
def test_imaging_draws(project, imaging, name):
    assert reporting(project, f"{name}.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "name",
    ["molecules", "nearest_train", "properties", "chemical_space", "generation_comparison", "generator_training"],
)
def test_molecules_draw(project, molecules, name):
    assert reporting(project, f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_summary_shows_nodes_and_results(imaging):
    assert "What ran" in imaging.output
    assert "detection_metrics: cpm" in imaging.output


def test_second_run_of_everything_does_no_work_twice(project, imaging, molecules):
    done = kedro(project, "run", "--env=test")
    assert done.returncode == 0, done.stdout
    assert nodes_that_ran(done.stdout) == []


def test_one_parameter_redoes_only_what_depends_on_it(project, imaging):
    done = kedro(project, "run", "--pipeline=imaging", "--env=test", "--params=evaluate.n_bootstraps=50")
    assert done.returncode == 0, done.stdout
    ran = set(nodes_that_ran(done.stdout))
    assert {"evaluate"} <= ran <= {"evaluate", "draw_froc", "draw_findings", "write_report"}


def test_a_task_runs_alone(project, imaging):
    done = kedro(
        project, "run", "--pipeline=imaging", "--env=test", "--namespaces=classification",
        "--params=evaluate_classification.n_bootstraps=50",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    ran = set(nodes_that_ran(done.stdout))
    assert {"evaluate_classification"} <= ran <= {"evaluate_classification", "draw_classification"}
    assert "detection." not in done.stdout


def test_from_nodes_starts_there(project, molecules):
    done = kedro(project, "run", "--pipeline=molecules", "--env=test", "--from-nodes=score_novelty")
    assert done.returncode == 0, done.stdout
    assert "score_novelty (1 of " in done.stdout
    assert "provide_smiles" not in done.stdout


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ("train_cnn.no_such_name=1", "no_such_name"),
        ("preprocess.spacing_mm=-1", "spacing_mm"),
        ("sample.temperature=0", "temperature"),
    ],
)
def test_bad_parameter_stops_before_the_run_with_its_name(project, params, said):
    done = kedro(project, "run", "--env=test", f"--params={params}")
    assert done.returncode != 0
    assert said in done.stdout
    assert nodes_that_ran(done.stdout) == []


def test_missing_folder_is_named(project):
    done = kedro(project, "run", "--pipeline=imaging", "--env=test", "--params=ct_source.folder=/no/such/folder")
    assert done.returncode != 0
    assert "/no/such/folder" in done.stdout


PREDICT = """
import sys, mlflow
mlflow.set_tracking_uri(sys.argv[1])
models = mlflow.search_logged_models(output_format="list", filter_string=f"name = '{sys.argv[2]}'")
model = mlflow.pyfunc.load_model(f"models:/{models[0].model_id}")
example = model.input_example
result = model.predict(example)
print("ROWS", len(result), list(result.columns))
"""


@pytest.mark.parametrize(("name", "column"), [("nodule_models", "probability"), ("generator_checkpoint", "smiles")])
def test_logged_model_predicts_in_a_fresh_process(project, imaging, molecules, name, column):
    done = subprocess.run(
        [sys.executable, "-c", PREDICT, f"sqlite:///{project / 'mlflow.db'}", name],
        cwd=project.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "ROWS" in done.stdout
    assert column in done.stdout


def test_viz_is_built_with_previews_and_run_status(project, imaging, molecules):
    done = kedro(project, "viz", "build", "--include-previews", KEDRO_ENV="test")
    assert done.returncode == 0, done.stdout
    nodes = json.loads((project / "build" / "api" / "main").read_text())["nodes"]
    assert {"train_cnn", "train_gan"} <= {node["name"].rsplit(".")[-1] for node in nodes}
    shown = [json.loads(file.read_text()) for file in (project / "build" / "api" / "nodes").iterdir()]
    previews = {node["preview_type"] for node in shown if node.get("preview")}
    assert {"ImagePreview", "TablePreview"} <= previews
    status = json.loads((project / "build" / "api" / "run-status").read_text())
    assert status["nodes"]
    assert {*status["nodes"], *status["datasets"]} <= {node["id"] for node in nodes}
