"""A request and an answer, in no protocol's dialect."""
