"""What several workers must agree on."""
