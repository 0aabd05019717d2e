"""Everything that a service's `api` needs of HTTP. A router is made by `command_router()`; see `commands` for what its routes do."""

from shared.web.app import create_app
from shared.web.bodies import incoming
from shared.web.commands import (
    Actor,
    CommandRoute,
    Documents,
    Now,
    Session,
    UploadRoute,
    command_router,
    permits,
    require_key,
    run_command,
    runtime_of,
)
from shared.web.paging import Cursor, CursorAt, IfMatch, Input, Page, expect_version, page, set_etag
from shared.web.together import Asked, created, together

__all__ = [
    "Actor",
    "Asked",
    "CommandRoute",
    "Cursor",
    "CursorAt",
    "Documents",
    "IfMatch",
    "Input",
    "Now",
    "Page",
    "Session",
    "UploadRoute",
    "command_router",
    "create_app",
    "created",
    "expect_version",
    "incoming",
    "page",
    "permits",
    "require_key",
    "run_command",
    "runtime_of",
    "set_etag",
    "together",
]
