"""The web console in a browser. A package, so that its lab and its browser end with its last test."""
