"""For load balancers, orchestrators and Prometheus."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from api.readiness import Readiness
from observability.metrics import Metrics


def operations_router(readiness: Readiness, metrics: Metrics) -> APIRouter:
    router = APIRouter(tags=["operations"])

    @router.get("/healthz", summary="Whether this process is alive")
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @router.get(
        "/readyz",
        summary="Whether requests can be served, and the state of each dependency",
        responses={503: {"description": "No request can be served", "content": {"application/json": {}}}},
    )
    async def readyz() -> JSONResponse:
        report = await readiness.report()
        body: dict[str, object] = {"status": report.status, "dependencies": report.dependencies}
        if report.cache is not None:
            body["cache"] = report.cache
        return JSONResponse(body, status_code=200 if report.ready else 503)

    @router.get("/metrics", summary="Prometheus metrics of all workers", response_class=PlainTextResponse)
    async def exposition() -> Response:
        text = await asyncio.to_thread(metrics.exposition)
        return Response(text, media_type=CONTENT_TYPE_PLAIN_0_0_4)

    return router
