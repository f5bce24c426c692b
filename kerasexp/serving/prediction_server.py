"""The addresses of the server: predictions, health, metrics, and the pages."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import ClientDisconnect

from kerasexp import __version__
from kerasexp.environment import cores
from kerasexp.errors import closest
from kerasexp.report.template_environment import FOLDER, template_environment
from kerasexp.serving.answer_schema import ANSWERS
from kerasexp.serving.request_body import BodyReader
from kerasexp.serving.request_limits import RequestLimits
from kerasexp.serving.sent_images import BODY_CONTENT, sent_images
from kerasexp.serving.served_model import ServedModel, UnreadableImages
from kerasexp.serving.server_metrics import CONTENT_TYPE, ServerMetrics
from kerasexp.web.access import Access
from kerasexp.web.guard import Guard

STATIC = ("page.css", "browser.css", "serve.css", "serve.js", "drawing.js")
# What a container or a load balancer asks for, without a token.
HEALTH = "/health"
# Of a request whose client went away before the answer; no standard has a status for it, nginx has this one.
CANCELLED = 499
PREDICT = {
    "summary": "Classify image files",
    "openapi_extra": {"requestBody": {"required": True, "content": BODY_CONTENT}},
    "responses": ANSWERS,
}
Top = Annotated[int, Query(ge=1, le=1000, description="How many classes to list for each image.")]
Explain = Annotated[bool, Query(description="Add what the network sees, and a heat map of where it looks (Grad-CAM).")]
ModelName = Annotated[str | None, Query(description="The name of a model; needed where several are served.")]


class PredictionServer:
    """The HTTP side of some models.

    Args:
        models: what is served.
        access: who may ask.
        limits: the most that is accepted.
        metrics: those that the models count with, too.
    """

    def __init__(self, models: Sequence[ServedModel], access: Access, limits: RequestLimits, metrics: ServerMetrics):
        self._models, self._limits, self._metrics = {model.name: model for model in models}, limits, metrics
        self._bodies = BodyReader(limits)
        # One image per core: each may take some hundred megabytes while it is decoded.
        self._decoders = ThreadPoolExecutor(cores(), thread_name_prefix="decode")
        self.app = FastAPI(title="kerasexp serve", version=__version__, docs_url=None, redoc_url=None)
        self.app.middleware("http")(Guard(access, "serve", open_paths=(HEALTH,), as_json=True))
        self.app.exception_handler(StarletteHTTPException)(_refusal)
        self.app.exception_handler(RequestValidationError)(_wrong_query)
        self.app.exception_handler(UnreadableImages)(_unreadable)
        self.app.post("/predict", **PREDICT)(self.predict)
        self.app.post("/models/{name}/predict", **PREDICT)(self.predict_by)
        self.app.get("/models", summary="What is served")(self.models)
        self.app.get(HEALTH, summary="Whether the server can answer")(self.health)
        self.app.get("/metrics", summary="Counters and times for Prometheus")(self.metrics)
        self.app.get("/", include_in_schema=False)(self.page)
        self.app.get("/docs", include_in_schema=False)(self.docs)
        self.app.get("/static/{name}", include_in_schema=False)(self.static)

    async def predict(
        self, request: Request, model: ModelName = None, top: Top = 3, explain: Explain = False
    ) -> Response:
        """Return what `predict` prints as JSON, in the order of the images: a form, base64 in JSON, or one file."""
        if model is None:
            if len(self._models) > 1:
                raise HTTPException(422, f"name a model: /predict?model=NAME; served: {', '.join(self._models)}")
            model = next(iter(self._models))
        return await self.predict_by(request, model, top, explain)

    async def predict_by(self, request: Request, name: str, top: Top = 3, explain: Explain = False) -> Response:
        """Return the predictions of the model of a name; see `/predict`."""
        model, started, status = self._model(name), time.perf_counter(), 500
        try:
            answers = await self._answers(request, model, top, explain)
            status = 200
            return _json(answers)
        except StarletteHTTPException as error:
            status = error.status_code
            raise
        except UnreadableImages as error:
            status = error.status
            raise
        except ClientDisconnect:
            status = CANCELLED
            raise HTTPException(status, "the client went away") from None
        except asyncio.CancelledError:
            status = CANCELLED
            raise
        except Exception as error:
            # Whoever runs the server reads here what failed. The client does not: the message of an error may name a path.
            print(f"error: {name}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            raise HTTPException(status, "the server failed; its output says why") from None
        finally:
            self._metrics.request(name, status, time.perf_counter() - started)

    async def _answers(self, request: Request, model: ServedModel, top: int, explain: bool) -> list[dict[str, Any]]:
        async with self._bodies.read(request) as body:
            files = await sent_images(body, request.headers.get("content-type", ""), self._limits)
            if explain and len(files) > self._limits.explained:
                raise HTTPException(413, f"too many images to explain; at most {self._limits.explained} a request")
            return await model.predict(files, top, explain, self._decoders)

    async def models(self) -> Response:
        """Return name, classes and preprocessing of each model."""
        return _json([model.description() for model in self._models.values()])

    async def health(self) -> Response:
        """Return 200 while every model can answer, and else 503."""
        stopped = [name for name, model in self._models.items() if not model.is_alive]
        if stopped:
            raise HTTPException(503, f"stopped: {', '.join(stopped)}")
        return _json({"status": "ok", "version": __version__, "models": list(self._models)})

    async def metrics(self) -> Response:
        """Return the metrics in Prometheus's text format."""
        return Response(self._metrics.text(), media_type=CONTENT_TYPE)

    async def page(self) -> HTMLResponse:
        """Return the page on which an image is dropped, taken or drawn."""
        for model in self._models.values():
            model.prepare_explanations()
        models = [model.description() for model in self._models.values()]
        return HTMLResponse(template_environment().get_template("serve.html").render(models=models))

    async def docs(self, request: Request) -> HTMLResponse:
        """Return the page of what can be asked for; it needs nothing but `/openapi.json`, from which it is made."""
        content = {"schema": self.app.openapi(), "address": str(request.base_url), "models": list(self._models)}
        page = template_environment().get_template("serve_docs.html")
        return HTMLResponse(page.render(**content, limits=self._limits))

    def static(self, name: str) -> Response:
        """Return a style or a script of the pages."""
        if name not in STATIC:
            raise HTTPException(404, "no such file")
        kind = "text/css" if name.endswith(".css") else "text/javascript"
        return FileResponse(FOLDER / name, media_type=kind, headers={"Cache-Control": "no-cache"})

    def close(self) -> None:
        """Answer what waits, and end all threads."""
        for model in self._models.values():
            model.close()
        self._decoders.shutdown()

    def _model(self, name: str) -> ServedModel:
        if name not in self._models:
            served = f"{closest(name, self._models)}; served: {', '.join(self._models)}"
            raise HTTPException(404, f"no model {name[:100]!r}{served}")
        return self._models[name]


def _json(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    # ASCII: the name of a class may have been no UTF-8.
    return Response(json.dumps(content).encode("ascii"), status, headers, "application/json")


async def _refusal(request: Request, error: StarletteHTTPException) -> Response:
    return _json({"detail": error.detail}, error.status_code, error.headers)


async def _wrong_query(request: Request, error: RequestValidationError) -> Response:
    problems = (
        f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}, got {one['input']!r:.100}" for one in error.errors()
    )
    return _json({"detail": "; ".join(problems)}, 422)


async def _unreadable(request: Request, error: UnreadableImages) -> Response:
    files = [{"file": name, "message": reason} for name, reason in error.reasons]
    return _json({"detail": str(error), "files": files}, error.status)
