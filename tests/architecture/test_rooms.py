"""The house keeps its shape: arrows, sizes, clocks, words, and what may lie on the ground floor."""

import ast
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from shared.operator import load_operator
from tests.bench.__main__ import MEASURES
from tests.support.service import OPERATOR_FOLDER

ROOT = Path(__file__).parents[2]
GROUND_FLOOR = {
    ".ci", ".dockerignore", ".gitignore", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md", "deploy", "docker-compose.yml", "docs",
    "pyproject.toml", "services", "shared", "tests", "uv.lock",
}  # fmt: skip
FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef
# Only here may a real clock be read, and only machine time comes of it (db: the first bits of new ids).
CLOCKS = {"shared/clock.py", "shared/db.py"}
# Who built it and with what is no part of it. Written apart, so that this list does not find itself.
FOREIGN = [
    "cla" + "ude",
    "anth" + "ropic",
    "chat" + "gpt",
    "open" + "ai",
    "co" + "dex",
    "co" + "pilot",
    "l" + "lm",
    "hel" + "per h",
    "sub" + "agent",
    "/wo" + "rk/",
]
FOREIGN_ID = re.compile(r"(?<![\w&])(?:issue|ticket|PR) ?#\d+", re.IGNORECASE)


def tracked() -> list[str]:
    """The files that belong to the project: those of git, else (in an unpacked archive) those that lie there."""
    found = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if found.returncode == 0:
        return [each for each in found.stdout.split("\0") if each and (ROOT / each).is_file()]
    return [
        path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*") if path.is_file() and not path.parts[len(ROOT.parts)].startswith(".")
    ]


@cache
def sources(*folders: str) -> dict[str, str]:
    """The Python files of these folders by path, without migrations, which are written by a program."""
    wanted = tuple(f"{each}/" for each in folders)
    return {
        name: (ROOT / name).read_text(encoding="utf-8")
        for name in tracked()
        if name.endswith(".py") and name.startswith(wanted) and "/migrations/0" not in name
    }


def code() -> dict[str, str]:
    return sources("services", "shared", "deploy")


def functions(text: str) -> Iterator[tuple[str, int]]:
    """Every function and its length in lines."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, FUNCTION):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def test_arrows_go_one_way() -> None:
    """import-linter's contracts stand in pyproject.toml."""
    found = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout[-3000:] + found.stderr[-1000:]


def test_no_module_is_longer_than_300_lines() -> None:
    sizes = {name: text.count("\n") for name, text in code().items()}
    assert {name: size for name, size in sizes.items() if size > 300} == {}


def test_nine_functions_of_ten_are_under_30_lines() -> None:
    lengths = {f"{name}:{function}": length for name, text in code().items() for function, length in functions(text)}
    assert len(lengths) > 300
    assert statistics.quantiles(lengths.values(), n=10)[-1] < 30, sorted(lengths.items(), key=lambda item: -item[1])[:20]
    assert {name: length for name, length in lengths.items() if length > 90} == {}


def test_modules_say_what_they_are_for() -> None:
    assert [name for name, text in code().items() if text.strip() and not ast.get_docstring(ast.parse(text))] == []


def test_nobody_reads_a_clock_but_the_clock() -> None:
    reading = re.compile(r"\b(datetime\.(now|utcnow|today)|date\.today|time\.time)\(")
    assert [name for name, text in code().items() if reading.search(text) and name not in CLOCKS] == []


@pytest.mark.parametrize(
    ("room", "forbidden"),
    [
        ("rules", r"machine_now|clock_timestamp|SystemClock|\bnow\(\)"),
        ("models", r"clock\.now|SystemClock"),
        ("queries", r"machine_now|clock_timestamp|clock\.now|SystemClock|\bnow\(\)"),
        ("operations", r"clock\.now|SystemClock|\bnow\(\)"),
        ("handlers", r"machine_now|clock\.now|SystemClock|\bnow\(\)"),
    ],
)
def test_decisions_are_given_their_time(room: str, forbidden: str) -> None:
    """What a service decides gets business time from its edge; whether a claim holds is asked of `shared.lease.holds`."""
    inside = {name: text for name, text in code().items() if re.match(rf"services/[a-z]+/{room}(/|\.py)", name)}
    assert inside
    assert [name for name, text in inside.items() if re.search(forbidden, text)] == []


