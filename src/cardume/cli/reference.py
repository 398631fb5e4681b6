"""The reference page of `xe`, from the declarations: `python -m cardume.cli.reference > docs/reference/xe.md`."""

from collections.abc import Iterable, Iterator

from cardume.cli.command import Command
from cardume.cli.commands import all_commands
from cardume.cli.views import View, views

_INTRODUCTION = """\
# `xe`

The command line of a pool, with the grammar and the output that administrators know from XenServer.
This page is generated from the declarations in `src/cardume/cli` and from the datamodel.

## Which server, as whom

`xe COMMAND -s SERVER -u USER -pw PASSWORD key=value … --flag`

| switch | setting | meaning |
|---|---|---|
| `-s`, `-h` | `server` | the server to speak to: the pool's master; without it, this host |
| `-p` | `port` | its port, if it is not 443 |
| `-u` | `username` | the user |
| `-pw` | `password` | the password; whoever may list processes can read it there |
| `-pwf` | `passwordfile` | a file: first line the user, second the password; with `-u`, the password alone |
| `--ca-file=` | `ca-file` | certificates of authorities, one of which must have signed the server's for this address |
| `--no-verify` | `no-verify` | `true`: do not check the server's certificate |

Settings are also read from `XE_EXTRA_ARGS` (`server=…,username=…,password=…`; a comma inside a value is written `\\,`)
and from the file `~/.xe`, one `setting=value` a line. The command line comes before the environment, the environment
before the file. A password given in either of the two does not show in process listings.

On a host of the pool, root needs neither server nor password: without `-s` and `-u` the daemon's socket
`/run/cardume/xapi.sock` is used where it exists.

Other secrets have a form that names a file, as `new-file=`, `value-file=` or `master-password-file=`: the commands
below list them.

## Is it the same server?

A host signs its own certificate. `xe` remembers each server at its first use, by the SHA-256 fingerprint of its
certificate's public key, in `$XDG_STATE_HOME/cardume/known-servers` (`~/.local/state/cardume/known-servers`), and sends
nothing to a server that shows another key later. A host that renews its certificate keeps the key, and nothing is to be
done. When another key was meant, because the host was set up anew or its certificate was replaced or reset,
`xe server-forget -s SERVER -p PORT` forgets the old one. Nobody is asked anything, so scripts run unattended; where
nothing can be remembered a warning goes to the standard error stream. With `--ca-file` authorities decide instead, and
with `--no-verify` nobody.

## Completion

`source <(xe completion shell=bash)` in `~/.bashrc` completes commands, names of parameters, and values; for zsh the
same with `shell=zsh`, for fish `xe completion shell=fish | source`. Uuids and names are asked of the server when its
name, user and password stand in `XE_EXTRA_ARGS`, in `~/.xe` or before the cursor; a server that does not answer
within two seconds completes nothing.

## How it answers

- The exit status is 0 when the command did what it was asked to, else 1. A question that is not answered with `yes`
  counts as not done.
- Failures are printed to the standard error stream: the sentence of the error, then its parameters, a line each.
- `--minimal` prints values alone on one line, separated by commas; commas and backslashes in them are preceded by a
  backslash. Of each object it prints the first field.
- A name is followed by `( RO)` or `( RW)`, for sets `(SRO)` or `(SRW)`, for maps `(MRO)` or `(MRW)`. What there is no
  value of shows as `<not in database>`.
- Long work is a task of the pool. `--progress` shows how far it is; Ctrl-C cancels it.
- Sizes are bytes, or have a suffix: `KiB`, `MiB`, `GiB`, `TiB`.

## Choosing objects

Lists take filters: `FIELD=value`, `MAP:key=value` and `SET:contains=member` compare with what is shown.
`params=a,b` chooses fields, `params=all` shows all of them.

Commands marked *VMs*, *hosts* or *SRs* take the same filters to say which objects they are about, or `vm=`, `host=`,
`sr=` with a name or a uuid. When more than one fits, `--multiple` is needed, and each is tried.
"""

_SELECTED = {"vm": "VMs", "host": "hosts", "sr": "SRs"}


def page() -> str:
    """The whole page."""
    return "\n".join([_INTRODUCTION, *_commands(), *_classes()])


def _commands() -> Iterator[str]:
    generated = {f"{prefix}-{verb}" for prefix in views() for verb in ("list", *_PARAM_VERBS)}
    yield "## Commands\n"
    yield "Parameters in *italics* are optional; those ending in `:` take keys, as in `device-config:target=…`.\n"
    yield from _table(command for name, command in all_commands().items() if name not in generated)
    yield "\n## Commands of every class\n"
    yield "| command | what it does |\n|---|---|"
    for name, does in _GENERIC:
        yield f"| `{name}` | {does} |"


_PARAM_VERBS = ("param-list", "param-get", "param-set", "param-add", "param-remove", "param-clear")
_GENERIC = (
    ("CLASS-list", "lists the objects that satisfy the filters"),
    ("CLASS-param-list uuid=", "shows all fields of one object"),
    ("CLASS-param-get uuid= param-name= [param-key=]", "shows one field, or one value of a map"),
    ("CLASS-param-set uuid= FIELD=value MAP:key=value", "sets fields and values of maps"),
    ("CLASS-param-add uuid= param-name= param-key=member", "adds to a set; to a map with `key=value`"),
    ("CLASS-param-remove uuid= param-name= param-key=", "removes a member of a set or a key of a map"),
    ("CLASS-param-clear uuid= param-name=", "makes a field empty"),
)


def _table(commands: Iterable[Command]) -> Iterator[str]:
    yield "| command | parameters | what it does |\n|---|---|---|"
    for command in commands:
        if not command.hidden:
            selected = f" ({_SELECTED[command.selects]})" if command.selects else ""
            parameters = [f"`{name}`" for name in command.required] + [f"*`{name}`*" for name in command.optional]
            yield f"| `{command.name}`{selected} | {' '.join(parameters)} | {command.doc} |"


def _classes() -> Iterator[str]:
    yield "\n## Classes and their fields\n"
    yield "A list shows the fields in **bold**. Fields in *italics* are shown only when they are asked for by name.\n"
    for view in views().values():
        if view.prefix in ("template", "snapshot"):
            shown = ", ".join(f"`{name}`" for name in view.defaults)
            yield f"- `{view.prefix}`: the fields of `vm`. A list shows {shown}."
        else:
            yield f"- `{view.prefix}`: {', '.join(_fields(view))}"
    yield ""


def _fields(view: View) -> Iterator[str]:
    for name, field in view.fields.items():
        title = f"`{field.title}`"
        if field.hidden:
            yield f"*{title}*"
        else:
            yield f"**{title}**" if name in view.defaults or not view.defaults else title


if __name__ == "__main__":
    print(page(), end="")
