"""A copy of the shipped operator's folder that a test may spoil."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.operator import check_operator
from tests.support.service import OPERATOR_FOLDER

Spoil = Callable[[str, str, str], None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped documents, without the books."""
    return copy_of_documents(tmp_path / "operator")


def copy_of_documents(target: Path) -> Path:
    """Copy the shipped documents; fonts and books matter to no check here."""
    shutil.copytree(OPERATOR_FOLDER, target, ignore=shutil.ignore_patterns("books", "fonts"))
    return target


@pytest.fixture
def spoil(folder: Path) -> Spoil:
    """`spoil(file, old, new)`: put `new` where `old` stands first in a file of the copy; it must stand there."""

    def change(name: str, old: str, new: str) -> None:
        path = folder / name
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{name} has no {old!r}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    return change


@pytest.fixture
def mistakes(folder: Path) -> Callable[[], list[str]]:
    """What the check says of the copy, one text per mistake; the line as it is in the file."""
    return lambda: [str(each) for each in check_operator(folder)[1]]


@pytest.fixture
def line_of(folder: Path) -> Callable[[str, str], int]:
    """`line_of(file, text)`: the number of the first line that holds the text."""

    def find(name: str, text: str) -> int:
        lines = (folder / name).read_text(encoding="utf-8").splitlines()
        return next(number for number, line in enumerate(lines, start=1) if text in line)

    return find
