"""Volumes of the kinds that LVM makes only where there is a device mapper, as it writes them in its text."""

from collections.abc import Sequence

_UUIDS = iter(f"K{number:05d}-kind-kind-kind-kind-kind-{number:06d}" for number in range(10_000))


def _volume(name: str, count: int, segment: str, *, visible: bool = True) -> str:
    status = ", ".join(f'"{each}"' for each in ("READ", "WRITE", *(["VISIBLE"] if visible else [])))
    return f"""
{name} {{
id = "{next(_UUIDS)}"
status = [{status}]
flags = []
creation_time = 1795859532	# some time
creation_host = "elsewhere"
segment_count = 1
segment1 {{
start_extent = 0
extent_count = {count}
{segment}
}}
}}
"""


def _linear(name: str, count: int, pv: str, place: int) -> str:
    return _volume(name, count, f'type = "striped"\nstripe_count = 1\nstripes = [\n"{pv}", {place}\n]', visible=False)


def kinds(places: Sequence[int]) -> str:
    """RAID 1, a mirror and a thin pool over pv0 and pv1; `places`: the first of 24 free extents on each."""
    first, second = places
    return "".join(
        (
            _volume(
                "raid",
                4,
                'type = "raid1"\ndevice_count = 2\nregion_size = 4096\n'
                'raids = [\n"raid_rmeta_0", "raid_rimage_0",\n"raid_rmeta_1", "raid_rimage_1"\n]',
            ),
            _linear("raid_rmeta_0", 1, "pv0", first),
            _linear("raid_rimage_0", 4, "pv0", first + 1),
            _linear("raid_rmeta_1", 1, "pv1", second),
            _linear("raid_rimage_1", 4, "pv1", second + 1),
            _volume(
                "mirrored",
                3,
                'type = "mirror"\nmirror_count = 2\nregion_size = 4096\n'
                'mirrors = [\n"mirrored_mimage_0", 0,\n"mirrored_mimage_1", 0\n]',
            ),
            _linear("mirrored_mimage_0", 3, "pv0", first + 6),
            _linear("mirrored_mimage_1", 3, "pv1", second + 6),
            _volume(
                "pool",
                8,
                'type = "thin-pool"\nmetadata = "pool_tmeta"\npool = "pool_tdata"\ntransaction_id = 1\n'
                'chunk_size = 128\ndiscards = "passdown"\nzero_new_blocks = 1',
            ),
            _linear("pool_tmeta", 1, "pv1", second + 10),
            _linear("pool_tdata", 8, "pv0", first + 10),
            _volume("thin", 256, 'type = "thin"\nthin_pool = "pool"\ntransaction_id = 0\ndevice_id = 1'),
        )
    )
