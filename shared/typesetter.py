"""A compiler of Typst documents, in processes of its own: `python -m shared.typesetter` sets one long document and ends,
`python -m shared.typesetter shop` sets one short document after the other.

# Note [Who prints has a process]
The compiler and what draws the QR code hold the interpreter, some 12 ms for an invoice, in whatever thread they run: nobody else in the
service went on meanwhile. So the shop is a process that stands behind the others, and ends when it has had nothing to do for a
while.

# Note [A long document has a process]
The compiler keeps what it has laid out, to be faster with the next similar document: right for invoices, and hundreds of megabytes for the
history of ten years. So such a document is set by a process that ends with it. It reads a Document from its input and writes the PDF.
"""

import io
import json
import os
import sys
import threading
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Literal, Self

import segno
import typst

from shared.loop import stand_back

Standard = Literal["a-3b"]  # PDF/A-3: for archives, with files attached
TEMPLATES, FONTS = "templates", "templates/fonts"
SHOP = "shop"
DONE, FAULTY = "done", "faulty"
REST_SECONDS = 60.0  # how long the shop waits for its next document
MASK = 3  # readers read all eight; to weigh them for each code took four fifths of its time, a quarter of the whole invoice's


@dataclass(frozen=True)
class Document:
    """A document to set: a template of an operator's folder, its data (a JSON text), the file's own date (ISO 8601). Data named in `codes`
    becomes a QR code of its text, as SVG. Another `edition` of the folder is read anew."""

    folder: str
    template: str
    data: str
    timestamp: str
    standards: tuple[Standard, ...] = ()
    codes: tuple[str, ...] = ()
    edition: str = ""

    def text(self) -> str:
        """As it is handed over: one line."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str | bytes) -> Self:
        """What was handed over."""
        given = json.loads(text)
        return cls(**{**given, "standards": tuple(given["standards"]), "codes": tuple(given["codes"])})


def compiler_of(folder: Path, template: str) -> typst.Compiler:
    """A compiler that sees the operator's templates and fonts, and nothing else of the machine."""
    fonts = [folder / FONTS] if (folder / FONTS).is_dir() else []
    return typst.Compiler(folder / TEMPLATES / template, root=folder / TEMPLATES, font_paths=[*fonts], ignore_system_fonts=True)


def compile_with(compiler: typst.Compiler, document: Document) -> bytes:
    """The PDF: the same document makes the same bytes. Raises TypstError."""
    data, timestamp = {"data": _drawn(document)}, datetime.fromisoformat(document.timestamp)
    found = compiler.compile(format="pdf", sys_inputs=data, timestamp=timestamp, pdf_standards=list(document.standards))
    assert isinstance(found, bytes)
    return found


def _drawn(document: Document) -> str:
    if not document.codes:
        return document.data
    data = json.loads(document.data)
    return json.dumps({**data, **{name: qr_code(data[name]) for name in document.codes}}, ensure_ascii=False, sort_keys=True)


def qr_code(text: str) -> str:
    """A QR code as SVG."""
    out = io.BytesIO()
    segno.make(text, error="m", micro=False, mask=MASK).save(out, kind="svg", border=0, xmldecl=False, svgns=True, nl=False)
    return out.getvalue().decode()


def fault_of(error: typst.TypstError) -> str:
    """What is wrong with a template, and where."""
    return f"{error.message} {error.diagnostic}".strip()


def work() -> None:
    """Set one document after the other. For each line (a Document) there comes a line `done` or `faulty` with a number, and so many bytes:
    the PDF, or what is wrong. Ends with its input, and after REST_SECONDS without work."""
    stand_back()
    known = lru_cache(maxsize=16)(lambda folder, template, _edition: compiler_of(Path(folder), template))
    rest = _rest()
    for line in sys.stdin.buffer:
        rest.cancel()
        document = Document.read(line)
        try:
            word, answer = DONE, compile_with(known(document.folder, document.template, document.edition), document)
        except typst.TypstError as error:
            word, answer = FAULTY, fault_of(error).encode()
        sys.stdout.buffer.write(f"{word} {len(answer)}\n".encode() + answer)
        sys.stdout.buffer.flush()
        rest = _rest()
    rest.cancel()


def _rest() -> threading.Timer:
    timer = threading.Timer(REST_SECONDS, os._exit, [0])  # at once: nothing is open, and whoever writes just now asks another process
    timer.daemon = True
    timer.start()
    return timer


def main() -> int:
    """Set what the input asks for."""
    if sys.argv[1:] == [SHOP]:
        work()
        return 0
    document = Document.read(sys.stdin.read())
    try:
        file = compile_with(compiler_of(Path(document.folder), document.template), document)
    except typst.TypstError as error:
        sys.stderr.write(fault_of(error))
        return 1
    sys.stdout.buffer.write(file)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
