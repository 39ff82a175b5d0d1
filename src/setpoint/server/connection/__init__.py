"""The edge: clients on sockets, and HTTP up to the call of an application. Nothing here knows what is asked for."""
