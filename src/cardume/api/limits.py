"""How much anybody may ask of the API's listeners, logged in or not: every number in one place, with its reason."""

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one daemon; docs/limits.md tells operators what clients notice of them."""

    # Connections: each costs about 100 KiB with TLS, so that all of them together stay below half a gigabyte.
    connections: int = 4096
    # Half of all, so that one address never locks out the others; hundreds of clients behind one NAT still fit.
    connections_per_address: int = 2048
    # Kernel's queue of connections not yet taken: a burst after a fail-over waits here for milliseconds.
    backlog: int = 1024

    # Deadlines in seconds. A slow but honest client has a second per round trip; ten of them are plenty.
    handshake_s: float = 10.0
    head_s: float = 20.0  # from the connection, or from a later request's first byte, to the end of its headers
    body_s: float = 60.0  # most_body in a minute is what the slowest lines that people administer over can do
    write_s: float = 30.0  # for a piece of an answer to be taken; the client reads at 10 KB/s or is gone
    idle_s: float = 300.0  # between two requests; clients that ask every minute keep their connection
    linger_s: float = 2.0  # after a refusal, to let the client finish sending and read why

    # Half-open connections: the kernel asks a silent peer after a minute, and gives up after another.
    probe_after_s: int = 60
    probe_every_s: int = 15
    probes: int = 4
    unacknowledged_s: int = 60

    # Written and not yet taken, of one connection: beyond it, writing waits for the client. The kernel's part would
    # grow to 4 MiB by itself; with 256 KiB a line of 50 ms still carries 5 MB/s.
    write_buffer: int = 64 * KIB
    kernel_buffer: int = 256 * KIB

    # A request: the largest that is of use holds one value that the pool database refuses at 1.5 MB.
    most_body: int = 4 * MIB
    most_head_line: int = 8 * KIB  # the request line, and any one header
    most_headers: int = 64
    # Bodies that are not yet whole, of all connections together.
    most_bodies: int = 64 * MIB
    # Above this size a body is parsed beside the event loop, one at a time: others are served meanwhile.
    large_body: int = 64 * KIB

    # Answers that are not yet taken, of all connections together: the records of 5,000 VMs are some 30 MB.
    most_answers: int = 256 * MIB
    # How long an answer may take while others wait for its room.
    answer_grace_s: float = 5.0

    # Consoles that are looked at, of the whole pool: each costs up to half a megabyte of buffers while it is drawn.
    consoles: int = 256
    # Of one session: Xen Orchestra shows the consoles of all its users in one.
    consoles_per_session: int = 64

    # Lines about refused requests in the log, per minute; the rest is counted in one line.
    log_lines_per_minute: int = 30


# What the decoders of bodies accept. Both formats have the same, so that a client may change from one to the other.
MOST_VALUES = 100_000
"""An event.from over the objects of a large pool names some ten thousand; each costs up to 100 bytes of memory."""
MOST_DEPTH = 32
"""Of arrays and structs. No type of XenAPI nests deeper than five."""
MOST_DIGITS = 100
"""Of an integer: above 64 bits it is refused as a value, above this as no request; conversion is quadratic."""
