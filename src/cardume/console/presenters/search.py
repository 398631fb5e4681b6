"""The search over everything: objects of all pools by name, tag, address, MAC or uuid, the best first."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cardume.console.connections.cache import Record
from cardume.console.presenters.places import Place
from cardume.console.presenters.sources import Source, is_guest
from cardume.console.presenters.states import host_state, sr_state, vm_state
from cardume.console.text.catalogue import Texts

MOST = 50


@dataclass(frozen=True, slots=True)
class Found:
    """An object that was searched for: where it is shown, what it is, and how it is."""

    path: str
    icon: str
    name: str
    kind: str
    where: str  # the pool or server that it belongs to
    state: str = ""


@dataclass(frozen=True, slots=True)
class Hits:
    """The best ones, and how many there are in all."""

    found: tuple[Found, ...]
    total: int


def search(sources: Sequence[Source], asked: str, t: Texts, most: int = MOST) -> Hits:
    """What all words that were asked for are found in; a name before what else is known of an object."""
    words = asked.casefold().split()
    if not words:
        return Hits((), 0)
    ranked: list[tuple[tuple[int, str, str], Found]] = []
    for source in sources:
        for found, others in _everything(source, t):
            rank = _rank(found.name.casefold(), " ".join(others).casefold(), words)
            if rank is not None:
                ranked.append(((rank, found.name.casefold(), found.path), found))
    ranked.sort(key=lambda pair: pair[0])
    return Hits(tuple(found for _, found in ranked[:most]), len(ranked))


def hits_as_json(hits: Hits, t: Texts) -> dict[str, Any]:
    """The hits as the page's module reads them, with a sentence on how many there are."""
    key = "search.none" if not hits.total else "search.one" if hits.total == 1 else "search.many"
    if hits.total > len(hits.found):
        key = "search.more"
    told = t(key, n=t.number(hits.total), shown=t.number(len(hits.found)))
    return {"told": told, "found": [asdict(found) for found in hits.found]}


def _rank(name: str, others: str, words: Sequence[str]) -> int | None:
    if not all(word in name or word in others for word in words):
        return None
    whole = " ".join(words)
    if name == whole:
        return 0
    if name.startswith(whole):
        return 1
    return 2 if all(word in name for word in words) else 3


Known = tuple[Found, Sequence[str]]
"""An object, and what it is found by besides its name."""


def _everything(source: Source, t: Texts) -> Iterator[Known]:
    if source.pool is None:
        return
    if not source.is_standalone:
        path = Place("pool", source.uuid, source.uuid).path
        yield Found(path, "pool", source.name, t("search.pool"), ""), _words(source.pool)
    yield from _hosts(source, t)
    yield from _vms(source, t)
    yield from _storage(source, t)
    yield from _networks(source, t)


def _words(record: Record) -> list[str]:
    return [record["uuid"], record.get("name_description", ""), *record.get("tags", ())]


def _hosts(source: Source, t: Texts) -> Iterator[Known]:
    for _, host in source.hosts():
        path = Place("host", source.uuid, host["uuid"]).path
        state = host_state(source, host, t).text
        cards = [word for _, pif in source.cache.each("pif", host["PIFs"]) for word in (pif["IP"], pif["MAC"])]
        words = [*_words(host), host["address"], host["hostname"], *cards]
        yield Found(path, "host", host["name_label"], t("search.host"), _pool_of(source), state), words


def _vms(source: Source, t: Texts) -> Iterator[Known]:
    for vm in source.cache.all("vm").values():
        if not is_guest(vm):
            continue
        path = Place("vm", source.uuid, vm["uuid"]).path
        told = source.cache.find("vm_guest_metrics", vm["guest_metrics"])
        words = [*_words(vm), *(told["networks"].values() if told else ())]
        words += [vif["MAC"] for _, vif in source.cache.each("vif", vm["VIFs"])]
        host = source.cache.find("host", source.home_of(vm))
        where = str(host["name_label"]) if host else source.name
        yield Found(path, "vm", vm["name_label"], t("search.vm"), where, vm_state(vm, t).text), words


def _storage(source: Source, t: Texts) -> Iterator[Known]:
    for _, sr in source.srs():
        place = Place("sr", source.uuid, sr["uuid"])
        icon = "iso" if sr["content_type"] == "iso" else "sr"
        host = source.cache.find("host", source.host_of(sr))
        where = str(host["name_label"]) if host else source.name
        yield Found(place.path, icon, sr["name_label"], t("search.sr"), where, sr_state(source, sr, t).text), _words(sr)
        for _, vdi in source.cache.each("vdi", sr["VDIs"]):
            if vdi["managed"] and vdi["name_label"]:
                name, words = vdi["name_label"], [*_words(vdi), vdi["location"]]
                yield Found(place.at("disks").path, "disk", name, t("search.disk"), source.name_of(sr)), words


def _networks(source: Source, t: Texts) -> Iterator[Known]:
    top = Place("pool", source.uuid, source.uuid)
    if source.is_standalone:
        top = Place("host", source.uuid, source.hosts()[0][1]["uuid"])
    for network in source.cache.all("network").values():
        words = [*_words(network), network.get("bridge", "")]
        yield (
            Found(top.at("networking").path, "network", network["name_label"], t("search.network"), source.name),
            words,
        )


def _pool_of(source: Source) -> str:
    return "" if source.is_standalone else source.name
