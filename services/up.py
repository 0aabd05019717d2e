"""`reconecta up`: the whole house of one installation on one address, until it is told to stop."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from services.installation import Installation, business_start
from services.local import House, open_house
from services.serving import listen, serving, stop_signals
from shared.loop import settled
from shared.operator import load_operator

TOKEN_LIFETIME = timedelta(days=7)


@dataclass(frozen=True)
class Up:
    """What `reconecta up` was asked for. `start` (aware): where a simulated business time begins."""

    operator_folder: Path
    data: Path
    host: str
    port: int
    start: datetime | None


async def run_house(asked: Up, ready: Callable[[House, str, str], None]) -> None:
    """Run until SIGTERM or SIGINT. `ready` is told the house, its address and a token as soon as it answers.
    Raises CannotListen and InstallationError."""
    operator = load_operator(asked.operator_folder)
    installation = Installation(asked.data.resolve())
    async with AsyncExitStack() as stack:
        stack.enter_context(installation.alone())
        socket = stack.enter_context(listen(asked.host, asked.port, or_next=True))
        stop = await stack.enter_async_context(stop_signals())
        urls = await stack.enter_async_context(installation.databases(durable=asked.start is None))
        start = await business_start(urls, asked.start)
        settings = {name: installation.settings(name, url, operator, start is not None) for name, url in urls.items()}
        house = await stack.enter_async_context(open_house(operator, settings, start))
        await stack.enter_async_context(serving(house.app, socket))
        address = f"http://{_reachable(asked.host)}:{socket.getsockname()[1]}"
        stack.enter_context(installation.announced(address))
        settled()
        ready(house, address, installation.token(operator, None, TOKEN_LIFETIME))
        await stop.wait()


def _reachable(host: str) -> str:
    return "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104 - compared, not bound
