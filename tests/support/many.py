"""Records by the hundred thousand, made inside the database: what months of a team's traffic leave behind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from sqlalchemy import Connection

WORKSPACE = "w1"
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
STEP = timedelta(seconds=20)
"""When the first request came, and from one to the next."""

OLD_MODEL, RARE_KEY = "model-old", "f" * 64
"""A model that is not used any more since the first hundredth of the time, and a key that was used once."""

# Numbers that look drawn, the same in every run: the middle bits of a product.
_DRAWN = """
WITH RECURSIVE numbers(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :end),
drawn AS (
    SELECT
        n,
        n % 10 = 9 AS elsewhere,
        CASE WHEN n = :rare THEN 60 ELSE (n * 1103515245 + 12345) % 4294967296 / 65536 % 60 END AS key,
        CASE WHEN n < :old AND n % 8 = 0 THEN 12 ELSE (n * 22695477 + 12345) % 4294967296 / 65536 % 12 END AS model,
        (n * 134775813 + 12345) % 4294967296 / 65536 % 4 AS provider,
        (n * 1664525 + 12345) % 4294967296 / 65536 % 21 AS preset,
        CASE WHEN n % 5000 = 17 THEN 3 WHEN n % 100 = 3 THEN 2 WHEN n % 50 = 1 THEN 1 ELSE 0 END AS status,
        1 + n / 250000 AS version
    FROM numbers
),
told AS (
    SELECT
        n,
        CASE WHEN elsewhere THEN 'w2' ELSE 'w1' END AS workspace_id,
        CASE WHEN key = 60 THEN :rare_key ELSE printf('%064x', key) END AS key_digest,
        CASE WHEN preset > 0 THEN printf('preset-%d', preset) END AS preset_slug,
        CASE WHEN preset > 0 THEN version END AS preset_version,
        CASE WHEN model = 12 THEN :old_model ELSE printf('model-%d', model) END AS model,
        printf('provider-%d', provider) AS provider,
        CASE status WHEN 0 THEN 'completed' WHEN 1 THEN 'cancelled' WHEN 2 THEN 'failed' ELSE 'interrupted' END
            AS status,
        1 + elsewhere + 2 * (key + 64 * (model + 16 * (provider + 4 * (preset + 32 * (status + 4 * version))))) AS facet
    FROM drawn
)
"""
_FACETS = """
INSERT OR IGNORE INTO facets
SELECT facet, workspace_id, key_digest, coalesce(preset_slug, ''), coalesce(preset_version, 0), model, provider, status
FROM told GROUP BY facet
"""
_RECORDS = """
INSERT INTO generations (
    id, created_at, skin, status, workspace_id, key_digest, model, provider, provider_name, preset_id, preset_slug,
    preset_version, streamed, cancelled, unsaid, not_honoured, attempts, usage_input_tokens, usage_output_tokens,
    usage_cached_tokens, usage_cache_write_tokens, usage_reasoning_tokens, usage_input_audio_tokens,
    usage_output_audio_tokens, usage_image_tokens, usage_cache_write_1h_tokens, usage_estimated, user_id, facet
)
SELECT
    printf('gen-%d-%020x', (:began + n * :step) / 1000000, n), :began + n * :step, 'chat', status, workspace_id,
    key_digest, model, provider, 'Provider', 'p', preset_slug, preset_version, 1, 0, '[]', '[]', :attempts, 1000, 100,
    0, 0, 0, 0, 0, 0, 0, 0, 'user', facet
FROM told
"""
_ATTEMPTS = (
    '[{"provider":"a","provider_name":"A","model":"m","upstream_model":"m","tag":"a","key_id":"k","status":200,'
    '"error":null,"latency_ms":310,"usage":{"input_tokens":1000,"output_tokens":100},"cost":"0.0000123"}]'
)


def make_records(connection: Connection, count: int) -> None:
    """So many records, a tenth of them of another workspace, evenly over time, of 60 keys, 20 presets and 12 models.

    Who asked for what is drawn for each by itself: far more combinations than people make.
    """
    microsecond = timedelta(microseconds=1)
    told = {
        "first": 0,
        "end": count,
        "old": count // 100,
        "rare": count // 20 * 10,
        "old_model": OLD_MODEL,
        "rare_key": RARE_KEY,
    }
    connection.execute(text(_DRAWN + _FACETS), told)
    began = (BEGAN - datetime(1970, 1, 1, tzinfo=UTC)) // microsecond
    more = {"began": began, "step": STEP // microsecond, "attempts": _ATTEMPTS}
    connection.execute(text(_DRAWN + _RECORDS), told | more)
