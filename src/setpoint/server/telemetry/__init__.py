"""What is told about the gateway: log lines, and the figures that are counted or looked up."""
