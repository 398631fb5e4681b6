"""A host's part in high availability, as the toolstack uses it."""
