"""What a host measures of itself and of its guests, and the history of it; see docs/metrics.md."""
