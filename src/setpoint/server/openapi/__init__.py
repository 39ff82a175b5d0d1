"""The document of the API: OpenAPI 3.1, made from the route table and from what each handler says of itself."""
