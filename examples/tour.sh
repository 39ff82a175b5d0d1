#!/usr/bin/env bash
# The whole life of a preset with curl: capture, use, pin, roll back, explain, record and cost, disable, archive.
#
#   SETPOINT_API_KEY=sk-sp-tour-0123456789 SETPOINT_DATA_DIR="$(mktemp -d)" .venv/bin/setpoint serve
#   examples/tour.sh
#
# BASE and KEY in the environment name another gateway and another key (of the role admin or editor).
set -euo pipefail
BASE=${BASE:-http://127.0.0.1:8787/api/v1}
KEY=${KEY:-sk-sp-tour-0123456789}

api() { curl -fsS -w '\n' -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" "$@"; }
step() { printf '\n== %s\n' "$*"; }
ask() { printf '{"model": "%s", "messages": [{"role": "user", "content": "%s"}]}' "$1" "$2"; }

step "Capture: a chat body becomes a version of the preset tour"
api "$BASE/presets/tour/chat/completions" -d '{
  "model": "setpoint/echo", "temperature": 0.2, "stop": ["END"],
  "messages": [{"role": "system", "content": "You sort parcels."}, {"role": "user", "content": "Parcel 1."}]
}'

step "Capture: a messages body becomes the next version; its own words are stored under the names of chat completions"
api "$BASE/presets/tour/messages" -d '{
  "model": "setpoint/echo", "max_tokens": 40, "stop_sequences": ["END"],
  "system": "You sort parcels. Be brief.", "messages": [{"role": "user", "content": "Parcel 1."}]
}'

step "Use: the name means the newest version, which is designated"
api "$BASE/chat/completions" -d "$(ask @preset/tour "Parcel 2.")"

step "Override: a field of the request wins over the preset's"
api "$BASE/chat/completions" -d '{
  "model": "@preset/tour", "max_tokens": 4, "messages": [{"role": "user", "content": "Parcel 3."}]
}'

step "Pin: version 1, whatever is designated"
api -i "$BASE/chat/completions" -d "$(ask @preset/tour@1 "Parcel 4.")"

step "Roll back: version 1 is designated again"
api -X POST "$BASE/presets/tour/versions/1/designate"
api "$BASE/presets/tour/versions"

step "Stream"
api -N "$BASE/chat/completions" -d '{
  "model": "@preset/tour", "stream": true, "messages": [{"role": "user", "content": "Parcel 5."}]
}'

step "Explain: where the request would go, what it would say there and whose word each field is; nothing is sent"
api "$BASE/explain/chat/completions" -d "$(ask @preset/tour "Parcel 6.")"

step "Record: tokens, cost, attempts"
id=$(api "$BASE/chat/completions" -d "$(ask @preset/tour "Parcel 6.")" | sed 's/.*"id":"\(gen-[^"]*\)".*/\1/')
api "$BASE/generation?id=$id"

step "Rename and describe"
api -X PATCH "$BASE/presets/tour" -d '{"name": "Tour", "description": "Sorts parcels"}'

step "Disable, and see that the name answers no more"
api -X PATCH "$BASE/presets/tour" -d '{"status": "disabled"}'
if api "$BASE/chat/completions" -d "$(ask @preset/tour "Parcel 7.")"; then
  echo "a disabled preset has answered" >&2
  exit 1
fi

step "Archive, and bring back"
api -X DELETE "$BASE/presets/tour"
api -X PATCH "$BASE/presets/tour" -d '{"status": "active"}'
