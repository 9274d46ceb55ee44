"""The HTTP application: MLflow's scoring protocol, and requests that people like to write."""

from importlib import metadata
from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from medpipe.serving.server.callers import Callers
from medpipe.serving.server.guard import App, Guard
from medpipe.serving.server.pool import Pool
from medpipe.serving.server.refusal import Refusal
from medpipe.serving.server.routes import answer_refusal, kind_routes
from medpipe.serving.server.worker import WorkerSpec


def make_app(pool: Pool, spec: WorkerSpec) -> App:
    """The application of one model.

    Args:
        pool: Its workers.
        spec: Model and limits.
    """
    # the pages that show the OpenAPI description load scripts from elsewhere; the description itself stays
    callers = Callers(spec.params.names)
    app = FastAPI(title=f"medpipe: {spec.kind}", docs_url=None, redoc_url=None, dependencies=[Depends(callers.check)])
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _failed)
    _add_health(app, pool)
    app.include_router(kind_routes(spec, pool))
    return Guard(app, spec.params, {*app.openapi()["paths"], "/openapi.json"})


def _add_health(app: FastAPI, pool: Pool) -> None:
    @app.get("/ping")
    async def ping() -> Response:
        """MLflow's: 200 while a worker is ready."""
        return Response("\n", 200 if pool.state["workers"] else 503, media_type="application/json")

    @app.get("/version")
    async def version() -> Response:
        """MLflow's: version of MLflow."""
        return Response(metadata.version("mlflow"), media_type="application/json")

    @app.get("/health")
    async def health() -> JSONResponse:
        """Whether requests can be worked on (503 if not), by which model, on what, and how many are inside."""
        state: dict[str, Any] = pool.state
        ready = state["workers"] > 0
        return JSONResponse({"live": True, "ready": ready, **state}, 200 if ready else 503)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return answer_refusal(error)


async def _http_error(_: Request, error: Exception) -> Response:
    """Of the framework: an unknown path, another method."""
    assert isinstance(error, HTTPException)
    code, message = {
        404: ("not_found", "There is no such path; GET /openapi.json lists them."),
        405: ("method_not_allowed", "The path takes another method; GET /openapi.json lists them."),
    }.get(error.status_code, ("bad_request", f"{error.detail}."))
    refusal = Refusal(error.status_code, code, message)
    response = answer_refusal(refusal)
    response.headers.update(error.headers or {})
    return response


async def _failed(_: Request, error: Exception) -> Response:
    return answer_refusal(Refusal(500, "internal_error", "The server failed on this request; its log says where."))
