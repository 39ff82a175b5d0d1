"""An upstream for the tests: a process that plays scripts, faults included, and records the bytes it received.

`script.py` makes scripts, `client.py` is the handle that tests hold, `upstream.py` is the process. What an upstream
says is built in `answers.py` (chat), `messages.py` and `responses.py`. Nothing but the standard library is imported
here, so that the process starts quickly and shares no code with what it tests.
"""
