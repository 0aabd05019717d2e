"""The services' API as a client sees it, without a client's machinery: a request in, a status and a text out."""

import json
from collections.abc import MutableMapping
from typing import Any

from fastapi import FastAPI

from tests.support.service import token

TOKENS: dict[str, str] = {}
BOUNDARY = "----reconecta"


async def post(app: FastAPI, root: str, path: str, body: object, *, person: str, key: str, **headers: str) -> tuple[int, str]:
    """POST to the service whose address begins with `root`, as this person; answers the status and the body's text."""
    return await _ask(app, root, path, json.dumps(body).encode(), person=person, key=key, content_type="application/json", **headers)


async def send_book(app: FastAPI, book: str, mapping: str, *, person: str, key: str) -> tuple[int, str]:
    """Bring a file of customers with its mapping, as multipart."""
    parts = (f'name="file"; filename="libro.csv"\r\nContent-Type: text/csv\r\n\r\n{book}', f'name="mapping"\r\n\r\n{mapping}')
    content = "".join(f"--{BOUNDARY}\r\nContent-Disposition: form-data; {each}\r\n" for each in parts) + f"--{BOUNDARY}--\r\n"
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    return await _ask(app, "billing", "/imports", content.encode(), person=person, key=key, content_type=kind)


async def _ask(app: FastAPI, root: str, path: str, content: bytes, *, person: str, key: str, **headers: str) -> tuple[int, str]:
    if person not in TOKENS:
        TOKENS[person] = token(person)
    given = {"authorization": f"Bearer {TOKENS[person]}", "idempotency-key": key, **headers}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": f"/{root}{path}",
        "raw_path": f"/{root}{path}".encode(),
        "query_string": b"",
        "root_path": f"/{root}",
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in given.items()],
        "client": ("127.0.0.1", 1),
        "server": ("reconecta", 80),
    }
    parts: list[bytes] = []
    status = 0

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        else:
            parts.append(message.get("body", b""))

    await app(scope, receive, send)
    return status, b"".join(parts).decode()
