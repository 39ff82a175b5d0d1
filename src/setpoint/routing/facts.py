"""What is known of models without anyone's saying so, as routing asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from msgspec import structs

if TYPE_CHECKING:
    from setpoint.records import Endpoint, EndpointFacts


class Facts(Protocol):
    """What is known of models without anyone's saying so."""

    def endpoint(self, slug: str, model: str) -> EndpointFacts | None:
        """What is known of a model at a provider, by the name sent upstream; None when nothing is."""
        ...

    def context_length(self, model_id: str) -> int | None:
        """The context length, in tokens, of a model by the id that clients write; None when it is not known."""
        ...


class NoFacts:
    """Facts of nothing."""

    def endpoint(self, slug: str, model: str) -> EndpointFacts | None:
        """Nothing."""
        del slug, model

    def context_length(self, model_id: str) -> int | None:
        """Nothing."""
        del model_id


def informed(endpoint: Endpoint, facts: Facts) -> Endpoint:
    """The endpoint with the prices and the context length that are known of it, where it has none itself."""
    known = facts.endpoint(endpoint.provider.slug, endpoint.model)
    if known is None:
        return endpoint
    return structs.replace(
        endpoint,
        price=endpoint.price or known.tier_prices.get(endpoint.tier),
        tier_prices=known.tier_prices,
        context_length=endpoint.context_length or known.context_length,
    )
