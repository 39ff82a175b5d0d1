"""The server as processes: started, led, replaced, handed over and ended."""
