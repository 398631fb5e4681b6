"""What the screens say, as plain values: nothing here knows a browser or a toolkit."""
