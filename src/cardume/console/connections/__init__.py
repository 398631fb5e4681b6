"""Servers and pools that the console is connected to: trust, sessions, and their objects as last told."""
