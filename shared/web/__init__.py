"""Everything that a service's `api` needs of HTTP. A router is made by `command_router()`; see `commands` for what its routes do,
`asking` for what an endpoint may ask for."""

from shared.arranging import Arrangement, Arranging
from shared.sorting import Order
from shared.web.app import create_app
from shared.web.asking import Actor, Documents, Now, Session, permits, require_key, runtime_of
from shared.web.bodies import incoming
from shared.web.commands import CommandRoute, UploadRoute, command_router, run_command
from shared.web.paging import IfMatch, Input, Page, arranged_by, arranged_whole, page, set_etag, sorted_by
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
