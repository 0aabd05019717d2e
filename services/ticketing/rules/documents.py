"""What a stored document is, found by its content: whoever sends it may call it anything."""

from email.parser import BytesHeaderParser

# Formal notices come as PDF, as a picture of a letter, or as the mail itself. How each begins.
BEGINNINGS = {
    b"%PDF-": "application/pdf",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"II*\x00": "image/tiff",
    b"MM\x00*": "image/tiff",
}
MAIL = "message/rfc822"
ENDINGS = {
    "application/pdf": ("pdf",),
    "image/png": ("png",),
    "image/jpeg": ("jpg", "jpeg"),
    "image/tiff": ("tif", "tiff"),
    MAIL: ("eml",),
}
LONGEST_NAME = 120
LONGEST_HEADERS = 256 * 1024


def media_type_of(content: bytes) -> str | None:
    """The kind of document, or None for what is none of those that are kept."""
    for beginning, media_type in BEGINNINGS.items():
        if content.startswith(beginning):
            return media_type
    return MAIL if _is_mail(content) else None


def name_of(given: str, media_type: str) -> str:
    """A name without folders and without what no name holds, ending as its content does: a page stays no page by being called so."""
    name = given.replace("\\", "/").rsplit("/", 1)[-1]
    plain = "".join(each for each in name if each.isprintable() and each not in '<>:"|?*;').strip(". ") or "documento"
    stem, _, ending = plain.rpartition(".")
    if not stem or ending.lower() not in ENDINGS[media_type]:
        stem, ending = plain, ENDINGS[media_type][0]
    return f"{stem[: LONGEST_NAME - len(ending) - 1]}.{ending}"


def _is_mail(content: bytes) -> bool:
    """Headers of a mail, one after the other up to an empty line, with who wrote it and when."""
    head = content[:LONGEST_HEADERS].replace(b"\r\n", b"\n").split(b"\n\n", 1)
    if len(head) < 2 or b"\x00" in content:
        return False
    parsed = BytesHeaderParser().parsebytes(head[0] + b"\n\n")
    return not parsed.defects and "From" in parsed and ("Date" in parsed or "Received" in parsed)
