"""Round-robin archives as bytes, for a file or another host: a line of JSON, then the rings as they are in memory."""

import json
import math
import sys
from array import array
from dataclasses import asdict
from typing import Any

from cardume.core.rrd import SPANS, Archives, Kind, Source, Track

FORMAT = "cardume-rrd-1"


class NoArchives(ValueError):
    """The bytes are none of ours, or not whole."""


def dump_archives(archives: Archives) -> bytes:
    """All of the archives, the step that is not yet whole included."""
    head = {
        "format": FORMAT,
        "updated_s": archives.updated_s,
        "tracks": [_told(track) for track in archives.tracks.values()],
    }
    parts = [json.dumps(head, separators=(",", ":")).encode(), b"\n"]
    for track in archives.tracks.values():
        parts += [_little(ring).tobytes() for ring in track.rings if ring is not None]
    return b"".join(parts)


def load_archives(data: bytes) -> Archives:
    """The archives that were dumped; NoArchives when these are none."""
    line, _, rest = data.partition(b"\n")
    try:
        head = json.loads(line)
        if head["format"] != FORMAT:
            raise NoArchives(f"another format: {head['format']}")
        archives = Archives()
        archives.updated_s = head["updated_s"]
        place = 0
        for told in head["tracks"]:
            track, size = _track(told, rest, place)
            archives.tracks[track.source.name] = track
            place += size
    except NoArchives:
        raise
    except (ValueError, KeyError, TypeError) as fault:
        raise NoArchives(f"damaged: {fault}") from None
    if place != len(rest):
        raise NoArchives(f"{len(rest)} bytes of rows where {place} were told")
    return archives


def _told(track: Track) -> dict[str, Any]:
    return {
        "source": asdict(track.source),
        "enabled": track.enabled,
        "last": track.last,
        "total": track.total,
        "unknown_s": track.unknown_s,
        "folding": track.folding,
        "rings": [ring is not None for ring in track.rings],
    }


def _track(told: dict[str, Any], rest: bytes, place: int) -> tuple[Track, int]:
    source = told["source"]
    track = Track(Source(**{**source, "kind": Kind(source["kind"])}), bool(told["enabled"]))
    track.last, track.total, track.unknown_s = float(told["last"]), float(told["total"]), float(told["unknown_s"])
    track.folding = [(float(total), int(known), float(a), float(b)) for total, known, a, b in told["folding"]]
    if len(told["rings"]) != len(track.rings) or len(track.folding) != len(SPANS) - 1:
        raise NoArchives("other archives than these")
    size = 0
    for ring, is_there in enumerate(told["rings"]):
        if is_there:
            length = 4 * SPANS[(ring + 2) // 3].length
            piece = rest[place + size : place + size + length]
            if len(piece) != length:
                raise NoArchives("the rows are not whole")
            track.rings[ring] = _little(array("f", piece))
            size += length
    return track, size


def _little(ring: "array[float]") -> "array[float]":
    """Swapped where the machine's order of bytes is another than the file's."""
    if sys.byteorder == "big":
        ring = array("f", ring)
        ring.byteswap()
    return ring


assert array("f", [math.nan]).itemsize == 4, "floats have 32 bits"
