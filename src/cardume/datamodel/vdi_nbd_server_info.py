"""vdi_nbd_server_info: one way to read a disk over NBD."""

from __future__ import annotations

from cardume.datamodel.declare import RO, field, xenclass


@xenclass(name="vdi_nbd_server_info", events=False, stored=False)
class VDINbdServerInfo:
    """One way to reach a disk over NBD with TLS; `VDI.get_nbd_info` gives one for each address that serves it."""

    address: str = field(RO, "where to connect to")
    cert: str = field(RO, "the certificate that the server will show, as PEM")
    exportname: str = field(RO, "what to ask for; it carries a session, so keep it secret")
    port: int = field(RO, "TCP port to connect to")
    subject: str = field(RO, "a name in that certificate, to check it against")
