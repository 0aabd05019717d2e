"""An operator made from scratch: a company of the tests' own, with the policies, procedures and notices of the pages in docs/."""

import re
import shutil
from pathlib import Path

COMPANY, DOCS = Path("tests/operator/otro"), Path("docs")
PAGES = ("escribir-una-politica.md", "escribir-un-procedimiento.md", "escribir-un-aviso.md")
EXAMPLE = re.compile(r"^```(?:yaml|jinja) (\S+/\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples(page: str) -> dict[str, str]:
    """The files that a page shows: name below the operator's folder → text."""
    return dict(EXAMPLE.findall((DOCS / page).read_text(encoding="utf-8")))


def another_operator(target: Path) -> Path:
    """Write the operator's folder: nothing in it comes from the shipped one."""
    shutil.copytree(COMPANY, target)
    for page in PAGES:
        for name, text in examples(page).items():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_text(text, encoding="utf-8")
    return target
