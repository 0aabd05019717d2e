"""A compiler of Typst documents, and `python -m shared.typesetter`, which sets one long document in a process of its own.

# Note [A long document has a process]
The compiler keeps what it has laid out, to be faster with the next similar document: right for invoices, and hundreds of megabytes for the
history of ten years. So such a document is set by a process that ends with it. It reads a Job from its input and writes the PDF.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, Self

import typst

Standard = Literal["a-3b"]  # PDF/A-3: for archives, with files attached
TEMPLATES, FONTS = "templates", "templates/fonts"


@dataclass(frozen=True)
class Job:
    """A document to set: a template of an operator's folder, its data (a JSON text), the file's own date (ISO 8601)."""

    folder: str
    template: str
    data: str
    timestamp: str
    standards: tuple[Standard, ...] = ()

    def text(self) -> str:
        """As it is handed over."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> Self:
        """What was handed over."""
        given = json.loads(text)
        return cls(**{**given, "standards": tuple(given["standards"])})


def compiler_of(folder: Path, template: str) -> typst.Compiler:
    """A compiler that sees the operator's templates and fonts, and nothing else of the machine."""
    fonts = [folder / FONTS] if (folder / FONTS).is_dir() else []
    return typst.Compiler(folder / TEMPLATES / template, root=folder / TEMPLATES, font_paths=[*fonts], ignore_system_fonts=True)


def compile_with(compiler: typst.Compiler, data: str, timestamp: datetime, standards: Sequence[Standard]) -> bytes:
    """The PDF: the same input makes the same bytes. Raises TypstError."""
    found = compiler.compile(format="pdf", sys_inputs={"data": data}, timestamp=timestamp, pdf_standards=list(standards))
    assert isinstance(found, bytes)
    return found


def main() -> int:
    """Set what the input asks for."""
    job = Job.read(sys.stdin.read())
    try:
        file = compile_with(compiler_of(Path(job.folder), job.template), job.data, datetime.fromisoformat(job.timestamp), job.standards)
    except typst.TypstError as error:
        sys.stderr.write(f"{error.message} {error.diagnostic}")
        return 1
    sys.stdout.buffer.write(file)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
