"""Which routes a request is compared with at all."""

from typing import Any

from fastapi import APIRouter
from starlette.routing import Match
from starlette.types import Scope


class Router(APIRouter):
    """A router (included without a prefix) that looks at its routes only where one of them begins with the first word of a request's path.
    The framework compares a path with every route of every router that stands before its own, and with those of its own twice."""

    def __init__(self, **options: Any) -> None:
        self._words: set[str] = set()
        super().__init__(**options)

    def add_api_route(self, path: str, endpoint: Any, **options: Any) -> None:
        """As the decorators call it."""
        self._words.add(f"{self.prefix}{path}".split("/")[1])
        super().add_api_route(path, endpoint, **options)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """As the app asks it for each request."""
        path: str = scope["path"]
        word = path.removeprefix(scope.get("root_path", "") + "/").partition("/")[0]
        return super().matches(scope) if word in self._words else (Match.NONE, {})
