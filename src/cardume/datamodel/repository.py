"""Repository: where updates of the hosts come from."""

from __future__ import annotations

from enum import StrEnum

from cardume.datamodel.declare import RO, RW, STATIC_RO, field, message, named, xenclass
from cardume.datamodel.refs import Ref
from cardume.datamodel.roles import Role


@named("origin")
class Origin(StrEnum):
    """Where a repository's packages come from."""

    REMOTE = "remote"
    BUNDLE = "bundle"
    REMOTE_POOL = "remote_pool"


@xenclass(role=Role.POOL_OPERATOR)
class Repository:
    """A source of packages that the hosts of the pool are updated from."""

    uuid: str = field(RO, "the object's unique identifier")
    name_label: str = field(RW, "the repository's name", "", client_cert=True)
    name_description: str = field(RW, "notes about the repository", "", client_cert=True)
    binary_url: str = field(STATIC_RO, "where the packages are", "")
    certificate: str = field(STATIC_RO, "the certificate that a remote pool must show", "")
    gpgkey_path: str = field(STATIC_RO, "file of the key that packages are signed with", "")
    hash: str = field(RO, "checksum of the newest description of the updates")
    origin: Origin = field(STATIC_RO, "where the packages come from", Origin.REMOTE)
    source_url: str = field(STATIC_RO, "where the packages' sources are", "")
    update: bool = field(STATIC_RO, "true when it offers updates only", False)

    @message(client_cert=True)
    def forget(self) -> None:
        """Forget a repository."""

    @message(client_cert=True)
    @staticmethod
    def introduce(
        name_label: str, name_description: str, binary_url: str, source_url: str, update: bool, gpgkey_path: str = ""
    ) -> Ref[Repository]:
        """Make a repository on the network known."""

    @message(client_cert=True)
    @staticmethod
    def introduce_bundle(name_label: str, name_description: str) -> Ref[Repository]:
        """Make a repository that is filled from uploaded bundles."""

    @message(client_cert=True)
    @staticmethod
    def introduce_remote_pool(
        name_label: str, name_description: str, binary_url: str, certificate: str
    ) -> Ref[Repository]:
        """Make another pool known that updates are copied from."""

    @message(client_cert=True)
    def set_gpgkey_path(self, value: str) -> None:
        """Name the key that packages must be signed with."""
