"""Every route there is: a row is its method, its path, its handler and who may call it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.server.router import Route

if TYPE_CHECKING:
    from collections.abc import Sequence

    from setpoint.server.routes.activity import Activity
    from setpoint.server.routes.budgets import Budgets
    from setpoint.server.routes.catalog.models import Models
    from setpoint.server.routes.contents import Contents
    from setpoint.server.routes.documents import Documents
    from setpoint.server.routes.explain import Explain
    from setpoint.server.routes.generations import Generations
    from setpoint.server.routes.health import Health
    from setpoint.server.routes.inference import Inference
    from setpoint.server.routes.keys import Keys
    from setpoint.server.routes.ledger import Ledger
    from setpoint.server.routes.metrics import Metrics
    from setpoint.server.routes.presets import Presets
    from setpoint.server.routes.provider_keys import ProviderKeys
    from setpoint.server.routes.workspaces import Workspaces


def routes(
    inference: Inference,
    explain: Explain,
    presets: Presets,
    keys: Keys,
    provider_keys: ProviderKeys,
    workspaces: Workspaces,
    budgets: Budgets,
    generations: Generations,
    contents: Contents,
    activity: Activity,
    ledger: Ledger,
    models: Models,
    health: Health,
    documents: Documents,
    metrics: Metrics | None,
) -> Sequence[Route]:
    """All rows; that of the metrics only where there are some to show."""
    version = "/presets/{slug}/versions/{version}"
    workspace = "/workspaces/{workspace}"
    budget = workspace + "/budgets/{interval}"
    measured = (Route("GET", "/metrics", metrics.get, "admin_read", based=False),) if metrics is not None else ()
    return (
        *measured,
        Route("POST", "/chat/completions", inference.skin("chat"), "inference", skin="chat", browsers=True),
        Route("POST", "/messages", inference.skin("messages"), "inference", skin="messages", browsers=True),
        Route("POST", "/messages/count_tokens", inference.count_tokens, "inference", skin="messages", browsers=True),
        Route("POST", "/responses", inference.skin("responses"), "inference", skin="responses", browsers=True),
        Route("POST", "/explain/chat/completions", explain.skin("chat"), "explain", skin="chat"),
        Route("POST", "/explain/messages", explain.skin("messages"), "explain", skin="messages"),
        Route("POST", "/explain/responses", explain.skin("responses"), "explain", skin="responses"),
        Route("GET", "/presets", presets.list, "any"),
        Route("GET", "/presets/{slug}", presets.get, "any"),
        Route("PATCH", "/presets/{slug}", presets.update, "editor"),
        Route("DELETE", "/presets/{slug}", presets.archive, "editor"),
        Route("POST", "/presets/{slug}/chat/completions", presets.create_chat, "capture"),
        Route("POST", "/presets/{slug}/messages", presets.create_messages, "capture"),
        Route("POST", "/presets/{slug}/responses", presets.create_responses, "capture"),
        Route("GET", "/presets/{slug}/versions", presets.versions, "any"),
        Route("GET", version, presets.version, "any"),
        Route("POST", version + "/designate", presets.designate, "editor"),
        Route("GET", "/key", keys.current, "any"),
        Route("GET", "/keys", keys.list, "admin_read"),
        Route("POST", "/keys", keys.create, "admin"),
        Route("GET", "/keys/{hash}", keys.get, "admin_read"),
        Route("PATCH", "/keys/{hash}", keys.update, "admin"),
        Route("DELETE", "/keys/{hash}", keys.delete, "admin"),
        Route("GET", "/byok", provider_keys.list, "admin_read"),
        Route("POST", "/byok", provider_keys.create, "admin"),
        Route("GET", "/byok/{id}", provider_keys.get, "admin_read"),
        Route("PATCH", "/byok/{id}", provider_keys.update, "admin"),
        Route("DELETE", "/byok/{id}", provider_keys.delete, "admin"),
        Route("GET", "/workspaces", workspaces.list, "admin_read"),
        Route("POST", "/workspaces", workspaces.create, "admin"),
        Route("GET", workspace, workspaces.get, "admin_read"),
        Route("PATCH", workspace, workspaces.update, "admin"),
        Route("DELETE", workspace, workspaces.delete, "admin"),
        Route("GET", workspace + "/budgets", budgets.list, "admin_read"),
        Route("GET", budget, budgets.get, "admin_read"),
        Route("PUT", budget, budgets.put, "admin"),
        Route("DELETE", budget, budgets.delete, "admin"),
        Route("GET", "/generation", generations.get, "any"),
        Route("GET", "/activity", activity.list, "admin_read"),
        Route("GET", "/credits", activity.credits, "admin_read"),
        Route("GET", "/ledger/verify", ledger.verify, "admin"),
        Route("GET", "/generations", generations.list, "any"),
        Route("GET", "/generation/content", contents.get, "admin"),
        Route("GET", "/models", models.list, "any", browsers=True),
        Route("GET", "/models/count", models.count, "any"),
        Route("GET", "/models/user", models.own, "any"),
        Route("GET", "/models/{author}/{slug}/endpoints", models.endpoints, "any"),
        Route("GET", "/model/{author}/{slug}", models.get, "any"),
        Route("GET", "/endpoints/zdr", models.zdr, "any"),
        Route("GET", "/providers", models.providers, "any"),
        Route("GET", "/health", health.live, "open", based=False),
        Route("GET", "/ready", health.readiness, "open", based=False),
        Route("HEAD", "/", health.hello, "open", based=False),
        Route("HEAD", "/api", health.hello, "open", based=False),
        Route("HEAD", "", health.hello, "open"),
        Route("GET", "/openapi.json", documents.document, "open", browsers=True),
        Route("GET", "/openapi.json", documents.document, "open", based=False, browsers=True),
        Route("GET", "/docs", documents.page, "open"),
        Route("GET", "/docs", documents.page, "open", based=False),
    )
