"""`reconecta check`, `reconecta rules`, `reconecta schemas`: what they say and with which exit code."""

import ast
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from rich.console import Console

from services import checks
from shared.operator import check_operator
from shared.operator.permissions import PERMISSIONS
from tests.operator.conftest import Spoil
from tests.support.service import OPERATOR_FOLDER

ROOT = Path(__file__).parents[2]


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=300, highlight=False)


def said(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


# ---- check ------------------------------------------------------------------------------------------------------------------


def test_documents_in_order_are_summed_up(console: Console) -> None:
    assert checks.check_documents(OPERATOR_FOLDER, console) == 0
    assert "2 políticas" in said(console) and "11 escritorios" in said(console) and "Todo en orden." in said(console)


def test_mistakes_are_listed_one_a_line(folder: Path, spoil: Spoil, console: Console) -> None:
    spoil("operator.yaml", "currency: USD", "currency: USX")
    assert checks.check_documents(folder, console) == 1
    lines = said(console).splitlines()
    assert lines[0].startswith("operator.yaml:") and lines[0].endswith("currency: moneda desconocida: USX")
    assert lines[1].startswith("1 error(es) en ")


def test_a_mapping_is_checked_too(folder: Path, console: Console) -> None:
    (folder / "books").mkdir()
    (folder / "books/otro.mapping.yaml").write_text("source: crm\ncustomer:\n  external_id: Código\n  nombre: Nombre\n")
    assert checks.check_documents(folder, console) == 1
    assert "books/otro.mapping.yaml:4: customer.nombre: este campo no existe" in said(console)
    assert "books/otro.mapping.yaml:2: customer.name: falta" in said(console)


def test_a_mapping_knows_the_plans_of_its_operator(folder: Path, console: Console) -> None:
    (folder / "books").mkdir()
    text = (OPERATOR_FOLDER / "books/clientes.mapping.yaml").read_text().replace("Línea fija: telefonia", "Línea fija: telefonía")
    (folder / "books/clientes.mapping.yaml").write_text(text)
    assert checks.check_documents(folder, console) == 1
    assert "no existe plan «telefonía» (¿quiso decir «telefonia»?)" in said(console)


def test_a_price_function_must_be_installed(folder: Path, spoil: Spoil, console: Console) -> None:
    spoil("catalog/plans.yaml", "kind: residential, ", "kind: residential, price: redsula_prices.distance:price, ")
    assert checks.check_documents(folder, console) == 1
    assert "catalog/plans.yaml:5: plans.0.price: El plan hogar_10 nombra la función de precio «redsula_prices.distance:price»" in said(
        console
    )


# ---- rules ------------------------------------------------------------------------------------------------------------------


def proof(tmp_path: Path, text: str) -> Path:
    tests = tmp_path / "tests"
    tests.mkdir(exist_ok=True)
    (tests / "test_x.py").write_text(text)
    return tests


def test_marks_are_found_wherever_they_stand(tmp_path: Path) -> None:
    text = """
import pytest
pytestmark = [pytest.mark.rule("VIP-1")]
@rule("VIP-2", "VIP-3")
async def test_a(): ...
class TestB:
    @pytest.mark.rule("VIP-4")
    def test_c(self): ...
@pytest.mark.parametrize("x", [pytest.param(1, marks=rule("VIP-5"))])
def test_d(x): "not rule('VIP-6')"
"""
    assert checks.proofs_in(proof(tmp_path, text)).by_rule == {
        "VIP-1": ["tests/test_x.py::*"],
        "VIP-2": ["tests/test_x.py::test_a"],
        "VIP-3": ["tests/test_x.py::test_a"],
        "VIP-4": ["tests/test_x.py::test_c"],
        "VIP-5": ["tests/test_x.py::parametrize"],
    }


RULES = """
rules:
  - {id: VIP-1, text: Una, page: p, built: true}
  - {id: VIP-2, text: Dos, page: p, built: false}
"""


@pytest.mark.parametrize(
    ("marks", "code", "says"),
    [
        ('@rule("VIP-1")', 0, "2 reglas: 1 construidas, 1 probadas, 1 por construir."),
        ('@rule("VIP-2")', 1, "Construidas y sin prueba: VIP-1"),
        ('@rule("VIP-1", "VIP-2")', 0, "Tienen pruebas y todavía dicen `built: false`: VIP-2"),
        ('@rule("VIP-1", "VIP-77")', 1, "Ninguna regla se llama VIP-77: la nombra tests/test_x.py::test_a"),
    ],
)
def test_a_built_rule_needs_a_test(tmp_path: Path, console: Console, marks: str, code: int, says: str) -> None:
    (tmp_path / "rules.yaml").write_text(RULES)
    tests = proof(tmp_path, f"{marks}\ndef test_a(): ...\n")
    assert checks.check_rules(tmp_path, console, tests) == code
    assert says in said(console)


def test_rules_say_their_own_mistakes(tmp_path: Path, console: Console) -> None:
    (tmp_path / "rules.yaml").write_text("rules:\n  - {id: vip uno, text: Una, page: p, built: true}\n")
    assert checks.check_rules(tmp_path, console) == 1
    assert "rules.yaml:2: rules.0.id: " in said(console)


def test_every_rule_has_a_text_and_a_page() -> None:
    operator = check_operator(OPERATOR_FOLDER)[0]
    assert operator is not None
    assert [f"VIP-{number}" for number in range(1, 32)] == [each for each in operator.rules if each.startswith("VIP-")]
    assert all(len(each.text) > 30 and each.page and "por escribir" not in each.text for each in operator.rules.values())
    assert all(each.built for each in operator.rules.values() if each.id.startswith("VIP-"))


# ---- schemas ----------------------------------------------------------------------------------------------------------------


class PlainLoader(yaml.SafeLoader):
    """YAML 1.2 as an editor reads it: a date is a text, and so is `on`."""


OLD = {"tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:bool"}
PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in found if tag not in OLD] for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
PlainLoader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), list("tf"))
SHIPPED = sorted(OPERATOR_FOLDER.rglob("*.yaml"))


