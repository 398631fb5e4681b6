"""cardumed: the daemon of a host. Here real objects are built and put together; what they do is elsewhere."""
