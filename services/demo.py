"""`reconecta demo`."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

DEMO_DATA = Path("data/demo")


@dataclass(frozen=True)
class Asked:
    """What `reconecta demo` was asked for."""

    operator_folder: Path
    data: Path
    port: int
    book: Path | None
    mapping: Path | None


async def run_demo(asked: Asked, console: Console) -> None:
    """Play the month."""