def test_schemas_are_fresh() -> None:
    assert checks.stale_schemas() == [], "run: python -m services.checks"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.relative_to(OPERATOR_FOLDER).as_posix())
def test_each_file_names_its_schema_and_satisfies_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    hint = text.splitlines()[0].removeprefix("# yaml-language-server: $schema=")
    schema = (path.parent / hint).resolve()
    assert schema.is_file() and schema.parent == checks.SCHEMAS, "the first line names the schema"
    validator = Draft202012Validator(checks.schemas()[schema.stem])
    value = yaml.load(text, Loader=PlainLoader)  # noqa: S506 - a SafeLoader
    assert [f"{error.json_path}: {error.message[:150]}" for error in validator.iter_errors(value)] == []


def test_written_and_stale(tmp_path: Path) -> None:
    names = checks.write_schemas(tmp_path)
    assert {"policy.json", "procedure.json", "notice.json", "operator.json", "customer_mapping.json"} <= set(names)
    assert checks.stale_schemas(tmp_path) == []
    (tmp_path / "policy.json").write_text("{}")
    (tmp_path / "otra.json").write_text("{}")
    assert checks.stale_schemas(tmp_path) == ["otra.json", "policy.json"]


# ---- permissions ------------------------------------------------------------------------------------------------------------


def permissions_asked_for() -> Iterator[tuple[str, str]]:
    """Every permission that the code asks for: where, and its name."""
    for path in [*ROOT.glob("services/**/*.py"), *ROOT.glob("shared/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called: Any = node.func if isinstance(node, ast.Call) else None
            name = called.id if isinstance(called, ast.Name) else called.attr if isinstance(called, ast.Attribute) else ""
            if isinstance(node, ast.Call) and name in {"permits", "may"} and node.args and isinstance(node.args[-1], ast.Constant):
                yield f"{path.relative_to(ROOT)}:{node.lineno}", str(node.args[-1].value)


def test_the_code_asks_for_known_permissions_only() -> None:
    asked = list(permissions_asked_for())
    assert len(asked) > 10
    assert [(where, name) for where, name in asked if name not in PERMISSIONS] == []


def test_every_permission_opens_something() -> None:
    """Those to export are asked for by the service's name; tests/security/test_matrix.py holds them."""
    edges = [
        *ROOT.glob("services/*/api/**/*.py"),
        *ROOT.glob("services/*/api.py"),
        *ROOT.glob("shared/web/*.py"),
        ROOT / "services/conductor.py",
    ]
    text = "\n".join(path.read_text(encoding="utf-8") for path in edges)
    assert [name for name in PERMISSIONS if f'"{name}"' not in text and not name.endswith(".export")] == []
