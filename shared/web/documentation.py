"""The pages that show an API's routes to people: `/docs` to try them, `/redoc` to read them. Nothing is asked of any other machine.

The scripts come from the package `fastapi-offline`, which bundles them; of it only the files are used. The pages' Content-Security-Policy
keeps the scripts from fetching badges and logos elsewhere.
"""

from html import escape
from importlib.resources import files

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

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
    """Serve both pages and what they load. The app itself is made with `docs_url=None, redoc_url=None`."""
    app.mount(ASSETS, StaticFiles(directory=str(files("fastapi_offline") / "static")))

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        """The routes, to try them."""
        return _page(app, request, "rutas", TRY_HEAD, TRY_BODY)

    @app.get("/redoc", include_in_schema=False)
    async def redoc(request: Request) -> HTMLResponse:
        """The routes, to read them."""
        return _page(app, request, "referencia", "", READ_BODY)


def _page(app: FastAPI, request: Request, kind: str, head: str, body: str) -> HTMLResponse:
    root = escape(request.scope.get("root_path", "").rstrip("/"))
    places = {"assets": root + ASSETS, "document": f"{root}{app.openapi_url}"}
    html = PAGE.format(title=f"{escape(app.title)}: {kind}", head=head.format(**places), body=body.format(**places))
    return HTMLResponse(html, headers=POLICY)
