"""Who may do what now: the operation a call holds on an object while it works, and `allowed_operations` kept true."""
