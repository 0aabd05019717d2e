"""`python -m tests.support.history FOLDER`: judge what `History.save` and `Evidence.save` kept; 1 when something may not be."""

import sys
from pathlib import Path

from tests.support.history.checker import violations
from tests.support.history.commands import FILE, History
from tests.support.history.evidence import Evidence


def main(folder: Path) -> int:
    history = History.load(folder) if (folder / FILE).exists() else None
    found = violations(history, Evidence.load(folder))
    for each in found:
        sys.stdout.write(f"{each}\n")
    sys.stdout.write(f"{len(found)} violations\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
