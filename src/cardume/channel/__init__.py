"""The internal channel: hosts of one pool do work for each other over mutual TLS. See docs/design/channel.md."""
