"""`python -m setpoint` is the command line."""

from setpoint.cli.main import main

raise SystemExit(main())
