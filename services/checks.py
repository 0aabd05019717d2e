"""Checks of the operator's documents without starting anything: `reconecta check`, `reconecta rules`, `reconecta schemas`."""

import ast
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from services.billing.adapters.mapping_files import MappingError, load_mapping
from services.billing.adapters.price_functions import NoSuchPrice, price_function
from services.billing.rules import mapping
from shared.operator import Operator, Rule, check_operator
from shared.operator.company import Rules
from shared.operator.files import Mistake, parse, read_source
from shared.operator.loading import schemas as document_schemas

ROOT = Path(__file__).parent.parent
TESTS, SCHEMAS = ROOT / "tests", ROOT / "docs" / "schemas"
BOOKS, PLANS = "books", "catalog/plans.yaml"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
PATTERNS = {"time": r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$", "duration": r"^P.+$"}


def check_documents(folder: Path, console: Console) -> int:
    """Say what is wrong in an operator's folder, or what there is; the exit code."""
    operator, mistakes = check_operator(folder)
    mistakes += [*check_mappings(folder, operator), *check_prices(folder, operator)]
    for mistake in mistakes:
        console.print(escape(str(mistake)), soft_wrap=True)
    if mistakes or operator is None:
        console.print(f"[bold red]{len(mistakes)} error(es)[/] en {escape(str(folder))}: los servicios no arrancan con estos documentos.")
        return 1
    console.print(escape(f"{operator.name} ({folder}): {summary(operator)}. Todo en orden."), soft_wrap=True)
    return 0


def summary(operator: Operator) -> str:
    """What an operator's documents hold, in figures."""
    figures = (
        (len(operator.policies), "política", "políticas"),
        (len(operator.procedures), "procedimiento", "procedimientos"),
        (len(operator.notices), "aviso", "avisos"),
        (len(operator.desks), "escritorio", "escritorios"),
        (len(operator.people), "persona", "personas"),
        (len(operator.plans), "plan", "planes"),
        (len(operator.rules), "regla", "reglas"),
    )
    return ", ".join(f"{count} {one if count == 1 else many}" for count, one, many in figures)


def check_mappings(folder: Path, operator: Operator | None) -> list[Mistake]:
    """What is wrong in the mapping files that an operator ships for its books."""
    mistakes: list[Mistake] = []
    for path in sorted((folder / BOOKS).glob("*.mapping.yaml")):
        try:
            load_mapping(path, operator)
        except MappingError as error:
            mistakes += [replace(each, file=f"{BOOKS}/{each.file}") for each in error.mistakes]
    return mistakes


def check_prices(folder: Path, operator: Operator | None) -> Iterator[Mistake]:
    """Which plans name a price function that is not installed here."""
    source = read_source(folder, PLANS, [])
    for number, plan in enumerate(operator.plans if operator is not None else []):
        try:
            if plan.price:
                price_function(plan.code, plan.price)
        except NoSuchPrice as error:
            assert source is not None
            yield source.mistake(("plans", number, "price"), str(error))


# ---- rules and the tests that prove them ------------------------------------------------------------------------------------


@dataclass
class Proofs:
    """Which tests say that they prove a rule: `tests/billing/test_x.py::test_y` by rule id."""

    by_rule: dict[str, list[str]] = field(default_factory=dict)

    def add(self, rule: str, test: str) -> None:
        self.by_rule.setdefault(rule, []).append(test)


def proofs_in(tests: Path) -> Proofs:
    """Read the marks `@rule("VIP-12")` from the tests' source; a mark on a class or a module counts for its tests."""
    found = Proofs()
    for path in sorted(tests.rglob("test_*.py")):
        name = path.relative_to(tests.parent).as_posix()
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for ids, test in _marks(tree):
            for rule in ids:
                found.add(rule, f"{name}::{test}")
    return found


def _marks(tree: ast.Module) -> Iterator[tuple[list[str], str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for decorator in node.decorator_list:
                yield _ids(decorator), node.name
        elif isinstance(node, ast.Assign) and any(isinstance(each, ast.Name) and each.id == "pytestmark" for each in node.targets):
            for call in ast.walk(node.value):
                yield _ids(call), "*"
        elif isinstance(node, ast.keyword) and node.arg == "marks":
            yield [rule for call in ast.walk(node.value) for rule in _ids(call)], "parametrize"


def _ids(node: ast.AST) -> list[str]:
    """The ids in `rule("VIP-1", …)` or `pytest.mark.rule("VIP-1", …)`."""
    if not isinstance(node, ast.Call):
        return []
    name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr if isinstance(node.func, ast.Attribute) else ""
    texts = [each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    return texts if name == "rule" else []


def check_rules(folder: Path, console: Console, tests: Path = TESTS) -> int:
    """Show which rules of an operator are proven by a test; the exit code is 1 when one marked as built is not, or a mark names no rule."""
    mistakes: list[Mistake] = []
    rules = parse(Rules, read_source(folder, "rules.yaml", mistakes), mistakes)
    for mistake in mistakes:
        console.print(escape(str(mistake)), soft_wrap=True)
    if rules is None:
        return 1
    if not tests.is_dir():
        console.print(f"[red]No hay pruebas en {escape(str(tests))}: este comando es para el código fuente.")
        return 1
    proofs = proofs_in(tests)
    console.print(_table(rules.rules, proofs))
    unproven = [each.id for each in rules.rules if each.built and each.id not in proofs.by_rule]
    ahead = [each.id for each in rules.rules if not each.built and each.id in proofs.by_rule]
    known = {each.id for each in rules.rules}
    unknown = {rule: names for rule, names in sorted(proofs.by_rule.items()) if rule not in known}
    built = sum(each.built for each in rules.rules)
    console.print(
        f"{len(rules.rules)} reglas: {built} construidas, {built - len(unproven)} probadas, {len(rules.rules) - built} por construir."
    )
    if ahead:
        console.print(f"Tienen pruebas y todavía dicen `built: false`: {', '.join(ahead)}")
    for rule, names in unknown.items():
        console.print(f"[bold red]Ninguna regla se llama {escape(rule)}[/]: la nombra {escape(names[0])}")
    if unproven:
        console.print(f"[bold red]Construidas y sin prueba:[/] {', '.join(unproven)}")
    return 1 if unproven or unknown else 0


def _table(rules: list[Rule], proofs: Proofs) -> Table:
    """Every rule: is it built, and how many tests prove it."""
    made = Table(header_style="bold")
    for name in ("Regla", "Construida", "Pruebas"):
        made.add_column(name, no_wrap=True, min_width=max(len(name), 8))
    made.add_column("Texto", no_wrap=True, overflow="ellipsis")
    for each in rules:
        count = len(proofs.by_rule.get(each.id, []))
        made.add_row(each.id, "sí" if each.built else "no", str(count) if count else "—", escape(each.text))
    return made


# ---- schemas for editors ------------------------------------------------------------------------------------------------------


def schemas() -> Mapping[str, Any]:
    """The JSON Schema of every kind of document and mapping, by name, as an editor of YAML understands it."""
    return {name: _for_editors(schema) for name, schema in {**document_schemas(), **mapping.schemas()}.items()}


def _for_editors(schema: Any) -> Any:
    """Hours and durations as the files write them (JSON Schema's own formats mean others), without the docstrings of our classes."""
    if isinstance(schema, list):
        return [_for_editors(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {name: _for_editors(value) for name, value in schema.items() if not (name == "description" and "properties" in schema)}
    if pattern := PATTERNS.get(str(kept.get("format"))):
        del kept["format"]
        kept["pattern"] = pattern
    return kept


def schema_texts() -> dict[str, str]:
    """The schema files as they are to be: file name → text."""
    return {
        f"{name}.json": json.dumps({"$schema": DIALECT, **schema}, ensure_ascii=False, indent=2) + "\n"
        for name, schema in schemas().items()
    }


def write_schemas(folder: Path = SCHEMAS) -> list[str]:
    """Write the schema files; their names."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = schema_texts()
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return sorted(texts)


def stale_schemas(folder: Path = SCHEMAS) -> list[str]:
    """The names of schema files that are missing, differ from the code, or belong to nothing."""
    texts = schema_texts()
    present = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
    return sorted(name for name in texts.keys() | present.keys() if texts.get(name) != present.get(name))


def main(arguments: Sequence[str]) -> None:
    """Write docs/schemas; with `check` only say which files are not up to date."""
    if list(arguments) != ["check"]:
        write_schemas()
    elif stale := stale_schemas():
        sys.exit(f"docs/schemas is not up to date ({', '.join(stale)}): run `python -m services.checks`")


if __name__ == "__main__":
    main(sys.argv[1:])
