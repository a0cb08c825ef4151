"""Verifies webhooks with the Standard Webhooks package, which is not ours.

Reads {"secrets": [...], "requests": [{"headers": {...}, "body": "..."}]} from standard input. Every
request must verify with every secret, and must not once it was altered. Prints how many there were.
"""

import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

given = json.load(sys.stdin)
for secret in given["secrets"]:
    webhook = Webhook(secret)
    for request in given["requests"]:
        webhook.verify(request["body"], request["headers"])
        altered = [
            (request["body"] + " ", request["headers"]),
            (request["body"], {**request["headers"], "webhook-id": "another"}),
        ]
        for body, headers in altered:
            try:
                webhook.verify(body, headers)
            except WebhookVerificationError:
                continue
            sys.exit("an altered request was verified")
print(len(given["requests"]))
