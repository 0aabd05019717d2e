"""What goes wrong, told to people: RFC 9457 problems with a Spanish title, the rule that refused, and what to do about it."""

import difflib
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pydantic import BaseModel


class FieldError(BaseModel):
    """What is wrong with one field of the input."""

    field: str
    message: str
    rule: str | None = None


class Mendable(Exception):
    """What whoever runs Reconecta can mend, by its text alone: in Spanish, what is wrong and where. A command tells it and ends."""


class Problem(Exception):
    """An error that a caller may see in full. Titles and details are Spanish and never hold an exception's text."""

    status = 500
    slug = "error-interno"
    title = "Error interno"

    def __init__(self, detail: str, *, rule: str | None = None, remedy: str | None = None, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail)
        self.detail, self.rule, self.remedy, self.errors = detail, rule, remedy, list(errors)


class Unauthorized(Problem):
    """Nobody knows who is asking."""

    status, slug, title = 401, "sin-credencial", "Falta una credencial válida"


class Forbidden(Problem):
    """The person may not do this."""

    status, slug, title = 403, "sin-permiso", "No tiene permiso para esto"


class NotFound(Problem):
    """There is no such thing."""

    status, slug, title = 404, "no-existe", "No existe"


class Conflict(Problem):
    """The state of things does not allow it, or somebody else was faster."""

    status, slug, title = 409, "conflicto", "No es posible en el estado actual"


class Refused(Conflict):
    """A rule of the operator refuses: which one, why, and what would help."""

    slug, title = "regla", "Una regla lo impide"

    def __init__(self, rule: str, detail: str, *, remedy: str | None = None, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail, rule=rule, remedy=remedy, errors=errors)


class TooSlow(Problem):
    """The request's body does not come, or comes in drops."""

    status, slug, title = 408, "demasiado-lento", "El envío no llega"


class Stale(Problem):
    """The thing has changed since the caller read it."""

    status, slug, title = 412, "version-anterior", "Otra persona lo cambió entretanto"


def expect_version(actual: int, seen: int) -> None:
    """Raise Stale unless the caller has seen the version that there is."""
    if actual != seen:
        raise Stale(
            f"Usted leyó la versión {seen} y ya está la {actual}.", remedy="Léalo de nuevo y repita el cambio si todavía corresponde."
        )


class TooLarge(Problem):
    """More bytes than this route takes."""

    status, slug, title = 413, "demasiado-grande", "El contenido es demasiado grande"


class Invalid(Problem):
    """The input itself is wrong; `errors` name its fields."""

    status, slug, title = 422, "datos-invalidos", "Hay datos que corregir"


class PreconditionRequired(Problem):
    """Two people may edit this: say which version you have seen."""

    status, slug, title = 428, "falta-version", "Falta la versión que usted leyó"


class Unavailable(Problem):
    """It does not work at the moment; try again."""

    status, slug, title = 503, "no-disponible", "No disponible en este momento"


