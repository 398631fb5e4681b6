"""What XenServer's command line shows of the classes that networks are made of."""

from cardume.cli.fields import Asked
from cardume.cli.views import Derived, View
from cardume.datamodel.wiretypes import Prim

VIEWS: tuple[View, ...] = (
    View(
        "bond",
        "Bond",
        "uuid master slaves mode properties primary-slave links-up other-config auto-update-mac",
        ("uuid", "master", "slaves"),
        one=frozenset({"slaves"}),
        read_only=frozenset({"mode", "properties"}),
    ),
    View(
        "vlan",
        "VLAN",
        "uuid tagged-PIF untagged-PIF tag",
        ("uuid", "tagged-PIF", "untagged-PIF", "tag"),
        plural="VLANs",
    ),
    View(
        "tunnel",
        "tunnel",
        "uuid transport-PIF access-PIF protocol status other-config",
        ("uuid", "transport-PIF", "access-PIF", "status"),
        read_only=frozenset({"status"}),
    ),
    View(
        "network-sriov",
        "network_sriov",
        "uuid physical-PIF logical-PIF requires-reboot remaining-capacity configuration-mode",
        ("uuid", "physical-PIF", "logical-PIF", "requires-reboot", "configuration-mode"),
        derived={
            "remaining-capacity": Derived(Asked("network_sriov.get_remaining_capacity", Prim.INT), expensive=True),
        },
        plural="SR-IOV networks",
    ),
    View("sdn-controller", "SDN_controller", "uuid protocol address port", plural="SDN controllers"),
)
