"""Real requests over HTTP to real servers."""

import io
import json
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import mlflow
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests
from mlflow.pyfunc.scoring_server.client import ScoringServerClient

from tests.nodules.findings.networks import N_CANDIDATES
from tests.serving.server.conftest import zipped
from tests.serving.server.http_server import Server, worker_of
from tests.serving.server.test_archive_rules import GOOD, archive

ZIP = {"Content-Type": "application/zip"}
JSON = {"Content-Type": "application/json"}
CSV = {"Content-Type": "text/csv"}
PARQUET = {"Content-Type": "application/vnd.apache.parquet"}
SHORT_SCAN = 6
"""Slices of a scan that intake refuses."""


def refused(response: requests.Response) -> dict[str, Any]:
    """The error of an answer that tells nothing of the server."""
    for told in ("Traceback", "site-packages", "/work", "/tmp", ".py"):
        assert told not in response.text
    error: dict[str, Any] = response.json()["error"]
    return error


def split(columns: list[str], *rows: list[object]) -> dict[str, Any]:
    return {"json": {"dataframe_split": {"columns": columns, "data": list(rows)}}}


def parquet(table: pd.DataFrame) -> bytes:
    stream = io.BytesIO()
    table.to_parquet(stream)
    return stream.getvalue()


class Bad(NamedTuple):
    """A bad request and its answer."""

    kind: str
    path: str
    request: dict[str, Any]
    status: int
    code: str
    field: str | None = None


