"""A document on its way in: the form or the JSON that carries it, and how many may come at once."""

from __future__ import annotations

import asyncio
import re
import sys
import unicodedata
from collections import Counter
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.types import Scope

from api.connection import ClientConnection
from api.errors import InvalidRequest, TooManyUploads
from api.middleware.content_type import JSON, check_content_type
from api.schemas.corpus import MAX_FILENAME_CHARS, RagTextDocument, checked_collection, decoded
from serving.types import Held

_FORM = "multipart/form-data"
_FIELDS = frozenset({"collection", "file"})
# More than there are, so that the first one that is not ours can be named.
_MAX_FIELDS = 16
_MAX_FIELD_BYTES = 64 * 1024
_MEDIA_TYPE = re.compile(r"[\w.+-]{1,64}/[\w.+-]{1,64}", re.ASCII)
# What clients say of files whose type they do not know.
_ANY_BYTES = "application/octet-stream"
# Controls, halves of characters, and ends of lines and paragraphs.
_UNFIT_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
# They show a name other than it is: `exe.pdf` of what ends in `fdp.exe`.
_UNFIT_SIGNS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    collection: str
    filename: str
    media_type: str | None
    """As the client says; None where it does not know."""
    data: bytes


class UploadSlots:
    """So many uploads at a time in this worker; beyond that one for each tenant, so that none keeps the others out."""

    def __init__(self, *, shared: int) -> None:
        self._shared = shared
        self._by_tenant: Counter[str] = Counter()

    def enter(self, tenant: str, held: Held) -> None:
        """Take a place, given back when `held` is released. Raises TooManyUploads.

        Refused and not queued: a body that waits holds memory and a connection, a client that comes back holds neither.
        """
        if self._by_tenant[tenant] and self._by_tenant.total() >= self._shared:
            raise TooManyUploads(
                "As many documents are being stored as this worker takes at a time, try again shortly.",
                headers=[(b"retry-after", b"1")],
            )
        self._by_tenant[tenant] += 1
        held.callback(self._leave, tenant)

    def _leave(self, tenant: str) -> None:
        self._by_tenant[tenant] -= 1
        if not self._by_tenant[tenant]:
            del self._by_tenant[tenant]


async def read_upload(scope: Scope, client: ClientConnection) -> Upload:
    """Raises InvalidRequest, UnsupportedMediaType, ClientGone and what reading a body raises."""
    if check_content_type(scope, JSON, _FORM) == _FORM:
        return await _from_form(scope, client)
    # A document of some megabytes takes milliseconds to decode.
    document = await asyncio.to_thread(decoded, await client.read_body(), RagTextDocument)
    return Upload(
        collection=checked_collection(document.collection),
        filename=checked_filename(document.filename, param="filename"),
        media_type=None,
        data=document.text.encode(),
    )


class _InMemoryForm(MultiPartParser):
    """The limit of bodies bounds it, and where the gateway runs there may be no disk to write to."""

    spool_max_size = sys.maxsize
    _complete = False

    def on_end(self) -> None:
        self._complete = True

    async def parse(self) -> FormData:
        form = await super().parse()
        if not self._complete:
            for file in self._files_to_close_on_error:
                file.close()
            raise MultiPartException("It ends before its last boundary.")
        return form


async def _from_form(scope: Scope, client: ClientConnection) -> Upload:
    parser = _InMemoryForm(
        Headers(scope=scope),
        client.chunks(),
        max_files=_MAX_FIELDS,
        max_fields=_MAX_FIELDS,
        max_part_size=_MAX_FIELD_BYTES,
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        text = f"The body is no valid {_FORM}: {error.message}"
        raise InvalidRequest(text, param="body", code="invalid_multipart") from error
    try:
        collection, file = _field(form, "collection"), _field(form, "file")
        if unknown := sorted(form.keys() - _FIELDS):
            param = unknown[0][:100]
            raise InvalidRequest(f"Unknown parameter: '{param}'.", param=param, code="unknown_parameter")
        if not isinstance(collection, str):
            text = "Invalid value for 'collection': a name is expected, not a file."
            raise InvalidRequest(text, param="collection", code="invalid_value")
        if not isinstance(file, UploadFile):
            text = "Invalid value for 'file': a file with its name is expected."
            raise InvalidRequest(text, param="file", code="invalid_value")
        return Upload(
            collection=checked_collection(collection),
            filename=checked_filename(file.filename or "", param="file"),
            media_type=_media_type(file.content_type),
            data=await file.read(),
        )
    finally:
        await form.close()


def _field(form: FormData, name: str) -> Any:
    """The only value of the field. Raises InvalidRequest."""
    match form.getlist(name):
        case []:
            raise InvalidRequest(
                f"Missing required parameter: '{name}'.", param=name, code="missing_required_parameter"
            )
        case [value]:
            return value
        case _:
            text = f"Invalid value for '{name}': it came more than once."
            raise InvalidRequest(text, param=name, code="invalid_value")


def checked_filename(name: str, *, param: str) -> str:
    """The name without the folders that some clients send. Raises InvalidRequest."""
    base = re.split(r"[/\\]", name)[-1].strip()
    if not base or base in {".", ".."} or len(base) > MAX_FILENAME_CHARS:
        text = f"A document needs a file name of 1 to {MAX_FILENAME_CHARS} characters."
        raise InvalidRequest(text, param=param, code="invalid_value")
    if any(unicodedata.category(sign) in _UNFIT_CATEGORIES or sign in _UNFIT_SIGNS for sign in base):
        text = "The file name has control characters or signs that hide how it ends."
        raise InvalidRequest(text, param=param, code="invalid_value")
    return base


def _media_type(said: str | None) -> str | None:
    kind = (said or "").partition(";")[0].strip().lower()
    return kind if kind != _ANY_BYTES and _MEDIA_TYPE.fullmatch(kind) else None
