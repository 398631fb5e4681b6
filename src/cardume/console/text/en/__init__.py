"""English."""

from cardume.console.text.en import (
    actions,
    errors,
    events,
    frame,
    graphs,
    high_availability,
    pools,
    storage,
    tables,
    vms,
)

_THEMES = (actions, errors, events, frame, graphs, high_availability, pools, storage, tables, vms)

ENGLISH = {key: text for theme in _THEMES for key, text in theme.TEXTS.items()}