MESSAGES = {
    "missing": "falta",
    "extra_forbidden": "este campo no existe",
    "json_invalid": "no es JSON válido",
    "timezone_aware": "falta la zona horaria: escriba por ejemplo 2026-03-01T08:00:00-06:00",
    "decimal_max_places": "tiene demasiados decimales: a lo sumo {decimal_places}",
    "decimal_max_digits": "tiene demasiadas cifras: a lo sumo {max_digits}",
    "decimal_whole_digits": "tiene demasiadas cifras enteras: a lo sumo {whole_digits}",
    "decimal_parsing": "no es un número decimal",
    "decimal_type": "no es un número decimal",
    "int_parsing": "no es un número entero",
    "int_type": "no es un número entero",
    "float_parsing": "no es un número",
    "finite_number": "no es un número finito",
    "string_type": "debe ser texto",
    "string_too_short": "es demasiado corto: al menos {min_length} carácter(es)",
    "string_too_long": "es demasiado largo: a lo sumo {max_length} caracteres",
    "string_pattern_mismatch": "no tiene la forma {pattern}",
    "bool_parsing": "debe ser true o false",
    "bool_type": "debe ser true o false",
    "greater_than": "debe ser mayor que {gt}",
    "greater_than_equal": "debe ser al menos {ge}",
    "less_than": "debe ser menor que {lt}",
    "less_than_equal": "debe ser a lo sumo {le}",
    "literal_error": "debe ser uno de: {expected}",
    "enum": "debe ser uno de: {expected}",
    "too_short": "tiene muy pocos elementos: al menos {min_length}",
    "too_long": "tiene demasiados elementos: a lo sumo {max_length}",
    "list_type": "debe ser una lista",
    "dict_type": "debe ser un objeto con campos",
    "model_type": "debe ser un objeto con campos",
    "model_attributes_type": "debe ser un objeto con campos",
    "uuid_parsing": "no es un identificador (UUID)",
    "value_error": "{error}",
    "time_delta_parsing": "no es una duración: escriba por ejemplo PT24H o P10D",
}
KINDS = {"datetime": "no es una fecha con hora: escriba 2026-03-01T08:00:00-06:00", "date": "no es una fecha: escriba 2026-03-01",
         "time": "no es una hora: escriba 08:00"}  # fmt: skip


# Forms that people meet, said by an example.
FORMS = {
    r"^[A-Z]{2}$": "son dos letras mayúsculas: escriba por ejemplo HN",
    r"^[A-Z]{3}$": "son tres letras mayúsculas: escriba por ejemplo USD",
    r"^[12]\d{3}-(0[1-9]|1[0-2])$": "no es un mes: escriba por ejemplo 2026-03",
    r"^\d{4}-(0[1-9]|1[0-2])$": "no es un mes: escriba por ejemplo 2026-03",
    r'^(\*|(W/)?"?\d{1,9}"?)$': 'no es un ETag: envíe el que recibió al leer, por ejemplo "3"',
    r"^[^@\s,;<>()]+@[^@\s,;<>()]+\.[^@\s,;<>()]+$": "no es una dirección de correo",
}


def spanish(error: Mapping[str, Any]) -> str:
    """One of pydantic's error details in the words that people of an operator understand."""
    kind, context = str(error["type"]), error.get("ctx", {})
    if kind == "string_pattern_mismatch" and context.get("pattern") in FORMS:
        return FORMS[context["pattern"]]
    if kind in MESSAGES:
        return MESSAGES[kind].format(**{name: str(value).replace(" or ", " o ") for name, value in context.items()})
    if kind.startswith("datetime_") and re.search(r"T\S+ \d\d:\d\d$", str(error.get("input"))):
        return "el + de la zona llegó como un espacio: en una dirección se escribe %2B"
    found = next((text for prefix, text in KINDS.items() if kind.startswith(prefix + "_")), None)
    return found or "no es un valor válido"


def nearest(word: str, known: Collection[str]) -> str:
    """` (¿quiso decir «…»?)` when something known looks like the word, else nothing."""
    found = difflib.get_close_matches(word, known, n=1)
    return f" (¿quiso decir «{found[0]}»?)" if found else ""


def causes_of(error: BaseException) -> list[BaseException]:
    """The error, what it wraps, and their causes: SQLAlchemy wraps the driver's error, whose own cause may be a connection's."""
    found: list[BaseException] = []
    while isinstance(error, BaseException) and error not in found:
        found.append(error)
        error = getattr(error, "orig", None) or error.__cause__  # type: ignore[assignment] # the loop ends there
    return found


def sqlstate_of(error: BaseException) -> str:
    """PostgreSQL's code of what went wrong, whoever wrapped the driver's error; empty where it is none of PostgreSQL's."""
    return next((str(code) for each in causes_of(error) if (code := getattr(each, "sqlstate", None))), "")
