"""What can be asked for, and from whom: models, endpoints, providers."""
