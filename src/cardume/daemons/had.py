"""The HA daemon's entry point. It imports no more than its first process needs: see cardume.had.guardian."""

import sys

from cardume.had import guardian


def main() -> None:
    """Be the daemon; `cardume-had status`, or a question in JSON, asks the one that runs."""
    if len(sys.argv) == 1:
        guardian.main()
        return
    import json

    from cardume.had.client import HadError, ask

    try:
        question = {"do": sys.argv[1]} if sys.argv[1].isidentifier() else json.loads(sys.argv[1])
        print(json.dumps(ask(question), indent=1))
    except (HadError, ValueError) as error:
        sys.exit(f"cardume-had: {error}")
