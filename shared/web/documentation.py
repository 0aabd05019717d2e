"""An API's OpenAPI document, and the pages that show it to people: `/docs` to try the routes, `/redoc` to read them. Nothing is asked of
any other machine.

The scripts come from the package `fastapi-offline`, which bundles them; of it only the files are used. The pages' Content-Security-Policy
keeps the scripts from fetching badges and logos elsewhere.
"""

from html import escape
from importlib.resources import files
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from shared.web.problems import MEDIA_TYPE, ProblemDetails

ASSETS = "/docs/recursos"
POLICY = {"Content-Security-Policy": "default-src 'self' 'unsafe-inline' data: blob:"}
PAGE = """<!doctype html>
<html lang="es"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<link rel="icon" href="data:,">{head}</head><body style="margin:0">{body}</body></html>
"""
TRY_HEAD = '<link rel="stylesheet" href="{assets}/swagger-ui.css">'
TRY_BODY = """<div id="rutas"></div><script src="{assets}/swagger-ui-bundle.js"></script>
<script>SwaggerUIBundle({{url: "{document}", dom_id: "#rutas", deepLinking: true, validatorUrl: null}})</script>"""
READ_BODY = '<redoc spec-url="{document}"></redoc><script src="{assets}/redoc.standalone.js"></script>'


def add_documentation(app: FastAPI) -> None:
    """Serve the document, both pages and what they load. The app itself is made with `docs_url=None, redoc_url=None`."""
    app.openapi = lambda: _document(app)  # type: ignore[method-assign]
    app.mount(ASSETS, StaticFiles(directory=str(files("fastapi_offline") / "static")))

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        """The routes, to try them."""
        return _page(app, request, "rutas", TRY_HEAD, TRY_BODY)

    @app.get("/redoc", include_in_schema=False)
    async def redoc(request: Request) -> HTMLResponse:
        """The routes, to read them."""
        return _page(app, request, "referencia", "", READ_BODY)


def _document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document as the framework makes it, but with the errors that we really answer: problems, on every route."""
    if app.openapi_schema is not None:
        return app.openapi_schema
    made: dict[str, Any] = FastAPI.openapi(app)
    schemas = made.setdefault("components", {}).setdefault("schemas", {})
    problem = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs"), ProblemDetails=problem)
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    told = {"content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}}
    for path in made["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
            operation["responses"]["4XX"] = {"description": "Un problema (RFC 9457): nada cambió", **told}
            operation["responses"]["5XX"] = {"description": "Un problema nuestro (RFC 9457): repita con la misma clave", **told}
    return made


def _page(app: FastAPI, request: Request, kind: str, head: str, body: str) -> HTMLResponse:
    root = escape(request.scope.get("root_path", "").rstrip("/"))
    places = {"assets": root + ASSETS, "document": f"{root}{app.openapi_url}"}
    html = PAGE.format(title=f"{escape(app.title)}: {kind}", head=head.format(**places), body=body.format(**places))
    return HTMLResponse(html, headers=POLICY)
