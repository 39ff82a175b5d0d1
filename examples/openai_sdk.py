"""A preset's whole life with the OpenAI SDK: capture, use, override, pin, and what it cost.

    SETPOINT_API_KEY=sk-sp-tour-0123456789 SETPOINT_DATA_DIR="$(mktemp -d)" .venv/bin/setpoint serve
    .venv/bin/python examples/openai_sdk.py

BASE and KEY in the environment name another gateway and another key.
"""

from __future__ import annotations

import os
from typing import Any

from openai import NotFoundError, OpenAI

client = OpenAI(
    base_url=os.environ.get("BASE", "http://127.0.0.1:8787/api/v1"),
    api_key=os.environ.get("KEY", "sk-sp-tour-0123456789"),
)

# The SDK has no method for presets, but it can post any body. This is the request that works today.
working: dict[str, Any] = {
    "model": "setpoint/echo",
    "temperature": 0.2,
    "messages": [
        {"role": "system", "content": "You sort parcels. Answer in one line."},
        {"role": "user", "content": "Parcel 17 is wet."},
    ],
}
captured: Any = client.post("/presets/parcels/chat/completions", body=working, cast_to=object)
version = captured["data"]["designated_version"]
print(f"captured version {version['version']}: {version['config']}")

# From now on the program names the preset and says only what is new.
answer = client.chat.completions.create(
    model="@preset/parcels",
    messages=[{"role": "user", "content": "Parcel 18 has no address."}],
)
print(f"\n{answer.choices[0].message.content}")

# A field of the request wins over the preset's.
colder = client.chat.completions.create(
    model="@preset/parcels",
    temperature=0,
    messages=[{"role": "user", "content": "Parcel 19 hums."}],
)
print(f"\n{colder.choices[0].message.content}")

# A pin asks for one version, whatever is designated. The header says which one was applied.
pinned = client.chat.completions.with_raw_response.create(
    model=f"@preset/parcels@{version['version']}",
    messages=[{"role": "user", "content": "Parcel 20 is late."}],
)
print(f"\napplied: {pinned.headers['x-setpoint-preset']}")

# A stream ends with one chunk that has the usage and no choices.
stream = client.chat.completions.create(
    model="@preset/parcels",
    messages=[{"role": "user", "content": "Parcel 21 ticks."}],
    stream=True,
)
print()
for chunk in stream:
    for choice in chunk.choices:
        print(choice.delta.content or "", end="", flush=True)

# The record of an answer, by its id.
record: Any = client.get(f"/generation?id={answer.id}", cast_to=object)
print(f"\n\n{record['data']['preset_slug']}@{record['data']['preset_version']} cost {record['data']['total_cost']} USD")

# What is not there is a 404 that says so.
try:
    client.chat.completions.create(model="@preset/nothing", messages=[{"role": "user", "content": "Hello?"}])
except NotFoundError as error:
    print(error.message)
