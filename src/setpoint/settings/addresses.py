"""Kinds of where requests come from: the origins of browsers' pages, and networks."""

from __future__ import annotations

import re
from ipaddress import ip_network

from setpoint.settings.kinds import Kind, KindError, list_of, scalar, text_of
from setpoint.settings.nodes import Items, Node, Report, Scalar

# "scheme://host[:port]", as browsers write it: in lower case, without a path.
_ORIGIN = re.compile(r"(https?|[a-z][a-z0-9+.-]*)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
# Browsers leave out the port that a scheme has anyway.
_USUAL_PORTS = {"http": ":80", "https": ":443"}


def _origin(node: Scalar) -> str:
    text = text_of(node).lower().removesuffix("/")
    if text != "*" and not _ORIGIN.fullmatch(text):
        raise KindError
    scheme = text.partition(":")[0]
    return text.removesuffix(_USUAL_PORTS.get(scheme, ""))


def _network(node: Scalar) -> str:
    try:
        return str(ip_network(text_of(node), strict=False))
    except ValueError:
        raise KindError from None


def _listed(entry: Kind) -> Kind:
    """A list; from the environment or the command line its entries are separated by commas."""
    several = list_of(entry)

    def read(node: Node, path: str, report: Report) -> object:
        if isinstance(node, Scalar) and node.form == "given":
            texts = [text for part in node.text.split(",") if (text := part.strip())]
            node = Items(tuple(Scalar(text, node.place, "given") for text in texts), node.place)
        return several.read(node, path, report)

    return Kind(several.words, read)


ORIGINS = _listed(scalar("an origin such as `https://app.example.com`, or `*` for all", _origin))
NETWORKS = _listed(scalar("an IP address or a network such as `10.0.0.0/8`", _network))
