#!/bin/sh
# Posts an event, again and again until it is kept: POSTHASTE_URL=... POSTHASTE_KEY=... sh curl.sh
set -eu
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

# --retry: after 408, 429 and 5xx, at the time that Retry-After says, else after 1, 2, 4, ... seconds;
# with --retry-all-errors after network errors too. (Not with --fail: then it would retry what is refused.)
status=$(curl --silent --show-error --connect-timeout 5 --max-time 30 \
  --retry 8 --retry-all-errors --retry-max-time 300 \
  --header "Authorization: Bearer $POSTHASTE_KEY" \
  --header "Content-Type: application/json" \
  --data '{"id": "order-4711-paid", "type": "order.paid", "data": {"order": 4711, "total": 99.5}}' \
  --output "$answer" --write-out '%{http_code}' \
  "$POSTHASTE_URL")

case $status in
  200 | 202) cat "$answer"; echo ;;
  *) echo "refused with $status: $(cat "$answer")" >&2; exit 1 ;;
esac
