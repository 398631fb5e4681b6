"""The benchmarks: each row measures one number that the design promises, beside its baseline from the same run."""
