"""The scripts that let shells complete `xe`: the commands are in them, all else they ask `xe complete` for."""

import textwrap

from cardume.cli.commands import all_commands
from cardume.cli.failures import Plain

_BASH = r"""
# Completion of xe for bash: source <(xe completion shell=bash)
_xe_commands='
@COMMANDS@
'

_xe() {
    local line=${COMP_LINE:0:COMP_POINT} current=${COMP_WORDS[COMP_CWORD]} word prefix
    COMPREPLY=()
    if [[ $COMP_CWORD -eq 1 && $current != -* ]]; then
        COMPREPLY=($(compgen -W "$_xe_commands" -- "$current"))
        return
    fi
    # Bash takes = and : for the ends of words: what stands before the last of them is there already.
    [[ $current == [=:] ]] && current=''
    while IFS= read -r word; do
        prefix=${line##*[^\\][[:space:]]}
        prefix=${prefix%"${prefix##*[=:]}"}
        word=$(printf '%q' "${word#"${prefix//\\/}"}")
        # An equals sign that %q protected is meant as one here.
        COMPREPLY+=("${word//\\=/=}")
    done < <("$1" complete "line=$line" 2>/dev/null)
    if [[ ${#COMPREPLY[@]} -gt 0 && ${COMPREPLY[0]} == *[=:] ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
complete -o default -F _xe xe
"""

_ZSH = r"""
#compdef xe
# Completion of xe for zsh: source <(xe completion shell=zsh)
_xe() {
    local -a found open closed
    found=("${(@f)$(${words[1]} complete "line=${(j: :)words[1,CURRENT]}" 2>/dev/null)}")
    open=(${(M)found:#*[=:]})
    closed=(${found:#*[=:]})
    (( ${#open} )) && compadd -Q -S '' -- ${(q)open}
    (( ${#closed} )) && compadd -- $closed
    (( ${#found[1]} )) || _files
}
compdef _xe xe
"""

_FISH = r"""
# Completion of xe for fish: xe completion shell=fish | source
function __xe_complete
    set -l line (commandline -cp | string collect)
    xe complete "line=$line" 2>/dev/null
end
complete -c xe -a '(__xe_complete)'
"""


def script(shell: str) -> str:
    """The script for a shell."""
    scripts = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
    if shell not in scripts:
        raise Plain(f"There is no completion for {shell}; for bash, zsh and fish there is")
    names = " ".join(name for name, command in all_commands().items() if not command.hidden)
    return scripts[shell].strip().replace("@COMMANDS@", "\n".join(textwrap.wrap(names, 118, break_on_hyphens=False)))
