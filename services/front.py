"""The front door of the one address: `/` tells a person where to look, without a token and without a figure."""

from collections.abc import Sequence
from html import escape

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from shared.operator import Operator
from shared.service import Service

PAGE = """<!doctype html>
<html lang="es"><head><meta charset="utf-8"><title>Reconecta · {name}</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem;color:#1c2530}}
h1{{margin-bottom:0}}dt{{margin-top:1rem;font-weight:600}}dd{{margin:0}}code{{background:#eef1f5;padding:.1rem .3rem}}</style></head>
<body><h1>Reconecta</h1><p>{name}. Cada ruta pide un token: <code>reconecta token PERSONA</code> da uno,
y se envía como <code>Authorization: Bearer …</code>.</p><dl>{services}</dl>
<p>¿Responde? <code>/&lt;servicio&gt;/health/ready</code>. Cifras: <code>/&lt;servicio&gt;/metrics</code>.</p></body></html>
"""
SERVICE = '<dt>{name}</dt><dd>{description}: <a href="/{name}/docs">rutas</a>, <a href="/{name}/openapi.json">OpenAPI</a></dd>'


def front_router(operator: Operator, services: Sequence[Service]) -> APIRouter:
    """The route `/`."""
    items = "".join(SERVICE.format(name=each.name, description=escape(each.description)) for each in services)
    page = PAGE.format(name=escape(operator.name), services=items)
    router = APIRouter()

    @router.get("/", include_in_schema=False)
    async def front() -> HTMLResponse:
        """Where to look."""
        return HTMLResponse(page)

    return router
