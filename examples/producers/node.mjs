// Posts an event, again and again until it is kept: POSTHASTE_URL=... POSTHASTE_KEY=... node node.mjs
import { setTimeout as sleep } from "node:timers/promises";

const TRY_AGAIN = new Set([408, 429, 500, 502, 503, 504]);

async function post(event, attempts = 8) {
  const request = {
    method: "POST",
    headers: {
      "Authorization": `Bearer ${process.env.POSTHASTE_KEY}`,
      "Content-Type": "application/json",
    },
    // Made once: what is sent again is the same to the byte, and has the same id.
    body: JSON.stringify(event),
  };
  for (let attempt = 1; ; attempt++) {
    let failure, retryAfter = 0;
    try {
      const response = await fetch(process.env.POSTHASTE_URL, { ...request, signal: AbortSignal.timeout(30_000) });
      const text = await response.text();
      if (response.ok) return JSON.parse(text);
      failure = new Error(`refused with ${response.status}: ${text}`);
      if (!TRY_AGAIN.has(response.status)) attempt = attempts;
      retryAfter = Number(response.headers.get("retry-after")) || 0;
    } catch (error) {
      failure = error; // No answer: it may be kept or not, and sending it again is right in both cases.
    }
    if (attempt >= attempts) throw failure;
    // 0.5 s, 1 s, 2 s, ... at most 30 s; a random part keeps producers from coming all at once.
    const backoff = Math.min(0.5 * 2 ** (attempt - 1), 30) * (0.5 + Math.random() / 2);
    await sleep(1000 * Math.max(backoff, retryAfter));
  }
}

// The id names what happened, so it is the same whoever sends it however often.
console.log(await post({ id: "order-4711-paid", type: "order.paid", data: { order: 4711, total: 99.5 } }));
