"""How fiscal numbers are printed."""


def fiscal_number(prefix: str, digits: int, sequence: int) -> str:
    """A number of a series: prefix and zero-filled sequence."""
    return f"{prefix}{sequence:0{digits}d}"


def fiscal_range(prefix: str, digits: int, first: int, last: int) -> str:
    """An authorised range."""
    return f"{fiscal_number(prefix, digits, first)} a {fiscal_number(prefix, digits, last)}"
