"""CSV as CRMs really export it."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.billing.rules.csv_text import Record, Sheet, Unreadable, filled_down, find_sheet, normal, records, sniff_encoding

WANTED = ["Código", "Nombre", "Plan"]


def read(text: str, wanted: list[str] = WANTED, delimiter: str | None = None) -> tuple[Sheet, list[Record]]:
    lines = text.splitlines(keepends=True)
    sheet = find_sheet(lines, wanted, delimiter)
    rest: Iterator[str] = iter(lines[sheet.first_line - 1 :])
    return sheet, list(records(rest, sheet))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(delimiter: str) -> None:
    rows = [["Código", "Nombre", "Plan"], ["C-1", "Ana", "hogar"], ["C-2", "Beto", "negocio"]]
    sheet, found = read("\n".join(delimiter.join(row) for row in rows))
    assert sheet.delimiter == delimiter
    assert [(each.line, each.cells) for each in found] == [(2, rows[1]), (3, rows[2])]


def test_header_names_with_stray_blanks_marks_case_and_accents() -> None:
    sheet, _ = read("\ufeff  CODIGO ;Nombre  ; plan\nC-1;Ana;x\n")
    assert [normal(each) in sheet.index for each in WANTED] == [True, True, True]


def test_title_lines_above_the_header_are_passed_over() -> None:
    sheet, found = read("Listado de clientes; exportado el 28/02/2026\n\nCódigo;Nombre;Plan\nC-1;Ana;x\n")
    assert sheet.first_line == 4
    assert [(each.line, each.cells[0]) for each in found] == [(4, "C-1")]


def test_a_column_that_occurs_twice_is_numbered() -> None:
    sheet, _ = read("Código,Plan,Nombre,Plan\n")
    assert (sheet.index["plan"], sheet.index["plan#2"]) == (1, 3)


def test_blank_lines_and_empty_cells_at_the_end_do_not_count() -> None:
    _, found = read("Código,Nombre,Plan\n\nC-1,Ana,x,,,\n , ,\nC-2,Beto,y\n")
    assert [(each.line, each.cells, each.problem) for each in found] == [
        (3, ["C-1", "Ana", "x"], None),
        (5, ["C-2", "Beto", "y"], None),
    ]


def test_a_quoted_cell_may_hold_delimiters_quotes_and_lines() -> None:
    _, found = read('Código,Nombre,Plan\nC-1,"Ana, ""la"" de\nSan Pedro",x\nC-2,Beto,y\n')
    assert [(each.line, each.cells[1]) for each in found] == [(2, 'Ana, "la" de\nSan Pedro'), (4, "Beto")]


def test_a_broken_row_in_the_middle_does_not_take_the_others_along() -> None:
    _, found = read('Código,Nombre,Plan\nC-1,Ana,x\nC-2,"Beto,y\nC-3,Carla,z\nC-4,Dora\nC-5,Eva,w\n')
    assert [each.cells[0] for each in found if each.problem is None] == ["C-1", "C-3", "C-5"]
    assert [(each.line, each.problem is not None) for each in found if each.problem] == [(3, True), (5, True)]


def test_a_quote_that_never_closes_is_told_once_in_a_long_file() -> None:
    lines = ["Código,Nombre,Plan", 'C-0,"Ana,x', *(f"C-{n},Cliente {n},x" for n in range(1, 1001))]
    _, found = read("\n".join(lines))
    assert [each.line for each in found if each.problem] == [2]
    assert len(found) == 1001


def test_thirty_odd_columns_of_which_few_matter() -> None:
    header = [f"Columna {n}" for n in range(36)]
    header[7], header[20], header[35] = WANTED
    sheet, found = read(";".join(header) + "\n" + ";".join(str(n) for n in range(36)) + "\n")
    assert [found[0].cells[sheet.index[normal(each)]] for each in WANTED] == ["7", "20", "35"]


def test_a_file_without_any_of_the_columns_is_refused_showing_its_first_line() -> None:
    with pytest.raises(Unreadable, match="uno;dos"):
        find_sheet(["uno;dos\n", "1;2\n"], WANTED)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("Código".encode(), "utf-8-sig"),
        ("\ufeffCódigo".encode(), "utf-8-sig"),
        ("Código Peña".encode("latin-1"), "cp1252"),
        ("Código".encode("utf-16"), "utf-16"),
        (b"plain", "utf-8-sig"),
        ("ñ".encode() * 500 + b"\xf1", "utf-8-sig"),
    ],
)
def test_the_encoding_is_told_from_the_whole_file(data: bytes, expected: str) -> None:
    assert sniff_encoding(data[at : at + 7] for at in range(0, len(data), 7)) == expected


@given(
    st.lists(st.lists(st.text(st.characters(exclude_characters="\r\n\x00", exclude_categories=["Cs"]), max_size=8), min_size=3, max_size=3))
)
def test_any_cells_written_with_quotes_are_read_back(rows: list[list[str]]) -> None:
    quoted = ["Código,Nombre,Plan", *(",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows)]
    sheet = find_sheet([each + "\n" for each in quoted], WANTED)
    found = list(records(iter(each + "\n" for each in quoted[1:]), sheet))
    assert [each.cells for each in found] == [row for row in rows if any(cell.strip() for cell in row)]


@given(st.text(st.sampled_from('a,"\n;'), max_size=200))
def test_no_text_makes_the_reader_fail_or_lose_its_place(text: str) -> None:
    lines = text.splitlines(keepends=True)
    found = list(records(iter(lines), Sheet(",", ["a", "b"], 1)))
    places = [each.line for each in found]
    assert places == sorted(set(places))
    assert all(1 <= each <= len(lines) for each in places)


def test_a_row_that_is_blank_in_the_named_columns_goes_on_with_the_one_above_and_never_behind_a_broken_one() -> None:
    sheet = Sheet(",", ["Id", "Correo", "Plan"], 1)
    given = [["", "", "x"], ["1", "a@x", "p"], ["", "", "q"], ["2", "", "p"], ["", "", "q"]]
    found = [Record(line, cells) for line, cells in enumerate(given, start=1)]
    found += [Record(6, ["3"], "La fila tiene 1 celdas."), Record(7, ["", " ", "q"])]
    assert [each.cells[:2] for each in filled_down(found, sheet, ["ID", "correo"])] == [
        ["", ""], ["1", "a@x"], ["1", "a@x"], ["2", ""], ["2", ""], ["3"], ["", " "],
    ]  # fmt: skip
