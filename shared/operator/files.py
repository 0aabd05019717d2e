"""YAML files read so that every value knows its line, and every mistake names file, line and field."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import yaml
from pydantic import ValidationError

from shared.errors import spanish
from shared.operator.base import Document

D = TypeVar("D", bound=Document)
Place = tuple[str | int, ...]


class Wrong(Protocol):
    """Notes a mistake: the file, the place in it, the message (Spanish); the line where the file is no YAML."""

    def __call__(self, name: str, place: Place, message: str, line: int = 1) -> None: ...


# What the YAML reader says (a part of it) → the slip that people make, in their words.
SLIPS = {
    "'\\t'": "hay un tabulador; la sangría se escribe con espacios",
    "expected <block end>, but found '<scalar>'": "hay texto después de un valor entre comillas, o unas comillas que no cierran más arriba",
    "expected <block end>": "la sangría no coincide con la de las líneas de arriba",
    "mapping values are not allowed": "hay un «:» de más, o la sangría no coincide; un texto con «: » va entre comillas",
    "could not find expected ':'": "falta «:» después de un nombre, o unas comillas o un corchete no cierran",
    "found unexpected end of stream": "unas comillas no cierran",
    "expected ',' or '}'": "falta una coma o la llave que cierra; un texto con «: » o con coma va entre comillas",
    "expected ',' or ']'": "falta una coma o el corchete que cierra; un texto con «: » o con coma va entre comillas",
    "found undefined alias": "un *nombre que ningún &nombre definió antes; un texto que empieza con * va entre comillas",
    "cannot start any token": "un texto que empieza con %, @ o ` va entre comillas",
}
MOST_PLACES = 200_000
FAST: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # a tenth of the time, where yaml was built with it
DEEP, ODD = 1_000, frozenset("\t?")
WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong in the operator's files. `field` is empty where the file itself is."""

    file: str
    line: int
    field: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" + (f": {self.field}" if self.field else "")
        return f"{where}: {self.message}"


@dataclass
class Source:
    """A file as read: its value, and the line of everything in it."""

    name: str
    value: Any
    lines: dict[Place, int] = field(default_factory=dict)

    def mistake(self, place: Place, message: str) -> Mistake:
        """A mistake at a place; the line is that of the nearest place that the file has."""
        known = place
        while known and known not in self.lines:
            known = known[:-1]
        return Mistake(self.name, self.lines.get(known, 1), ".".join(map(str, place)), message)


def read_source(folder: Path, name: str, mistakes: list[Mistake]) -> Source | None:
    """Read one file below the folder. Plain words stay text: a time is never a number, an amount never a float."""
    try:
        text = (folder / name).read_text(encoding="utf-8")
        node = _composed(text)
    except FileNotFoundError:
        mistakes.append(Mistake(name, 1, "", "falta este archivo"))
        return None
    except UnicodeDecodeError:
        mistakes.append(Mistake(name, 1, "", "no está en UTF-8"))
        return None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        mistakes.append(Mistake(name, line, "", f"no es YAML válido: {_slip(error.problem or '')}"))
        return None
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        mistakes.append(Mistake(name, line, "", f"hay un carácter que no es de texto (código {error.character})"))
        return None
    except RecursionError:
        mistakes.append(Mistake(name, 1, "", "tiene demasiados niveles de sangría o de corchetes"))
        return None
    source = Source(name, None)
    try:
        source.value = _value(node, (), source, mistakes)
    except (RecursionError, _TooMuch):
        mistakes.append(Mistake(name, 1, "", "una parte se contiene a sí misma, o se repite sin fin (&ancla y *ancla)"))
        return None
    return source


def _composed(text: str) -> yaml.Node | None:
    """The nodes of a file. The fast reader takes tabs and question marks where the careful one does not, has other words for what is wrong
    and no end to its depth: what has any of these or could be too deep (a level needs a bracket or a column), the careful one reads."""
    deep = max(map(len, text.splitlines()), default=0) + text.count("[") + text.count("{")
    if deep < DEEP and not ODD.intersection(text):
        try:
            return yaml.compose(text, Loader=FAST)
        except yaml.YAMLError:
            pass
    return yaml.compose(text, Loader=yaml.SafeLoader)


class _TooMuch(Exception):
    """Anchors that repeat each other make a file of a few lines larger than any memory."""


def _slip(problem: str) -> str:
    """What a person most likely did where the YAML reader stumbled; its own words where we know no better."""
    return next((words for part, words in SLIPS.items() if part in problem), problem)


def _value(node: yaml.Node | None, place: Place, source: Source, mistakes: list[Mistake]) -> Any:
    if node is None:
        return None
    source.lines[place] = node.start_mark.line + 1
    if len(source.lines) > MOST_PLACES:
        raise _TooMuch
    if isinstance(node, yaml.SequenceNode):
        return [_value(child, (*place, number), source, mistakes) for number, child in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        found: dict[Any, Any] = {}
        for key_node, child in node.value:
            mark = key_node.start_mark
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else f"línea {mark.line + 1}, columna {mark.column + 1}"
            if key in found:
                mistakes.append(Mistake(source.name, mark.line + 1, str(key), "está dos veces"))
            found[key] = _value(child, (*place, key), source, mistakes)
            source.lines[(*place, key)] = mark.line + 1
        return found
    assert isinstance(node, yaml.ScalarNode)
    return WORDS.get(node.value, node.value) if not node.style else node.value


def parse(model: type[D], source: Source | None, mistakes: list[Mistake]) -> D | None:
    """Make the document of a file; None, and the mistakes noted, when it has any."""
    if source is None:
        return None
    try:
        return model.model_validate(source.value)
    except ValidationError as error:
        for each in error.errors(include_url=False):
            mistakes.append(source.mistake(tuple(each["loc"]), spanish(each)))
        return None