def test_operations_never_commit() -> None:
    inside = {name: text for name, text in code().items() if re.match(r"services/[a-z]+/(operations|queries)(/|\.py)", name)}
    assert [name for name, text in inside.items() if re.search(r"\.(commit|rollback)\(", text)] == []


def test_nothing_about_one_operator_is_in_code() -> None:
    """Policies, desks and labels are the operator's; code that names one of them would be rewritten for the next. Docstrings, comments, the
    ids of rules, and an API's paths and examples may."""
    operator = load_operator(OPERATOR_FOLDER)
    words = {"vip", *operator.policies, *operator.procedures, *operator.notices, *(each.code for each in operator.desks)} - {"noc"}
    logic = {name: text for name, text in code().items() if not name.startswith(("deploy/", "services/demo")) and "/api/" not in name}
    assert [
        (name, text) for name, source in logic.items() for text in texts(source) if words & set(re.findall(r"[a-z_]+", text.lower()))
    ] == []


def texts(source: str) -> Iterator[str]:
    """The texts in code that are neither docstrings, rule ids, nor prose."""
    tree = ast.parse(source)
    doc = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in doc and not is_prose(node.value):
            yield node.value


def is_prose(text: str) -> bool:
    """A rule's id, or words for people."""
    return text.count(" ") > 1 or re.fullmatch(r"[A-Z]+-\d+", text) is not None


def test_rules_named_in_code_exist() -> None:
    """The documents' ids of all five operators are known; an operator's own ids must be in its rules.yaml."""
    known = set(load_operator(OPERATOR_FOLDER).rules)
    named = {
        (name, rule)
        for name, source in code().items()
        for rule in re.findall(r'"((?:VIP|RES|NOC|FACT|FISCAL|PAGO|[A-Z]{3,8})-\d{1,3})"', source)
    }
    assert named
    assert {(name, rule) for name, rule in named if rule not in known and not rule.startswith(("UTF", "ISO", "ASCII", "SHA"))} == set()


def imported(source: str) -> Iterator[str]:
    """Every module that a source names in its imports, also those for type checkers and inside functions."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{each.name}" for each in node.names)
            yield node.module


def test_no_two_modules_need_each_other() -> None:
    modules = {
        name.removesuffix(".py").removesuffix("/__init__").replace("/", "."): text for name, text in sources("shared", "services").items()
    }
    needs = {}
    for name, text in modules.items():
        found = [each for each in imported(text) if each in modules]
        packages = {each.rpartition(".")[0] for each in found}  # `from shared import timers` needs the module, not what the package gathers
        needs[name] = {each for each in found if each != name and each not in packages}
    assert len(list(TopologicalSorter(needs).static_order())) == len(modules)


def test_the_ground_floor() -> None:
    assert {name.split("/")[0] for name in tracked()} - GROUND_FLOOR == set()
    docs = {name.split("/")[1] for name in tracked() if name.startswith("docs/")}
    assert docs - {f"growth-{name.lower()}.svg" for name in MEASURES} <= {
        "adr",
        "schemas",
        "events.md",
        "asyncapi.yaml",
        "operations.md",
        "house.svg",
        "performance.md",
        "reliability.md",
        "webhooks.md",
        "api.md",
        "campos.md",
        "escribir-una-politica.md",
        "escribir-un-procedimiento.md",
        "escribir-un-aviso.md",
    }


def test_no_room_for_odds_and_ends() -> None:
    odd = {"utils.py", "util.py", "helpers.py", "common.py", "misc.py", "base_service.py"}
    assert [name for name in tracked() if Path(name).name in odd] == []


def test_nothing_foreign_is_in_the_tree() -> None:
    found = []
    for name in tracked():
        if name in {"uv.lock", "tests/architecture/test_rooms.py"} or name.endswith((".otf", ".ttf", ".png")):
            continue
        text = (ROOT / name).read_text(encoding="utf-8", errors="replace").lower()
        found += [
            (name, word)
            for word in FOREIGN
            if re.search(rf"(?<![a-z]){re.escape(word)}(?![a-z])" if word[0].isalpha() else re.escape(word), text)
        ]
        found += [(name, each) for each in FOREIGN_ID.findall(text)]
    assert found == []


def test_nothing_is_left_for_later() -> None:
    marks = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX|HA" + r"CK)\b|NotImplemented" + r"Error\(")
    assert [name for name, text in sources("services", "shared", "deploy", "tests").items() if marks.search(text)] == []
