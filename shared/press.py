"""Documents on paper: the operator's own templates (`templates/*.typ`).

# Note [Data never becomes markup]
A template gets everything as one JSON text in `sys.inputs.data` and reads it with Typst's own JSON reader, so a customer named `#panic()`
is printed as just that. What people read is formatted before it comes here, by the operator's locale; the template only places it.
"""

import asyncio
import atexit
import subprocess
import sys
import threading
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from shared.errors import Unavailable
from shared.operator import Operator
from shared.typesetter import DONE, SHOP, Document, Standard

SECONDS = 300.0
STOP_SECONDS = 5.0
ROOT = Path(__file__).parent.parent  # where the module is found


class PdfFailed(Exception):
    """The operator's template does not compile; the text says where."""


class NotPrinted(PdfFailed, Unavailable):
    """Whoever prints has ended, or took too long (the machine has no memory left, or too much to do): it may work later."""

    def __init__(self, template: str) -> None:
        super().__init__(f"No se pudo imprimir ahora ({template}).", remedy="Repita la solicitud en un momento.")


class Shop:
    """A process that prints one short document after the other (see Note [Who prints has a process]); there while there is work. One that
    takes longer than `patience` seconds for a document is ended."""

    def __init__(self, patience: float = 60.0) -> None:
        self._patience, self._lock = patience, threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def print(self, document: Document) -> bytes:
        """Print. Blocking. Raises PdfFailed, and NotPrinted where that is not the template's fault."""
        with self._lock:
            try:
                word, answer = self._ask(document)
            except (BrokenPipeError, EOFError):  # it went to rest just now, or somebody ended it
                try:
                    word, answer = self._ask(document)
                except (BrokenPipeError, EOFError):
                    raise NotPrinted(document.template) from None
        if word != DONE:
            raise PdfFailed(f"{document.template}: {answer.decode(errors='replace')}")
        return answer

    def _ask(self, document: Document) -> tuple[str, bytes]:
        """The shop's word and what came with it. Raises BrokenPipeError and EOFError when it has ended."""
        process = self._process = self._process or _opened()
        assert process.stdin is not None
        assert process.stdout is not None
        watch = threading.Timer(self._patience, process.kill)
        watch.start()
        try:
            process.stdin.write(document.text().encode() + b"\n")
            process.stdin.flush()
            word, _, count = process.stdout.readline().decode().partition(" ")
            answer = process.stdout.read(int(count or 0))
            if not count or len(answer) < int(count):
                raise EOFError
        except BaseException:  # nobody knows what it would say next
            self.close()
            raise
        finally:
            watch.cancel()
        return word, answer

    def close(self) -> None:
        """End the process; the next document begins another."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait(STOP_SECONDS)
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):
                pipe.close()  # type: ignore[union-attr]


def _opened() -> subprocess.Popen[bytes]:
    """It ends with us, when its input does; what stops us from the keyboard is not for it."""
    command = (sys.executable, "-m", "shared.typesetter", SHOP)
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)


OURS = Shop()
atexit.register(OURS.close)


def print_short(operator: Operator, template: str, data: str, timestamp: datetime, *codes: str) -> bytes:
    """Print a JSON text by one of the operator's templates (`invoice.typ`), where what is named in `codes` becomes a QR code; the same
    input makes the same bytes. Blocking, and one document at a time: call it in a thread. Raises PdfFailed."""
    return OURS.print(_document(operator, template, data, timestamp, codes=codes))


async def print_long(operator: Operator, template: str, data: str, timestamp: datetime, *standards: Standard) -> bytes:
    """Print a long document in a process of its own (see Note [A long document has a process]); the same input makes the same bytes.
    Raises PdfFailed."""
    document = _document(operator, template, data, timestamp, standards=standards)
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-m", "shared.typesetter")
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        async with asyncio.timeout(SECONDS):
            file, said = await process.communicate(document.text().encode())
    except TimeoutError:
        raise PdfFailed(f"{template}: it took longer than {SECONDS:.0f} seconds") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise PdfFailed(f"{template}: {said.decode(errors='replace').strip()[:1000]}")
    return file


def _document(
    operator: Operator, template: str, data: str, timestamp: datetime, *, codes: tuple[str, ...] = (), standards: tuple[Standard, ...] = ()
) -> Document:
    folder = str(operator.folder.resolve())
    return Document(folder, template, data, timestamp.isoformat(), standards, codes, edition=operator.fingerprint)
