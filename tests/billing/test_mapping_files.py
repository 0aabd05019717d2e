"""A mapping with a mistake names file, line and field."""

from pathlib import Path

import pytest

from services.billing.adapters.mapping_files import MappingError, load_mapping, shipped_mapping
from services.billing.rules.mapping import CustomerMapping, PaymentMapping, schemas
from tests.billing.books import BANK, MAPPING
from tests.support.service import OPERATOR_FOLDER, operator

GOOD = """source: crm
customer:
  external_id: id
  name: nombre
services:
  - {code: {constant: internet}, plan: {column: plan, convert: {Fibra: hogar_50}}}
"""


def mistakes(folder: Path, text: str) -> list[str]:
    path = folder / "crm.mapping.yaml"
    path.write_text(text)
    with pytest.raises(MappingError) as caught:
        load_mapping(path, operator())
    assert str(caught.value).count("\n") == len(caught.value.mistakes)
    return [str(each) for each in caught.value.mistakes]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("  name: nombre\n", "", "crm.mapping.yaml:2: customer.name: falta"),
        ("  name: nombre", "  nmae: nombre\n  name: nombre", "crm.mapping.yaml:4: customer.nmae: este campo no existe"),
        ("  name: nombre", "  name: {}", "crm.mapping.yaml:4: customer.name: indique exactamente uno de"),
        ("source: crm", "source: crm\ndecimal: ;", "crm.mapping.yaml:2: decimal: debe ser uno de"),
        ("source: crm", "source: crm\nencoding: utf-99", "crm.mapping.yaml:2: encoding: codificación desconocida: utf-99"),
        ("source: crm", "source: crm\nas_of: ayer", "crm.mapping.yaml:2: as_of: no es una fecha"),
        ("Fibra: hogar_50", "Fibra: hogar_5", "crm.mapping.yaml:6: services.0.plan.convert.Fibra: no existe plan «hogar_5» (¿quiso decir"),
        (
            "{constant: internet}",
            "{constant: internet, otherwise: x}",
            "crm.mapping.yaml:6: services.0.code: `otherwise` solo tiene",
        ),
        ("source: crm", "source: crm\nsource: otro", "crm.mapping.yaml:2: source: está dos veces"),
        ("source: crm", "source: [crm", "crm.mapping.yaml:2: no es YAML válido"),
        ("source: crm", "source: crm\none_row_per: mes", "crm.mapping.yaml:2: one_row_per: debe ser uno de"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_field(tmp_path: Path, old: str, new: str, expected: str) -> None:
    text = GOOD.replace(old, new)
    assert text != GOOD
    assert [each for each in mistakes(tmp_path, text) if each.startswith(expected)], mistakes(tmp_path, text)


def test_no_file_an_empty_file_and_a_list_are_told_too(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="falta este archivo"):
        load_mapping(tmp_path / "nada.mapping.yaml")
    for text in ("", "- a\n"):
        assert "no es un mapeo" in mistakes(tmp_path, text)[0]


def test_a_payment_needs_to_know_whose_it_is(tmp_path: Path) -> None:
    text = BANK.replace("customer: cliente, invoice: factura, ", "")
    assert "indique `customer` o `invoice`" in mistakes(tmp_path, text)[0]


def test_words_that_look_like_something_else_stay_words(tmp_path: Path) -> None:
    path = tmp_path / "m.mapping.yaml"
    path.write_text(
        'source: 7\ncustomer: {external_id: id, name: n, is_isp: {column: i, convert: {Yes: true, No: false, 1: "1"}}}\n', encoding="utf-8"
    )
    found = load_mapping(path)
    assert isinstance(found, CustomerMapping) and found.customer.is_isp is not None
    assert (found.source, found.customer.is_isp.convert) == ("7", {"Yes": "true", "No": "false", "1": "1"})


@pytest.mark.parametrize("text", [MAPPING, BANK])
def test_a_mapping_survives_the_database(tmp_path: Path, text: str) -> None:
    path = tmp_path / "m.mapping.yaml"
    path.write_text(text)
    found = load_mapping(path)
    assert type(found).model_validate(found.model_dump(mode="json", by_alias=True)) == found


def test_the_operators_own_mappings_are_good_and_found_by_name() -> None:
    names = sorted(each.name.removesuffix(".mapping.yaml") for each in (OPERATOR_FOLDER / "books").glob("*.mapping.yaml"))
    assert {"telco", "clientes", "banco"} <= set(names)
    for name in names:
        path = shipped_mapping(operator(), name)
        assert path is not None
        assert isinstance(load_mapping(path, operator()), CustomerMapping | PaymentMapping)
    assert shipped_mapping(operator(), "../operator") is None
    assert shipped_mapping(operator(), "otro") is None


def test_the_schemas_allow_what_the_samples_write() -> None:
    source = schemas()["customer_mapping"]["$defs"]["CustomerPart"]["properties"]["name"]
    assert {"type": "string"} in source["anyOf"]
