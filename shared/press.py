"""Documents on paper: the operator's own templates (`templates/*.typ`), compiled by Typst in this process.

# Note [Data never becomes markup]
A template gets everything as one JSON text in `sys.inputs.data` and reads it with Typst's own JSON reader, so a customer named `#panic()`
is printed as just that. What people read is formatted before it comes here, by the operator's locale; the template only places it.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Literal

import typst

from shared.operator import Operator

Standard = Literal["a-3b"]  # PDF/A-3: for archives, with files attached
TEMPLATES, FONTS = "templates", "templates/fonts"


class PdfFailed(Exception):
    """The operator's template does not compile; the text says where."""


@dataclass
class Press:
    """A compiler with its template and fonts in memory. It takes one document at a time."""

    template: Path
    compiler: typst.Compiler
    lock: threading.Lock = field(default_factory=threading.Lock)

    def print(self, data: str, timestamp: datetime, standards: Sequence[Standard] = ()) -> bytes:
        """Print a JSON text, by standards of PDF such as `a-3b`; the same input makes the same bytes. Blocking: call it in a thread.
        Raises PdfFailed."""
        with self.lock:
            try:
                found = self.compiler.compile(format="pdf", sys_inputs={"data": data}, timestamp=timestamp, pdf_standards=list(standards))
            except typst.TypstError as error:
                raise PdfFailed(f"{self.template}: {error.message} {error.diagnostic}".strip()) from error
        assert isinstance(found, bytes)
        return found


def press(operator: Operator, template: str) -> Press:
    """The press of one of the operator's templates (`invoice.typ`)."""
    return _press(operator.folder, template, operator.fingerprint)


@lru_cache(maxsize=16)
def _press(folder: Path, name: str, fingerprint: str) -> Press:
    """Other documents (another fingerprint) get another press."""
    template = folder / TEMPLATES / name
    fonts = [folder / FONTS] if (folder / FONTS).is_dir() else []
    return Press(template, typst.Compiler(template, root=folder / TEMPLATES, font_paths=[*fonts], ignore_system_fonts=True))
