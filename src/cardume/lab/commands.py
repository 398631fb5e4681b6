"""`cardume lab …`: the commands of the lab."""

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
import XenAPI
from rich.console import Console
from rich.progress import Progress as Bars
from rich.progress import SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from cardume.lab import container, control, room, services, stalls, starting_point, web_console
from cardume.lab.api import PASSWORD, UNREACHABLE, USER, session
from cardume.lab.api import find_vm_address as api_address
from cardume.lab.cache import Progress
from cardume.lab.errors import LabError
from cardume.lab.facts import lab_facts
from cardume.lab.layout import DEFAULT_NAME, DEFAULT_SUBNET, FREENAS, Lab, Network, get_lab
from cardume.lab.services import Service
from cardume.lab.walkthrough import command as walkthrough_command
from cardume.lab.walkthrough.texts import Language, Words

app = typer.Typer(
    name="lab",
    no_args_is_help=True,
    help="A machine room on this machine: hosts, storage and networks in containers. Needs root.",
)
target = typer.Typer(no_args_is_help=True, help="The storage server's services: taken away, and given back.")
app.add_typer(target, name="target")
console = Console()

Name = Annotated[str, typer.Option("--name", envvar="CARDUME_LAB_NAME", help="Which lab.")]
HostName = Annotated[str, typer.Argument(metavar="HOST", help="A host, for example d1-g1.")]
Cable = Annotated[Network | None, typer.Option("--network", help="One cable only; both by default.")]
Program = Annotated[str, typer.Argument(metavar="PROGRAM", help="As `ps` names it, for example cardumed.")]
Served = Annotated[Service, typer.Option("--service", help="Which service of the storage server.")]


@app.command()
def up(
    hosts: Annotated[int | None, typer.Option("--hosts", metavar="N", help="How many hosts; 2 for a new lab.")] = None,
    name: Name = DEFAULT_NAME,
    subnet: Annotated[
        str | None,
        typer.Option(
            metavar="A.B.C.0/23", envvar="CARDUME_LAB_SUBNET", help=f"Its networks. [default: {DEFAULT_SUBNET}]"
        ),
    ] = None,
    bare: Annotated[
        bool, typer.Option("--bare", help="Hosts and storage only, nothing of the product set up.")
    ] = False,
    more_targets: Annotated[
        bool, typer.Option("--more-targets", help="Also offer the iSCSI targets that tests need; remembered.")
    ] = False,
) -> None:
    """Bring the lab up, or complete what is missing of it: power, cables, the starting point. Disks stay."""
    with refusals(), shown() as progress:
        lab = room.plan_up(name, subnet, hosts, more_targets)
        room.up(lab, progress, None if bare else starting_point.reach)
        if not bare:
            progress("console", "starting")
            web_console.ensure(lab)
        boxes, serving = control.list_status(lab), services.which_serve(lab)
    console.print(_table(lab, boxes, serving))
    if not bare:
        console.print(f"Web console at [bold]{web_console.address(lab)}[/]: log in to {lab.address(lab.hosts[0])}")
        console.print(f"XenAPI at each host, user [bold]{USER}[/], password [bold]{PASSWORD}[/]; for instance")
        first = lab.address(lab.hosts[0])
        console.print(f"  .venv/bin/xe -s {first} -u {USER} -pw {PASSWORD} vm-list", highlight=False)


@app.command()
def down(name: Name = DEFAULT_NAME) -> None:
    """Remove the lab with its disks: afterwards nothing of it is left on this machine."""
    with refusals(), shown() as progress:
        there = room.down(name, progress)
    console.print(f"The lab {name} is gone." if there else f"There was no lab {name}.")


@app.command()
def status(
    name: Name = DEFAULT_NAME, as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False
) -> None:
    """Show power, cables and addresses, and whether the storage server's services run."""
    with refusals():
        lab = get_lab(name)
        boxes, serving = control.list_status(lab), services.which_serve(lab)
    if as_json:
        print(json.dumps(lab_facts(lab, boxes, serving, web_console.find_address(lab)), indent=2))
    else:
        console.print(_table(lab, boxes, serving))


