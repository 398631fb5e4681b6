"""Pools on paper: records as `event.from` tells them, with what the console reads of them."""

from typing import Any

from cardume.console.connections.cache import NULL, Cache
from cardume.console.presenters.sources import Source


class Room:
    """A pool that a test fills, object by object; references are the names with the class before them."""

    def __init__(self, pool: str = "", *, uuid: str = "p1", master: str = "a") -> None:
        self.cache = Cache()
        self.put(
            "pool",
            uuid,
            name_label=pool,
            name_description="",
            master=f"host:{master}",
            default_SR=NULL,
            suspend_image_SR=NULL,
            ha_enabled=False,
            tags=[],
            cpu_info={"vendor": "AuthenticAMD", "cpu_count": "2", "socket_count": "1"},
        )

    def put(self, cls: str, name: str, /, **fields: Any) -> str:
        """Add an object, or change fields of one that is there; its reference."""
        ref = f"{cls}:{name}"
        before = self.cache.find(cls, ref) or {"uuid": name}
        self.cache.apply([{"class": cls, "operation": "mod", "ref": ref, "snapshot": {**before, **fields}}])
        return ref

    def host(self, name: str, *, live: bool = True, enabled: bool = True, version: str = "Cardume 0.1.0") -> str:
        self.put("host_metrics", f"m-{name}", live=live, memory_total=16 << 30)
        return self.put(
            "host",
            name,
            name_label=name,
            name_description="",
            hostname=name,
            address="10.0.0.1",
            enabled=enabled,
            metrics=f"host_metrics:m-{name}",
            host_CPUs=["host_cpu:1", "host_cpu:2"],
            PIFs=[],
            PBDs=[],
            tags=[],
            iscsi_iqn="iqn.test:a",
            software_version={"product_version_text": version},
            other_config={"boot_time": "1000."},
        )

    def sr(self, name: str, *hosts: str, shared: bool = False, content: str = "user", attached: bool = True) -> str:
        ref = f"sr:{name}"
        pbds = [
            self.put(
                "pbd",
                f"{name}-{host}",
                host=f"host:{host}",
                SR=ref,
                device_config={"target": "10.0.1.10", "chappassword_secret": "s"},
                currently_attached=attached,
            )
            for host in hosts
        ]
        return self.put(
            "sr",
            name,
            name_label=name,
            name_description="",
            type="lvmoiscsi" if shared else "ext",
            content_type=content,
            shared=shared,
            is_tools_sr=False,
            physical_size=100 << 30,
            physical_utilisation=25 << 30,
            virtual_allocation=25 << 30,
            PBDs=pbds,
            VDIs=[],
            tags=[],
        )

    def vm(self, name: str, *, on: str = "", sr: str = "", power: str = "", **fields: Any) -> str:
        vbds = []
        if sr:
            disk = self.put(
                "vdi",
                f"{name}-disk",
                name_label=f"{name} disk",
                name_description="",
                SR=f"sr:{sr}",
                VBDs=[f"vbd:{name}-0"],
                virtual_size=10 << 30,
                physical_utilisation=1 << 30,
                managed=True,
                type="user",
                is_a_snapshot=False,
                allowed_operations=[] if on else ["copy", "destroy"],
                location="x",
            )
            vbds = [
                self.put(
                    "vbd",
                    f"{name}-0",
                    VM=f"vm:{name}",
                    VDI=disk,
                    userdevice="0",
                    device="xvda" if on else "",
                    type="Disk",
                    mode="RW",
                    currently_attached=bool(on),
                    other_config={"owner": ""},
                )
            ]
            before = self.cache.find("sr", f"sr:{sr}")
            assert before is not None, "the SR first"
            self.put("sr", sr, VDIs=[*before["VDIs"], disk])
        state = power or ("Running" if on else "Halted")
        known: dict[str, Any] = {
            "name_label": name,
            "name_description": "",
            "is_a_template": False,
            "is_a_snapshot": False,
            "is_control_domain": False,
            "power_state": state,
            "resident_on": f"host:{on}" if on else NULL,
            "affinity": NULL,
            "VBDs": vbds,
            "VIFs": [],
            "snapshots": [],
            "tags": [],
            "metrics": NULL,
            "guest_metrics": NULL,
            "current_operations": {},
            "blocked_operations": {},
            "allowed_operations": ["start"] if state == "Halted" else ["clean_shutdown", "pool_migrate"],
            "VCPUs_at_startup": 1,
        }
        return self.put("vm", name, **{**known, **fields})

    def source(self, **known: Any) -> Source:
        """The pool as presenters are given it."""
        return Source(self.cache, "10.0.0.1:443", **known)

    def record(self, cls: str, name: str) -> Any:
        """A record, which must be there."""
        found = self.cache.find(cls, f"{cls}:{name}")
        assert found is not None, name
        return found
