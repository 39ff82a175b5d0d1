"""What tests of running processes share: start and stop them, give them a file, and talk to them byte by byte."""