def _table(lab: Lab, boxes: Sequence[Mapping[str, Any]], serving: Mapping[Service, bool]) -> Table:
    served = ", ".join(f"{service.value} {'on' if runs else 'off'}" for service, runs in serving.items())
    title, caption = f"lab {lab.name}, {lab.subnet}", f"{FREENAS} serves: {served}"
    table = Table("host", "power", "management", "storage", title=title, caption=caption)
    for box in boxes:
        cables = (box["networks"][network.value] for network in Network)
        shown_cables = [f"{one['address']}{'' if one['cable'] == 'plugged' else ' (unplugged)'}" for one in cables]
        table.add_row(box["name"], box["power"], *shown_cables)
    return table


@app.command("exec")
def execute(
    host: HostName,
    command: Annotated[list[str], typer.Argument(metavar="-- CMD…", help="What to run there.")],
    name: Name = DEFAULT_NAME,
) -> None:
    """Run a command inside a host, with this terminal; its exit status is the command's."""
    with refusals():
        lab = get_lab(name)
        leader = control.get_leader(lab, lab.get_box(host))
        env = [f"TERM={os.environ['TERM']}"] if "TERM" in os.environ else []
        words = container.entering(leader, command, env)
        os.execvp(words[0], words)


@app.command("power-off")
def power_off(host: HostName, name: Name = DEFAULT_NAME) -> None:
    """Cut a host's power, as pulling its plug would: what was not made durable is lost. Prints when."""
    with refusals():
        lab = get_lab(name)
        when = datetime.fromtimestamp(control.power_off(lab, lab.get_box(host))).astimezone()
        console.print(f"{host} lost power at {when.isoformat(timespec='milliseconds')}")


@app.command("power-on")
def power_on(host: HostName, name: Name = DEFAULT_NAME) -> None:
    """Give a host power; it boots from its own disk."""
    with refusals():
        lab = get_lab(name)
        control.power_on(lab, lab.get_box(host))
        console.print(f"{host} has power and boots")


@app.command()
def unplug(host: HostName, network: Cable = None, name: Name = DEFAULT_NAME) -> None:
    """Pull a host's cables."""
    with refusals():
        lab = get_lab(name)
        control.unplug(lab, lab.get_box(host), [network] if network else list(Network))
        console.print(f"{host}: {network.value if network else 'both cables'} unplugged")


@app.command()
def plug(host: HostName, network: Cable = None, name: Name = DEFAULT_NAME) -> None:
    """Plug a host's cables in again."""
    with refusals():
        lab = get_lab(name)
        control.plug(lab, lab.get_box(host), [network] if network else list(Network))
        console.print(f"{host}: {network.value if network else 'both cables'} plugged")


@app.command()
def stall(host: HostName, program: Program, name: Name = DEFAULT_NAME) -> None:
    """Make a program of a host stand still (SIGSTOP) until `resume`, as one that hangs does."""
    with refusals():
        lab = get_lab(name)
        count = stalls.stall(lab, lab.get_box(host), program)
        console.print(f"{host}: {count} process{'' if count == 1 else 'es'} of {program} stand still")


@app.command()
def resume(host: HostName, program: Program, name: Name = DEFAULT_NAME) -> None:
    """Let a program of a host go on that was made to stand still."""
    with refusals():
        lab = get_lab(name)
        count = stalls.resume(lab, lab.get_box(host), program)
        console.print(f"{host}: {count} process{'' if count == 1 else 'es'} of {program} go on")


@target.command("stop")
def stop_target(service: Served = Service.ISCSI, name: Name = DEFAULT_NAME) -> None:
    """Kill the iSCSI target, or the NFS server, as a crash would; it stays away."""
    with refusals():
        services.stop(get_lab(name), service)
        console.print(f"{service.value} of {FREENAS} is gone")


