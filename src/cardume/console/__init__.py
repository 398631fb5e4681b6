"""The web console: a client of XenAPI like any other, drawn in a browser."""
