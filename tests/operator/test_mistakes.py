"""Every kind of mistake in an operator's documents: file, line, field and a message that says what to mend."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from shared.operator import OperatorError, check_operator, files, load_operator
from shared.operator.files import Mistake, read_source
from tests.operator.conftest import Spoil
from tests.support.service import OPERATOR_FOLDER

CASES = yaml.safe_load((Path(__file__).parent / "mistakes.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['file']}-{case['field']}")
def test_a_mistake_names_file_line_field(
    spoil: Spoil, mistakes: Callable[[], list[str]], line_of: Callable[[str, str], int], case: dict[str, str]
) -> None:
    spoil(case["file"], case["for"], case["put"])
    found = mistakes()
    where = f"{case['file']}:{line_of(case['file'], case['line'])}"
    wanted = ": ".join(filter(None, (where, case["field"], case["says"])))  # without a field: the document as a whole
    assert wanted in found, "\n".join(found) or "the mistake was not seen"


def test_overlapping_fiscal_ranges(folder: Path, mistakes: Callable[[], list[str]]) -> None:
    path = folder / "catalog/fiscal_series.yaml"
    path.write_text(
        path.read_text() + "  - {code: otra, prefix: 000-001-01-, digits: 8, from_number: 4999999, to_number: 6000000, "
        "expires: 2028-01-01, authorization_code: X}\n"
    )
    line = len(path.read_text().splitlines())
    where = f"catalog/fiscal_series.yaml:{line}: fiscal_series.2.from_number"
    assert mistakes() == [f"{where}: el rango se cruza con el de «factura»: un número saldría dos veces"]


def test_a_fee_that_no_invoice_can_name(spoil: Spoil, mistakes: Callable[[], list[str]], line_of: Callable[[str, str], int]) -> None:
    spoil("catalog/plans.yaml", "  - {kind: late, name: Recargo por pago tardío, tax: isv15}\n", "")
    where = f"policies/residencial.yaml:{line_of('policies/residencial.yaml', 'late:')}: fees.late"
    assert mistakes() == [f"{where}: falta «late» en `fees` de catalog/plans.yaml: cómo se llama en la factura y qué impuesto lleva"]


def test_a_condition_that_never_holds(spoil: Spoil, mistakes: Callable[[], list[str]]) -> None:
    name = "notices/recordatorio_residencial.yaml"
    spoil(name, "reminder: antes_de_vencer", "reminder: antes_de_vencerse")
    (mistake,) = mistakes()
    assert (
        "when.reminder: nunca vale «antes_de_vencerse» (¿quiso decir «antes_de_vencer»?); puede ser: antes_de_vencer, ya_vencido" in mistake
    )


def test_the_same_notice_twice(folder: Path, mistakes: Callable[[], list[str]]) -> None:
    text = (folder / "notices/factura_del_mes.yaml").read_text()
    (folder / "notices/factura_otra.yaml").write_text(text.replace("code: factura_del_mes", "code: factura_otra"))
    (mistake,) = mistakes()
    assert mistake.startswith("notices/factura_otra.yaml:")
    assert mistake.endswith("on: es igual a notices/factura_del_mes.yaml: el mismo correo saldría dos veces")


def test_a_template_that_is_none(folder: Path, mistakes: Callable[[], list[str]]) -> None:
    (folder / "templates/factura_del_mes.txt.j2").write_text("Hola\n{% if x %}\n{{ }\n")
    assert any(each.startswith("templates/factura_del_mes.txt.j2:3: ") for each in mistakes())


def test_missing_files_and_folders(folder: Path, mistakes: Callable[[], list[str]]) -> None:
    (folder / "rules.yaml").unlink()
    for path in (folder / "policies").glob("*.yaml"):
        path.unlink()
    assert mistakes() == ["policies:1: no hay ningún archivo .yaml en esta carpeta", "rules.yaml:1: falta este archivo"]


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("code: vip_isp", "\tcode: vip_isp", None, "tabulador"),
        ("name: Red Sula", " name: Red Sula", 5, "sangría"),
        ("name: Red Sula", 'name: "Red" Sula', 5, "comillas"),
        ("name: Red Sula", "name: Red: Sula", 5, "va entre comillas"),
        ("weekend: [5, 6]", "weekend: [5, 6", None, "corchete"),
        ("name: Red Sula", "name: @redsula", 5, "va entre comillas"),
    ],
)
def test_a_slip_in_yaml_is_told_in_the_words_of_who_made_it(
    folder: Path, mistakes: Callable[[], list[str]], old: str, new: str, line: int | None, words: str
) -> None:
    path = folder / "operator.yaml"
    path.write_text(path.read_text().replace(old, new, 1))
    (found,) = mistakes()
    assert words in found and "expected" not in found and "found" not in found
    assert line is None or found.startswith(f"operator.yaml:{line}: ")


def test_what_is_no_yaml_or_no_text(folder: Path, mistakes: Callable[[], list[str]]) -> None:
    (folder / "operator.yaml").write_text("code: vip_isp\nname: [sin cerrar\n")
    (folder / "rules.yaml").write_bytes(b"rules: \xff\xfe\n")
    (folder / "qualification.yaml").write_text("policy: vip\npolicy: residencial\nrule: VIP-1\nany_of: []\n")
    found = mistakes()
    assert found[0].startswith("operator.yaml:3: no es YAML válido: ")
    assert found[1:] == [
        "qualification.yaml:2: policy: está dos veces",
        "qualification.yaml:4: any_of: tiene muy pocos elementos: al menos 1",
        "rules.yaml:1: no está en UTF-8",
    ]


@pytest.mark.parametrize(
    "text",
    [
        *(path.read_text(encoding="utf-8") for path in OPERATOR_FOLDER.rglob("*.yaml") if "books" not in path.parts),
        "a: 5\tb\nc: {d: e\tf}\n",
        "a: {text: Su pl?n es Dedicado, b: c}\n",
        "a: |\n  uno\n   dos\n\nb: >-\n  tres\n  cuatro\nc: 'it''s'\nd: \"\\u00e9\"\ne: ~\nf: ''\ng: null\nh:\n",
        "a:\n- &x b\n- *x\n- [c, d]: e\n- a: 1\n  a: 2\n",
        "a: [b\nc: d\n",
        "a: @b\n",
        "a: \x00b\n",
        "",
    ],
)
def test_both_readers_of_yaml_see_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    fast: list[Mistake] = []
    careful: list[Mistake] = []
    found = read_source(tmp_path, "a.yaml", fast)
    monkeypatch.setattr(files, "DEEP", 0)
    assert (found, fast) == (read_source(tmp_path, "a.yaml", careful), careful)


def test_what_is_deeper_than_any_document_ends_nobody(tmp_path: Path) -> None:
    for text in ("[" * 100_000, "- " * 20_000 + "a", "{a: " * 10_000 + "}" * 10_000):
        (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
        found: list[Mistake] = []
        assert read_source(tmp_path, "a.yaml", found) is None
        assert [each.message for each in found] == ["tiene demasiados niveles de sangría o de corchetes"]


def test_all_mistakes_are_told_at_once_and_nothing_starts(folder: Path, spoil: Spoil) -> None:
    spoil("operator.yaml", "currency: USD", "currency: dólares")
    spoil("policies/vip.yaml", "decided_by: person", "decided_by: nadie")
    with pytest.raises(OperatorError) as refused:
        load_operator(folder)
    assert [each.file for each in refused.value.mistakes] == ["operator.yaml", "policies/vip.yaml"]
    assert "policies/vip.yaml:" in str(refused.value) and "debe ser uno de: 'person' o 'system'" in str(refused.value)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert [str(each) for each in check_operator(tmp_path / "nada")[1]] == [f"{tmp_path / 'nada'}:1: no existe esta carpeta"]


def test_the_shipped_documents_are_in_order() -> None:
    assert check_operator(OPERATOR_FOLDER)[1] == []
