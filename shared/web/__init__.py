"""Everything that a service's `api` needs of HTTP. A router is made by `command_router()`; see `commands` for what its routes do."""

from shared.arranging import Arrangement, Arranging
from shared.sorting import Order
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
from shared.web.paging import IfMatch, Input, Page, arranged_by, arranged_whole, expect_version, page, set_etag, sorted_by
from shared.web.together import Asked, created, together

__all__ = [
    "Actor",
    "Arrangement",
    "Arranging",
    "Asked",
    "CommandRoute",
    "Documents",
    "IfMatch",
    "Input",
    "Now",
    "Order",
    "Page",
    "Session",
    "UploadRoute",
    "arranged_by",
    "arranged_whole",
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
    "sorted_by",
    "together",
]
