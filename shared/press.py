"""Documents on paper: the operator's own templates (`templates/*.typ`).

# Note [Data never becomes markup]
A template gets everything as one JSON text in `sys.inputs.data` and reads it with Typst's own JSON reader, so a customer named `#panic()`
is printed as just that. What people read is formatted before it comes here, by the operator's locale; the template only places it.
"""

import asyncio
import sys
import threading
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import typst

from shared.operator import Operator
from shared.typesetter import Job, Standard, compile_with, compiler_of

SECONDS = 300.0
ROOT = Path(__file__).parent.parent  # where the module is found


class PdfFailed(Exception):
    """The operator's template does not compile; the text says where."""


@dataclass
class Press:
    """A compiler with its template and fonts in memory. It takes one document at a time."""

    template: str
    compiler: typst.Compiler
    lock: threading.Lock = field(default_factory=threading.Lock)

    def print(self, data: str, timestamp: datetime) -> bytes:
        """Print a JSON text; the same input makes the same bytes. Blocking: call it in a thread. Raises PdfFailed."""
        with self.lock:
            try:
                return compile_with(self.compiler, data, timestamp, ())
            except typst.TypstError as error:
                raise PdfFailed(f"{self.template}: {error.message} {error.diagnostic}".strip()) from error


def press(operator: Operator, template: str) -> Press:
    """The press of one of the operator's templates (`invoice.typ`)."""
    return _press(operator.folder, template, operator.fingerprint)


@lru_cache(maxsize=16)
def _press(folder: Path, template: str, fingerprint: str) -> Press:
    """Other documents (another fingerprint) get another press."""
    return Press(template, compiler_of(folder, template))


async def print_apart(operator: Operator, template: str, data: str, timestamp: datetime, *standards: Standard) -> bytes:
    """Print a long document in a process of its own (see shared/typesetter.py); the same input makes the same bytes. Raises PdfFailed."""
    job = Job(str(operator.folder.resolve()), template, data, timestamp.isoformat(), standards)
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-m", "shared.typesetter")
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        async with asyncio.timeout(SECONDS):
            file, said = await process.communicate(job.text().encode())
    except TimeoutError:
        raise PdfFailed(f"{template}: it took longer than {SECONDS:.0f} seconds") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise PdfFailed(f"{template}: {said.decode(errors='replace').strip()[:1000]}")
    return file
