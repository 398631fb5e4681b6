"""The XML of an archive's first file: written as the API writes records, read by the API's own strict reader."""

import re
from datetime import UTC, datetime
from typing import Any

from cardume.api.encode import Encoder
from cardume.api.rpc import Malformed
from cardume.api.xmlrpc import XML, parse_request
from cardume.datamodel.wiretypes import RecordType
from cardume.messages.vm_export import EXPORT_VERSION, ArchivePlan
from cardume.pooldb.db import Database

_DECLARATION = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]{0,200}\?>)?\s*")
_BEFORE = b"<methodCall><methodName>ova</methodName><params><param>"
_AFTER = b"</param></params></methodCall>"


class OvaFile:
    """Reads and writes `ova.xml`; the `OvaXml` of messages/archive_manifest.py."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def write(self, plan: ArchivePlan, software: dict[str, str], hostname: str) -> bytes:
        """The whole text."""
        text, struct = XML.text, XML.struct
        encode = Encoder(XML, self._db).encode  # one of our own: this may run in a thread
        major, _, minor = software.get("xapi", "").partition(".")
        version = {
            "hostname": hostname,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "product_version": software.get("product_version", ""),
            "product_brand": software.get("product_brand", ""),
            "build_number": software.get("build_number", ""),
            "xapi_major": major or "0",
            "xapi_minor": minor or "0",
            "export_vsn": str(EXPORT_VERSION),
        }
        objects = [
            struct(
                [
                    ("class", text(one.cls)),
                    ("id", text(one.id)),
                    ("snapshot", encode(one.record, RecordType(one.cls))),
                ]
            )
            for one in plan.objects()
        ]
        told = struct([(key, text(value)) for key, value in version.items()])
        return struct([("version", told), ("objects", XML.array(objects))]).encode()

    def read(self, text: bytes) -> Any:
        """The loose value in a text; ValueError when there is none."""
        start = _DECLARATION.match(text)
        value = text[start.end() :] if start else text
        try:
            (read,) = parse_request(_BEFORE + value + _AFTER).params
        except Malformed as fault:
            raise ValueError(str(fault)) from None
        return read
