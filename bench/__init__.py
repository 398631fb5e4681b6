"""The benchmarks: each row measures one number that the design promises, beside its baseline from the same run."""

NAME, SUBNET = "bench", "10.155.0.0/23"
"""The lab that they make, and remove."""
