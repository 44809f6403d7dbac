"""Posts an event, again and again until it is kept: POSTHASTE_URL=... POSTHASTE_KEY=... python3 producer.py"""

import http.client
import json
import os
import random
import time
import urllib.error
import urllib.request

TRY_AGAIN = {408, 429, 500, 502, 503, 504}


def post(event, attempts=8):
    request = urllib.request.Request(
        os.environ["POSTHASTE_URL"],
        # Made once: what is sent again is the same to the byte, and has the same id.
        data=json.dumps(event).encode(),
        headers={
            "Authorization": f"Bearer {os.environ['POSTHASTE_KEY']}",
            "Content-Type": "application/json",
        },
    )
    for attempt in range(1, attempts + 1):
        retry_after = 0
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            failure = RuntimeError(f"refused with {error.code}: {error.read().decode(errors='replace')}")
            if error.code not in TRY_AGAIN:
                raise failure from None
            seconds = error.headers.get("Retry-After", "")
            retry_after = int(seconds) if seconds.isdigit() else 0
        except (OSError, http.client.HTTPException, ValueError) as error:
            failure = error  # No answer: it may be kept or not, and sending it again is right in both cases.
        if attempt == attempts:
            raise failure
        # 0.5 s, 1 s, 2 s, ... at most 30 s; a random part keeps producers from coming all at once.
        backoff = min(0.5 * 2 ** (attempt - 1), 30) * random.uniform(0.5, 1)
        time.sleep(max(backoff, retry_after))


# The id names what happened, so it is the same whoever sends it however often.
answer = post({"id": "order-4711-paid", "type": "order.paid", "data": {"order": 4711, "total": 99.5}})
print(json.dumps(answer))
