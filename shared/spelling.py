"""Names as people spell them: the same one with and without accents, capitals and superfluous blanks."""

import unicodedata


def plain(name: str) -> str:
    """A name as it is searched, sorted and compared: no accents, no case, single blanks."""
    if not name.isascii():
        name = "".join(each for each in unicodedata.normalize("NFKD", name) if not unicodedata.combining(each))
    return " ".join(name.casefold().split())