NESTED = b'{"a":' * 10_000
BAD = {
    "other type": Bad("generator", "/molecules", {"data": "n=3"}, 415, "unsupported_content_type"),
    "no type": Bad("generator", "/invocations", {"data": b"{}"}, 415, "unsupported_content_type"),
    "charset": Bad(
        "generator",
        "/invocations",
        {"data": b"{}", "headers": {"Content-Type": "application/json; charset=latin-1"}},
        415,
        "unsupported_content_type",
    ),
    "no JSON": Bad("generator", "/molecules", {"data": b'{"n": ', "headers": JSON}, 400, "bad_json"),
    "no UTF-8": Bad("generator", "/molecules", {"data": b'{"n": "\xff"}', "headers": JSON}, 400, "bad_json"),
    "deep JSON": Bad("generator", "/molecules", {"data": NESTED, "headers": JSON}, 400, "bad_json"),
    "long JSON": Bad("generator", "/molecules", {"data": b" " * 70_000, "headers": JSON}, 413, "body_too_large"),
    "empty": Bad("generator", "/molecules", {"headers": JSON}, 400, "bad_json"),
    "a list": Bad("generator", "/molecules", {"json": [1]}, 422, "bad_value"),
    "unknown field": Bad("generator", "/molecules", {"json": {"n": 1, "sed": 1}}, 422, "unknown_field", "sed"),
    "missing field": Bad("generator", "/molecules", {"json": {"seed": 1}}, 422, "missing_field", "n"),
    "no molecule": Bad("generator", "/molecules", {"json": {"n": 0}}, 422, "bad_value", "n"),
    "text as number": Bad("generator", "/molecules", {"json": {"n": "3"}}, 422, "bad_value", "n"),
    "huge seed": Bad("generator", "/molecules", {"json": {"n": 1, "seed": 2**64}}, 422, "bad_value", "seed"),
    "cold": Bad("generator", "/molecules", {"json": {"n": 1, "temperature": 0}}, 422, "bad_value", "temperature"),
    "NaN": Bad("generator", "/molecules", {"data": b'{"n": 1, "top_p": NaN}', "headers": JSON}, 422, "bad_value"),
    "too many": Bad("generator", "/molecules", {"json": {"n": 1_000_001}}, 422, "too_many_molecules", "n"),
    "too many in rows": Bad(
        "generator",
        "/invocations",
        split(["n", "seed"], [600_000, 1], [600_000, 1]),
        422,
        "too_many_molecules",
        "n",
    ),
    "unknown column": Bad("generator", "/invocations", split(["n", "sed"], [1, 1]), 422, "unknown_field", "sed"),
    "missing column": Bad("generator", "/invocations", split(["n"], [1]), 422, "missing_field", "seed"),
    "text in a column": Bad("generator", "/invocations", split(["n", "seed"], [1, "x"]), 422, "wrong_type"),
    "negative in a column": Bad("generator", "/invocations", split(["n", "seed"], [-1, 1]), 422, "bad_input"),
    "nested value": Bad("generator", "/invocations", split(["n", "seed"], [[1], 1]), 422, "wrong_type"),
    "MLflow's JSON of no form": Bad("generator", "/invocations", {"json": {"rows": []}}, 400, "bad_request"),
    "MLflow's JSON cut": Bad("generator", "/invocations", {"data": b'{"a', "headers": JSON}, 400, "bad_request"),
    "MLflow's JSON deep": Bad("generator", "/invocations", {"data": NESTED, "headers": JSON}, 400, "bad_request"),
    "no rows": Bad("generator", "/invocations", split(["n", "seed"]), 422, "no_rows"),
    "the same column twice": Bad(
        "generator", "/invocations", split(["n", "n", "seed"], [1, 2, 1]), 422, "bad_value", "n"
    ),
    "parameters": Bad(
        "generator",
        "/invocations",
        {"json": {**split(["n", "seed"], [1, 1])["json"], "params": {"x": 1}}},
        422,
        "unknown_field",
        "params",
    ),
    "bad CSV": Bad("generator", "/invocations", {"data": b'n,seed\n"1', "headers": CSV}, 400, "bad_request"),
    "bad Parquet": Bad("generator", "/invocations", {"data": b"PAR1", "headers": PARQUET}, 400, "bad_request"),
    "too large": Bad("generator", "/invocations", {"data": bytes(1_100_000), "headers": CSV}, 413, "body_too_large"),
    "too large in chunks": Bad(
        "generator",
        "/invocations",
        {"data": lambda: iter([bytes(600_000)] * 2), "headers": CSV},
        413,
        "body_too_large",
    ),
    "no such path": Bad("generator", "/findings", {"json": {}}, 404, "not_found"),
    "no SMILES": Bad("properties", "/properties", {"json": {"smiles": []}}, 422, "bad_value", "smiles"),
    "number as SMILES": Bad("properties", "/properties", {"json": {"smiles": ["C", 1]}}, 422, "bad_value", "smiles.1"),
    "long SMILES": Bad(
        "properties", "/properties", {"json": {"smiles": ["C", "C" * 2001]}}, 422, "too_long", "smiles[1]"
    ),
    "no SMILES in a row": Bad("properties", "/invocations", split(["smiles"], ["C"], [None]), 422, "wrong_type"),
    "cut JSON of SMILES": Bad(
        "properties", "/properties", {"data": b'{"smiles": ["C', "headers": JSON}, 400, "bad_json"
    ),
    "many SMILES": Bad("properties", "/properties", {"json": {"smiles": ["C"] * 3001}}, 422, "too_many_rows"),
    "many rows": Bad("properties", "/invocations", split(["smiles"], *[["C"]] * 3001), 422, "too_many_rows"),
    "no archive": Bad("nodules", "/findings", {"data": b"scan", "headers": ZIP}, 400, "no_zip"),
    "traversal": Bad(
        "nodules", "/findings", {"data": archive(("../1.dcm", b"")), "headers": ZIP}, 422, "zip_traversal"
    ),
    "no scan": Bad("nodules", "/findings", {"data": archive(("a.txt", b"x")), "headers": ZIP}, 422, "no_scan"),
    "no DICOM": Bad("nodules", "/findings", {"data": GOOD, "headers": ZIP}, 422, "unreadable"),
    "form without a file": Bad(
        "nodules", "/findings", {"files": {}, "data": {"a": "b"}}, 415, "unsupported_content_type"
    ),
    "form with two files": Bad("nodules", "/findings", {"files": {"a": GOOD, "b": GOOD}}, 400, "bad_form"),
    "form of nothing": Bad(
        "nodules", "/findings", {"data": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 400, "bad_form"
    ),
    "path outside": Bad("nodules", "/findings", {"json": {"path": "../.."}}, 422, "bad_path", "path"),
    "path from the root": Bad("nodules", "/findings", {"json": {"path": "/etc"}}, 422, "bad_path", "path"),
    "path with a zero": Bad("nodules", "/findings", {"json": {"path": "a\x00"}}, 422, "bad_path", "path"),
    "empty path in a table": Bad(
        "nodules", "/invocations", split(["path"], [""], ["nowhere"]), 422, "bad_path", "path"
    ),
    "path in a table": Bad("nodules", "/invocations", split(["path"], ["/etc/passwd"]), 422, "bad_path", "path"),
    "scan that is none": Bad("nodules", "/invocations", split(["scan"], ["AAAA"]), 422, "bad_input"),
    "file that is no scan": Bad("nodules", "/invocations", split(["path"], ["findings.csv"]), 422, "bad_input"),
    "file that is no scan, by itself": Bad("nodules", "/findings", {"json": {"path": "findings.csv"}}, 422, "no_scan"),
    "name of another server": Bad(
        "generator", "/molecules", {"json": {"n": 1}, "headers": {"Host": "evil.example"}}, 421, "unknown_host"
    ),
    "page of somebody else": Bad(
        "generator",
        "/molecules",
        {"json": {"n": 1}, "headers": {"Origin": "https://evil.example"}},
        403,
        "foreign_origin",
    ),
    "form of a page without a name": Bad(
        "nodules", "/findings", {"files": {"file": GOOD}, "headers": {"Origin": "null"}}, 403, "foreign_origin"
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_request_is_told_what_is_wrong(servers: dict[str, Server], name: str) -> None:
    bad = BAD[name]
    request = {key: value() if callable(value) else value for key, value in bad.request.items()}
    response = servers[bad.kind].post(bad.path, **request)
    assert str(servers[bad.kind].folder) not in response.text
    assert response.status_code == bad.status, response.text
    error = refused(response)
    assert error["code"] == bad.code
    if bad.field is not None:
        assert error["field"] == bad.field


def test_two_hundred_requests_at_once_are_all_answered_rightly(servers: dict[str, Server], scan_zip: bytes) -> None:
    names = [name for name, bad in BAD.items() if bad.kind != "properties" and "chunks" not in name]
    good = [f"good {n}" for n in range(100)]
    bad = (names * 5)[: 200 - len(good) - 4]
    asked = [each for pair in zip(good, bad, strict=False) for each in pair] + good[len(bad) :] + ["scan"] * 4
    assert len(asked) == 200

    def ask(name: str) -> None:
        if name == "scan":
            response = servers["nodules"].post("/findings", data=scan_zip, headers=ZIP)
            assert len(response.json()["scans"][0]["findings"]) == N_CANDIDATES
        elif name.startswith("good"):
            number = int(name.split()[1])
            response = servers["generator"].post("/molecules", json={"n": 1 + number % 7, "seed": number})
            assert response.status_code == 200, response.text
            assert (response.json()["seed"], len(response.json()["smiles"])) == (number, 1 + number % 7)
        else:
            test_a_bad_request_is_told_what_is_wrong(servers, name)

    with ThreadPoolExecutor(200) as threads:
        list(threads.map(ask, asked))


def test_the_same_seed_draws_the_same_molecules(servers: dict[str, Server]) -> None:
    asked = {"n": 20, "seed": 5, "temperature": 0.8, "top_p": 0.9}
    one, same = (servers["generator"].post("/molecules", json=asked).json() for _ in range(2))
    assert one == same
    assert len(one["valid"]) == 20
    assert sum(one["valid"]) == one["n_valid"]
    assert one["model"] == {"kind": "generator", "name": "generator", "version": None}
    table = servers["generator"].post("/invocations", **split(list(asked), list(asked.values()))).json()
    assert [row["smiles"] for row in table["predictions"]] == one["smiles"]


@pytest.mark.parametrize("host", ["localhost:1", "[::1]:1", "10.0.0.7", "models.example", "MODELS.example:443"])
def test_it_can_be_called_by_its_own_names(servers: dict[str, Server], host: str) -> None:
    assert servers["generator"].get("/health", headers={"Host": host}).status_code == 200


def test_a_page_that_was_let_in_may_ask(servers: dict[str, Server]) -> None:
    asked = {"json": {"n": 1}, "headers": {"Origin": "https://models.example"}}
    assert servers["generator"].post("/molecules", **asked).status_code == 200


def test_properties_come_with_their_uncertainty_and_nothing_for_what_is_no_molecule(servers: dict[str, Server]) -> None:
    found = servers["properties"].post("/properties", json={"smiles": ["CCO", "not"]}).json()["molecules"]
    assert set(found[0]) == {"smiles", "y", "y_uncertainty", "similarity", "in_domain"}
    assert isinstance(found[0]["y"], float)
    assert found[1] == {"smiles": "not", "y": None, "y_uncertainty": None, "similarity": None, "in_domain": False}


def test_what_is_missing_in_an_answer_of_mlflows_protocol_is_null(servers: dict[str, Server]) -> None:
    text = servers["properties"].post("/invocations", **split(["smiles"], ["not"])).text
    assert json.loads(text, parse_constant=pytest.fail)["predictions"][0]["y"] is None


@pytest.mark.parametrize(
    "request_of",
    [
        lambda table: {"data": table.to_csv(index=False), "headers": CSV},
        lambda table: {"data": parquet(table), "headers": PARQUET},
        lambda table: {"json": {"dataframe_records": table.to_dict("records")}},
        lambda table: {"json": {"inputs": table.to_dict("list")}},
        lambda table: {"json": {"instances": table.to_dict("records")}},
    ],
    ids=["csv", "parquet", "records", "inputs", "instances"],
)
def test_mlflows_protocol(servers: dict[str, Server], request_of: Callable[[pd.DataFrame], dict[str, Any]]) -> None:
    response = servers["properties"].post("/invocations", **request_of(pd.DataFrame({"smiles": ["CCO", "CCN"]})))
    assert response.status_code == 200, response.text
    assert [row["smiles"] for row in response.json()["predictions"]] == ["CCO", "CCN"]


def test_mlflows_client_can_be_used(servers: dict[str, Server]) -> None:
    client = ScoringServerClient("127.0.0.1", servers["properties"].url.rpartition(":")[2])
    client.wait_server_ready()
    predictions = client.invoke(pd.DataFrame({"smiles": ["CCO"]})).get_predictions()
    assert predictions["smiles"].tolist() == ["CCO"]
    assert client.get_version() == mlflow.__version__


@pytest.mark.parametrize("form", [False, True])
def test_a_zipped_scan_comes_back_with_findings(
    servers: dict[str, Server], scan_zip: bytes, dicom_scan: Path, form: bool
) -> None:
    request = {"files": {"file": ("scan.zip", scan_zip)}} if form else {"data": scan_zip, "headers": ZIP}
    by_zip = servers["nodules"].post("/findings", **request).json()
    by_path = servers["nodules"].post("/findings", json={"path": "."}).json()
    assert len(by_zip["scans"]) == 1
    assert len(by_zip["scans"][0]["findings"]) == N_CANDIDATES
    assert {"x_mm", "diameter_mm", "probability", "alarm", "volume_mm3"} <= set(by_zip["scans"][0]["findings"][0])
    assert by_zip == by_path


def test_nothing_of_an_upload_stays_open(servers: dict[str, Server], scan_zip: bytes) -> None:
    server = servers["nodules"]
    assert server.post("/findings", data=scan_zip, headers=ZIP).status_code == 200
    assert [file.path for file in worker_of(server).open_files() if str(server.folder) in file.path] == []


def test_a_path_comes_back_as_it_was_sent(servers: dict[str, Server], dicom_scan: Path) -> None:
    folder = next(dicom_scan.rglob("*.dcm")).parent.relative_to(dicom_scan)
    found = servers["nodules"].post("/invocations", **split(["path"], [str(folder)])).json()["predictions"]
    assert {row["path"] for row in found} == {str(folder)}


def test_an_archive_among_the_scans_of_the_server_is_searched(
    servers: dict[str, Server], scan_zip: bytes, dicom_scan: Path
) -> None:
    (dicom_scan / "case.zip").write_bytes(scan_zip)
    try:
        response = servers["nodules"].post("/findings", json={"path": "case.zip"})
    finally:
        (dicom_scan / "case.zip").unlink()
    assert len(response.json()["scans"][0]["findings"]) == N_CANDIDATES


def test_a_scan_that_intake_refuses_is_answered_with_its_reason(servers: dict[str, Server], dicom_scan: Path) -> None:
    response = servers["nodules"].post("/findings", data=zipped(dicom_scan, SHORT_SCAN), headers=ZIP)
    assert response.status_code == 422
    error = refused(response)
    assert error["code"] == "too_few_slices"
    assert "at least 8" in error["message"]
    assert len(error["rejected"]) == 1


def test_a_real_scan_comes_back_with_findings(servers: dict[str, Server], shared_data: Path) -> None:
    series = shared_data / "lidc" / "LIDC-IDRI-0001"
    response = servers["nodules"].post("/findings", data=zipped(series), headers=ZIP)
    assert response.status_code == 200, response.text
    (scan,) = response.json()["scans"]
    assert scan["series_uid"] == "1.3.6.1.4.1.14519.5.2.1.6279.6001.179049373636438705059720603192"
    assert len(scan["findings"]) == N_CANDIDATES


def test_health_is_told_while_a_scan_is_searched(servers: dict[str, Server], scan_zip: bytes) -> None:
    with ThreadPoolExecutor(1) as thread:
        search = thread.submit(servers["nodules"].post, "/findings", data=scan_zip, headers=ZIP)
        states = []
        while not search.done():
            start = time.monotonic()
            states.append(servers["nodules"].get("/health").json())
            assert servers["nodules"].get("/ping").status_code == 200
            assert time.monotonic() - start < 2
        assert search.result().status_code == 200
    assert any(state["running"] == 1 for state in states)
    assert states[0]["model"]["kind"] == "nodules"
    assert states[0]["device"]


def test_who_finds_the_queue_full_is_told_when_to_come_back(servers: dict[str, Server]) -> None:
    many = {"json": {"smiles": ["CC(=O)Oc1ccccc1C(=O)O"] * 500}}
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: servers["properties"].post("/properties", **many), range(8)))
    statuses = {answer.status_code for answer in answers}
    assert {200, 429} <= statuses <= {200, 429, 503}
    full = next(answer for answer in answers if answer.status_code == 429)
    assert refused(full)["code"] == "queue_full"
    assert int(full.headers["Retry-After"]) >= 1


def test_who_waits_too_long_is_told_when_to_come_back(servers: dict[str, Server]) -> None:
    server, many = servers["properties"], ["CC(=O)Oc1ccccc1C(=O)O"] * 3000
    with ThreadPoolExecutor(1) as thread:
        long = thread.submit(server.post, "/properties", json={"smiles": many})
        while server.get("/health").json()["running"] == 0:
            time.sleep(0.01)
        response = server.post("/properties", json={"smiles": ["CCO"]})
    assert long.result().status_code == 200
    assert response.status_code == 503
    assert refused(response)["code"] == "waited_too_long"
    assert int(response.headers["Retry-After"]) >= 1


def test_what_takes_too_long_is_stopped_and_the_next_request_is_served(servers: dict[str, Server]) -> None:
    server, start = servers["generator"], time.monotonic()
    response = server.post("/molecules", json={"n": 1_000_000})
    assert response.status_code == 504
    assert refused(response)["code"] == "took_too_long"
    assert time.monotonic() - start < 20
    _until_ready(server)
    assert server.post("/molecules", json={"n": 2}).status_code == 200


def test_a_request_that_does_not_arrive_is_given_up(servers: dict[str, Server]) -> None:
    host, _, port = servers["generator"].url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(
            b"POST /molecules HTTP/1.1\r\nHost: [::1]\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
        )
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 408")


def test_a_worker_that_dies_costs_one_request(servers: dict[str, Server]) -> None:
    server = servers["generator"]
    worker_of(server).kill()
    response = server.post("/molecules", json={"n": 2})
    assert response.status_code == 503
    assert refused(response)["code"] == "worker_ended"
    _until_ready(server)
    assert server.post("/molecules", json={"n": 2}).status_code == 200


def test_what_unpacks_to_more_than_the_memory_costs_one_request(servers: dict[str, Server]) -> None:
    table = pa.table({"smiles": pa.DictionaryArray.from_arrays(pa.array([0] * 3000, pa.int32()), ["C" * 10_000_000])})
    stream = io.BytesIO()
    pq.write_table(table, stream, store_schema=False, compression="zstd", dictionary_pagesize_limit=1 << 30)
    assert len(stream.getvalue()) < 2000
    response = servers["properties"].post("/invocations", data=stream.getvalue(), headers=PARQUET)
    assert response.status_code in (400, 422, 503), response.text
    while servers["properties"].get("/health").status_code == 503:
        time.sleep(0.2)
    assert servers["properties"].post("/properties", json={"smiles": ["C"]}).status_code == 200


def _until_ready(server: Server) -> None:
    assert [server.get(path).status_code for path in ("/health", "/ping")] == [503, 503]  # it starts for seconds
    while server.get("/health").status_code == 503:
        time.sleep(0.2)


def test_the_description_is_there_and_no_page_that_loads_scripts(servers: dict[str, Server]) -> None:
    paths = json.loads(servers["nodules"].get("/openapi.json").text)["paths"]
    assert {"/findings", "/invocations", "/health", "/ping", "/version"} <= set(paths)
    assert servers["nodules"].get("/docs").status_code == 404


def test_sigterm_lets_running_requests_end_and_leaves_nothing_behind(
    servers: dict[str, Server], scan_zip: bytes
) -> None:
    server = servers["nodules"]
    with ThreadPoolExecutor(2) as threads:
        asked = [threads.submit(server.post, "/findings", data=scan_zip, headers=ZIP) for _ in range(2)]
        while server.get("/health").json()["running"] == 0 and not asked[0].done():
            time.sleep(0.01)
        assert server.terminate() == 0
        assert [each.result().status_code for each in asked] == [200, 200]
    assert not list(server.folder.glob("medpipe-*"))


def test_a_worker_does_not_outlive_its_server(servers: dict[str, Server]) -> None:
    worker = worker_of(servers["properties"])
    servers["properties"].process.kill()
    worker.wait(30)
    assert not worker.is_running()


def test_nothing_of_patients_or_of_data_was_logged(servers: dict[str, Server]) -> None:
    for server in servers.values():
        assert "Phantom" not in server.log
        assert "Traceback" not in server.log
        assert "1.2.826" not in server.log
        assert "CCO" not in server.log
    assert "POST /findings 200" in servers["nodules"].log
    assert "POST (unknown) 404" in servers["generator"].log
