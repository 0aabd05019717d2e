"""Turn a cell's text into a value, or say in Spanish why it cannot be one and what to do."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache

import pydantic_core

from services.billing.rules.csv_text import REPLACED
from services.billing.rules.periods import Period

YEARS = range(1900, 2200)
LARGEST = Decimal("99999999999999.9999")
_EMAIL = re.compile(r"[^@\s,;<>()]+@[^@\s,;<>()]+\.[^@\s,;<>().]{2,}")
_SEVERAL = re.compile(r"[;,\s]+")
_GROUPED = {".": re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?"), ",": re.compile(r"\d{1,3}(\.\d{3})+(,\d+)?")}
_PLAIN = {".": re.compile(r"\d+(\.\d+)?|\.\d+"), ",": re.compile(r"\d+(,\d+)?|,\d+")}
_SIGN = r"(?:[A-Z]{3}|US\$|RD\$|C\$|Bs\.?|Lps?\.?|L\.?|S/\.?|Q|\$|€|£|₡)"
_MONEY_SIGNS = re.compile(rf"^{_SIGN}\s*|\s*{_SIGN}$")
# Whose money a sign means. A bare $ is whatever the operator counts in; three letters are the currency's own code.
_SIGN_CURRENCIES = {
    "US$": ("USD",),
    "RD$": ("DOP",),
    "C$": ("NIO",),
    "BS": ("BOB", "VES"),
    "LPS": ("HNL",),
    "LP": ("HNL",),
    "L": ("HNL",),
    "S/": ("PEN",),
    "Q": ("GTQ",),
    "€": ("EUR",),
    "£": ("GBP",),
    "₡": ("CRC",),
}
_SPANISH_MONTHS = re.compile(
    r"(?<![a-z])(?:(ene)(?:ro)?|(feb)(?:rero)?|(mar)(?:zo)?|(abr)(?:il)?|(may)o?|(jun)(?:io)?|(jul)(?:io)?|(ago)(?:sto)?"
    r"|(sep|set)(?:t|iembre|tiembre)?|(oct)(?:ubre)?|(nov)(?:iembre)?|(dic)(?:iembre)?)(?![a-z])\.?"
)


@dataclass
class BadValue(Exception):
    """A value that cannot be used: the reason and the remedy (Spanish), and the value where the caller does not have it."""

    reason: str
    remedy: str
    value: str = ""


def clean_text(text: str) -> str:
    """The text without blanks round it. Raises BadValue for characters that no database keeps or that the encoding did not understand."""
    text = text.strip()
    if not text.isascii():
        text = text.strip("\ufeff\u200b").strip()
    if REPLACED in text:
        raise BadValue(
            "Hay caracteres que no corresponden a la codificación del archivo.",
            "Indique `encoding` en el mapeo (por ejemplo cp1252).",
            text,
        )
    if "\x00" in text:
        raise BadValue("Contiene un carácter nulo.", "Quite el carácter y vuelva a importar la fila.", text.replace("\x00", "\\0"))
    return text


@lru_cache(maxsize=20_000)  # prices are few
def amount(text: str, decimal: str, currency: str | None = None) -> Decimal:
    """Read `1,234.50`, `$ 1.234,50`, `USD 45`, `(12.50)` = -12.50. `decimal` is the file's decimal sign, `currency` what a sign must mean
    if there is one. At most four decimals are kept."""
    if currency is not None:
        _same_money(text, currency)
    bare = text.replace("\u00a0", "").replace("\u202f", "").strip()
    negative = bare.startswith("(") and bare.endswith(")")
    bare = _MONEY_SIGNS.sub("", bare.strip("()").strip()).strip().replace(" ", "")
    if bare[:1] in {"-", "+"} or bare[-1:] == "-":
        negative = negative or "-" in (bare[:1], bare[-1:])
        bare = _MONEY_SIGNS.sub("", bare[1:] if bare[0] in "+-" else bare[:-1]).strip()
    if not (_PLAIN[decimal].fullmatch(bare) or _GROUPED[decimal].fullmatch(bare)) or not bare.isascii():
        other = "," if decimal == "." else "."
        raise BadValue(
            f"No es un importe con «{decimal}» decimal.",
            f'Corrija el valor; si el archivo usa «{other}», ponga `decimal: "{other}"` en el mapeo.',
        )
    value = Decimal(bare.replace("," if decimal == "." else ".", "").replace(",", "."))
    if value > LARGEST or value != value.quantize(Decimal("0.0001")):
        raise BadValue("El importe tiene más de cuatro decimales o es demasiado grande.", "Redondee el importe en el archivo.")
    return -value if negative else value


def _same_money(text: str, currency: str) -> None:
    """Raise BadValue when the amount carries the sign of another currency."""
    for found in _MONEY_SIGNS.findall(text.strip("()+- \u00a0\u202f")):
        sign = found.strip().rstrip(".").upper()
        if sign != "$" and currency not in _SIGN_CURRENCIES.get(sign, (sign,)):
            raise BadValue(
                f"El importe dice «{found.strip()}» y la moneda del operador es {currency}.",
                f"Convierta los importes a {currency} en el archivo; si ya lo están, quite el signo.",
            )


def _parsed(text: str, form: str) -> date:
    """Read a date; month names (%b, %B) may be Spanish or English, whatever the machine's locale."""
    if "%b" in form or "%B" in form:
        name = "%b" if "%b" in form else "%B"
        text = _SPANISH_MONTHS.sub(lambda found: datetime(2000, found.lastindex or 1, 1).strftime(name), text.casefold())  # noqa: DTZ001
    return datetime.strptime(text, form).date()  # noqa: DTZ007 - only the day is kept


