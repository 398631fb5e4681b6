"""Brazilian Portuguese."""

from cardume.console.text.pt import (
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

PORTUGUESE = {key: text for theme in _THEMES for key, text in theme.TEXTS.items()}
