"""The lab: a machine room of hosts and storage in containers on one machine, made and removed by one command."""