@lru_cache(maxsize=20_000)
def day(text: str, formats: Sequence[str]) -> date:
    """Read a date in the first of the formats that fits."""
    for each in formats:
        try:
            found = _parsed(text, each)
        except ValueError:
            continue
        if found.year in YEARS:
            return found
        remedy = "Corrija la fecha; si quiere decir «sin fecha», agréguela a `blanks` en el mapeo."
        raise BadValue(f"El año está fuera de {YEARS.start} a {YEARS.stop - 1}.", remedy)
    raise BadValue(f"No es una fecha de las formas {', '.join(formats)}.", "Corrija la fecha o agregue su forma a `dates` en el mapeo.")


@lru_cache(maxsize=2_000)
def month(text: str, formats: Sequence[str], dates: Sequence[str]) -> Period:
    """Read a month in the first of the formats that fits; a whole date stands for its month."""
    for each in (*formats, *dates):
        try:
            found = Period.of(_parsed(text, each))
        except ValueError:
            continue
        if found.year in YEARS:
            return found
    raise BadValue(f"No es un mes de las formas {', '.join(formats)}.", "Corrija el mes o agregue su forma a `months` en el mapeo.")


def whole(text: str) -> int:
    """Read a whole number that is not negative."""
    if not (text.isascii() and text.isdigit() and len(text) < 7):
        raise BadValue("No es un número entero.", "Escriba solo dígitos.")
    return int(text)


@lru_cache(maxsize=1_000)
def flag(text: str, yes: Sequence[str], no: Sequence[str]) -> bool:
    """Read a yes or a no in the mapping's words, whatever their case."""
    folded = text.casefold()
    if folded in (each.casefold() for each in yes):
        return True
    if folded in (each.casefold() for each in no):
        return False
    raise BadValue(f"No es ni sí ({', '.join(yes)}) ni no ({', '.join(no)}).", "Corrija el valor o agréguelo a `yes` o `no` en el mapeo.")


def email(text: str) -> str:
    """Read an e-mail address; the first one where several are listed."""
    first = _SEVERAL.split(text.strip(), 1)[0]
    if not _EMAIL.fullmatch(first) or len(first) > 254:
        raise BadValue("No es una dirección de correo.", "Corrija la dirección en el archivo.")
    return first


def to_json(value: object) -> str:
    """JSON for the database; several times as fast as `json.dumps`."""
    return pydantic_core.to_json(value).decode()
