"""Which endpoints can answer a request, and in which order. Values in, values out: nothing here does I/O."""
