"""High availability: who is in the pool, who leads it, and whose guests may start elsewhere.

Pure: values in, values out, standard library only. `core.step` is the door; docs/design/ha.md says why it is right.
"""
