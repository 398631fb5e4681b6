"""The host as a machine: its power, its name, its logs, its daemon, and what its plug-ins tell."""
