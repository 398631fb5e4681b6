"""Which volumes this process has open, and how many times."""

from collections import Counter

from cardume.hostops.errors import StorageError
from cardume.hostops.storage.driver import Repository, Volume


class OpenCounts:
    """Counts `open` and `close` calls by volume: by its uuid, for its location may change while it is open."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._locations: dict[tuple[str, str], str] = {}

    def add(self, repo: Repository, volume: Volume) -> None:
        self._counts[repo.uuid, volume.uuid] += 1
        self._locations[repo.uuid, volume.uuid] = volume.location

    def remove(self, repo: Repository, volume: Volume) -> int:
        """Count one `close`; returns how many users are left."""
        key = (repo.uuid, volume.uuid)
        left = max(self._counts[key] - 1, 0)
        if left:
            self._counts[key] = left
        else:
            del self._counts[key]
            self._locations.pop(key, None)
        return left

    def count(self, repo: Repository, volume: Volume) -> int:
        return self._counts.get((repo.uuid, volume.uuid), 0)

    def list_open(self, repo: Repository) -> tuple[str, ...]:
        """The locations of the repository's volumes that have users."""
        return tuple(sorted(self._locations[key] for key in self._counts if key[0] == repo.uuid))

    def list_uuids(self, repo_uuid: str) -> frozenset[str]:
        """The uuids of a repository's volumes that have users."""
        return frozenset(uuid for sr, uuid in self._counts if sr == repo_uuid)

    def assert_not_open(self, repo: Repository, volume: Volume) -> None:
        """Raise StorageError while the volume has users."""
        if self.count(repo, volume):
            raise StorageError(f"{volume.location} is open on this host")

    def assert_none(self, repo: Repository) -> None:
        """Raise StorageError while any volume of the repository has users."""
        if names := self.list_open(repo):
            raise StorageError(f"{', '.join(names)} of repository {repo.uuid} open on this host")
