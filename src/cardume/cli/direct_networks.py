"""Commands about interfaces and networks that send one message each (see `direct.py` for the words)."""

from cardume.cli.direct import Direct

ROWS: tuple[Direct, ...] = (
    Direct(
        "tunnel-create",
        "tunnel.create",
        "pif-uuid network-uuid protocol?",
        "Make a tunnel over an interface, which carries a network between hosts.",
    ),
    Direct("tunnel-destroy", "tunnel.destroy", "uuid", "Remove a tunnel."),
    Direct(
        "network-sriov-create",
        "network_sriov.create",
        "pif-uuid network-uuid",
        "Let guests on a network use parts of a network card directly.",
        long=True,
    ),
    Direct(
        "network-sriov-destroy", "network_sriov.destroy", "uuid", "Stop giving out parts of a network card.", long=True
    ),
    Direct(
        "sdn-controller-introduce",
        "SDN_controller.introduce",
        "protocol=ssl address? port=0",
        "Give the pool's virtual switches to a controller.",
    ),
    Direct("sdn-controller-forget", "SDN_controller.forget", "uuid", "Take the pool's virtual switches back."),
)
