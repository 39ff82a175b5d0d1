"""HTTP in: the edge, the routes and their handlers, and the composition root."""
