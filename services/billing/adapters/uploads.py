"""Files that come in by HTTP: multipart bodies written to disk as they arrive, in constant memory, with a limit.

A part named `file` goes to a file of its own; every other part is a small text. Whoever asked for the upload discards it when nothing comes
of it.
"""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from shared.db import new_id
from shared.errors import FieldError, Invalid, TooLarge

FILE = "file"
TEXT_LIMIT = 256 * 1024
BUFFER = 1 << 20


@dataclass
class Upload:
    """A file that lies on disk, whole and flushed. `digest` is that of its content; `texts` are the other parts."""

    path: Path
    file_name: str = ""
    size: int = 0
    digest: str = ""
    texts: dict[str, str] = field(default_factory=dict)

    def discard(self) -> None:
        """Nothing comes of it."""
        self.path.unlink(missing_ok=True)


async def receive(chunks: AsyncIterator[bytes], content_type: str, folder: Path, limit: int) -> Upload:
    """Write the body's file to a new file in the folder. Raises TooLarge behind `limit` bytes, and Invalid; then nothing stays on disk."""
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise _invalid("Content-Type", "se espera multipart/form-data con las partes `file` y `mapping`")
    folder.mkdir(parents=True, exist_ok=True)
    upload = Upload(folder / f"{new_id()}.csv")
    try:
        with upload.path.open("xb") as target:
            await _Receiver(upload, target, limit, options[b"boundary"]).take(chunks)
    except BaseException:
        upload.discard()
        raise
    return upload


class _Receiver:
    """The parser's callbacks: which part is being read, and where its bytes go."""

    def __init__(self, upload: Upload, target: BinaryIO, limit: int, boundary: bytes) -> None:
        self._upload, self._target, self._limit = upload, target, limit
        self._hash = hashlib.sha256()
        self._waiting = bytearray()
        self._header, self._value = b"", b""
        self._disposition = b""
        self._name, self._text = "", bytearray()
        self._files = 0
        self._ended = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._part_begin,
                "on_header_field": self._header_field,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_finished,
                "on_part_data": self._part_data,
                "on_part_end": self._part_end,
                "on_end": self._end,
            },
        )

    async def take(self, chunks: AsyncIterator[bytes]) -> None:
        try:
            async for chunk in chunks:
                if chunk:
                    self._parser.write(chunk)
                if len(self._waiting) >= BUFFER:
                    await self._flush()
        except MultipartParseError:
            raise _invalid("(cuerpo)", "no es multipart/form-data bien formado") from None
        if not self._ended:
            raise _invalid("(cuerpo)", "el envío se cortó antes de su final")
        await self._flush()
        await asyncio.to_thread(self._settle)
        if self._files != 1:
            raise _invalid(FILE, "falta el archivo" if not self._files else "envíe un solo archivo")
        self._upload.digest = self._hash.hexdigest()

    async def _flush(self) -> None:
        data, self._waiting = bytes(self._waiting), bytearray()
        await asyncio.to_thread(self._write, data)

    def _write(self, data: bytes) -> None:
        self._hash.update(data)
        self._target.write(data)

    def _settle(self) -> None:
        self._target.flush()
        os.fsync(self._target.fileno())

    def _part_begin(self) -> None:
        self._disposition, self._name, self._text = b"", "", bytearray()

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header, self._value = b"", b""

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        if self._name == FILE:
            self._files += 1
            given = options.get(b"filename", b"").decode("utf-8", "replace")
            self._upload.file_name = given.replace("\x00", "").replace("\\", "/").rsplit("/", 1)[-1][:200] or "archivo.csv"

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._name != FILE:
            self._text += data[start:end]
            if len(self._text) > TEXT_LIMIT:
                raise TooLarge(f"La parte «{self._name}» pasa de {TEXT_LIMIT // 1024} KiB.")
            return
        self._upload.size += end - start
        if self._upload.size > self._limit:
            raise TooLarge(f"El archivo pasa de {self._limit // 1024**2} MiB.", remedy="Divídalo, o suba RECONECTA_UPLOAD_LIMIT.")
        self._waiting += data[start:end]

    def _part_end(self) -> None:
        if self._name and self._name != FILE:
            self._upload.texts[self._name] = self._text.decode("utf-8", "replace").replace("\x00", "")

    def _end(self) -> None:
        self._ended = True


def _invalid(name: str, message: str) -> Invalid:
    return Invalid(f"Corrija: {name}.", errors=[FieldError(field=name, message=message)], remedy="No se guardó nada.")