@target.command("start")
def start_target(service: Served = Service.ISCSI, name: Name = DEFAULT_NAME) -> None:
    """Give the iSCSI target, or the NFS server, back as it was; returns when it answers."""
    with refusals():
        services.start(get_lab(name), service)
        console.print(f"{service.value} of {FREENAS} answers")


@app.command()
def ping(vm: Annotated[str, typer.Argument(metavar="VM", help="A VM's name.")], name: Name = DEFAULT_NAME) -> None:
    """Ping a VM, once a second until Ctrl-C, wherever in the lab it runs."""
    with refusals():
        lab = get_lab(name)
        address = find_vm_address(lab, vm)
        # From the storage server, which outlives every host; the machine itself may have no ping.
        words = container.entering(control.get_leader(lab, lab.get_box(FREENAS)), ["ping", "-O", address])
        os.execvp(words[0], words)


@app.command()
def walkthrough(
    section: Annotated[
        int | None, typer.Option("--section", min=1, max=6, help="One section, after what earlier ones leave.")
    ] = None,
    lang: Annotated[Language, typer.Option("--lang", help="What it speaks.")] = Language.EN,
    step: Annotated[bool, typer.Option("--step", help="Wait for a key before each step.")] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Walk in the lab as it is; otherwise one of its own is made anew.")
    ] = False,
    report: Annotated[
        Path, typer.Option("--report", metavar="DIR", help="Where the report goes, as Markdown and HTML.")
    ] = Path("cardume-walkthrough"),
    profile: Annotated[
        str,
        typer.Option(
            "--profile",
            callback=walkthrough_command.check_profile,
            help="Times of high availability: fast; lab on a slow machine.",
        ),
    ] = "fast",
    name: Annotated[
        str | None,
        typer.Option("--name", envvar="CARDUME_LAB_NAME", help="Which lab. [default: walk; lab with --keep]"),
    ] = None,
    subnet: Annotated[
        str | None, typer.Option(metavar="A.B.C.0/23", envvar="CARDUME_LAB_SUBNET", help="Its networks.")
    ] = None,
) -> None:
    """Walk the course's six sections by itself: tells, measures, reports; status 0 when all was as expected."""
    words = Words(lang)
    with refusals():
        lab = walkthrough_command.plan(name, subnet, keep)
        began = "begin.keep" if keep else "begin.fresh"
        console.print(words(began, lab=lab.name, subnet=str(lab.subnet)), highlight=False)
        with shown() as progress:
            walkthrough_command.bring_up(lab, keep, progress)
        walkthrough_command.go(lab, console, words, section=section, step=step, profile=profile, report=report)


def find_vm_address(lab: Lab, vm: str) -> str:
    """The address of a VM, asked of the hosts one after another until one knows it."""
    reasons = []
    for box in lab.hosts:
        try:
            with session(str(lab.address(box)), timeout_s=10.0) as api:
                address = api_address(api, vm)
            if address is not None:
                return address
            reasons.append(f"{vm} has not told its address yet")
        except (LabError, XenAPI.Failure, *UNREACHABLE) as reason:
            reasons.append(f"{box.name}: {reason}")
    raise LabError("; ".join(reasons))


@contextlib.contextmanager
def refusals() -> Iterator[None]:
    """A refusal is a sentence on standard error and status 1, never a traceback."""
    try:
        yield
    except LabError as error:
        print(f"cardume lab: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        print("cardume lab: interrupted; the same command goes on where it stopped", file=sys.stderr)
        raise typer.Exit(130) from None


@contextlib.contextmanager
def shown() -> Iterator[Progress]:
    """Progress for a person: a line per part of the work that changes in place, or plain lines in a log."""
    if not console.is_terminal:
        yield lambda part, step: print(f"{part}: {step}", flush=True)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.fields[part]:<14}"),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=console, transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def show(part: str, step: str) -> None:
            if part not in tasks:
                tasks[part] = bars.add_task(step, total=None, part=part)
            bars.update(tasks[part], description=step)

        yield show
